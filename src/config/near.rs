//! The name that somebody meant who wrote another one.

/// ` (did you mean "NAME"?)`, or nothing if no name is near.
pub(super) fn did_you_mean<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> String {
    nearest(written, names).map_or_else(String::new, |name| format!(" (did you mean {name:?}?)"))
}

/// The name that a slip of the finger or two turns into `written`.
pub(super) fn nearest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A long text is no slip, and comparing it would cost its length times each name's.
    if written.len() > 80 {
        return None;
    }
    let most = written.chars().count().div_ceil(3).clamp(1, 3);
    names
        .map(|name| (distance(written, name), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters have to be added, removed, changed, or swapped with their neighbour. Hyphens,
/// underscores and capitals are not told apart.
fn distance(one: &str, other: &str) -> usize {
    let plain = |text: &str| -> Vec<char> {
        let plain = |letter: char| if letter == '-' { '_' } else { letter };
        text.to_lowercase().chars().map(plain).collect()
    };
    let (one, other) = (plain(one), plain(other));
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, other_letter) in other.iter().enumerate() {
            let changed = row[j] + usize::from(letter != other_letter);
            let mut least = changed.min(row[j + 1] + 1).min(next[j] + 1);
            let swapped = i > 0 && j > 0 && *letter == other[j - 1] && one[i - 1] == *other_letter;
            if swapped {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let names = ["max_size", "default_ttl", "enabled"];
        let nearest = |written| nearest(written, names.into_iter());
        assert_eq!(nearest("max-size"), Some("max_size"));
        assert_eq!(nearest("maxsize"), Some("max_size"));
        assert_eq!(nearest("defualt_ttl"), Some("default_ttl"));
        assert_eq!(nearest("Enable"), Some("enabled"));
        assert_eq!(nearest("directory"), None);
        assert_eq!(nearest(""), None);
        assert_eq!(nearest(&"max_size".repeat(1_000_000)), None);
    }

    #[test]
    fn letters_are_added_removed_changed_and_swapped() {
        for (one, other, letters) in [
            ("", "", 0),
            ("ab", "ba", 1),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), letters, "{one} {other}");
            assert_eq!(distance(other, one), letters, "{other} {one}");
        }
    }
}
