//! Rules about anything that is text.

use super::{Finding, finding};

/// Folders that exist on one machine only. Written in pieces, so that this file does not break its rule.
const FOLDERS: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/tmp/ba", "sh_jobs"),
];
/// Words about how and where the work was done, not about the work.
const WORDS: [&str; 6] = [
    concat!("lab-", "dev"),
    concat!(".lib", "rary/"),
    concat!("sub", "agent"),
    concat!("cla", "ude"),
    concat!("anth", "ropic"),
    concat!("workp", "lace"),
];
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
];

/// Every place of `needle` in `text`, as line number and what stands right before and after.
fn places<'a>(
    text: &'a str,
    needle: &'a str,
) -> impl Iterator<Item = (usize, Option<char>, Option<char>)> + 'a {
    text.lines().enumerate().flat_map(move |(number, line)| {
        line.match_indices(needle).map(move |(at, _)| {
            (
                number + 1,
                line[..at].chars().next_back(),
                line[at + needle.len()..].chars().next(),
            )
        })
    })
}

fn is_part_of_word(char: Option<char>) -> bool {
    char.is_some_and(|char| char.is_alphanumeric() || char == '_')
}

/// The repository is for everyone: no path of one machine, no word about who wrote it where.
pub(super) fn foreign_words(path: &str, text: &str) -> Vec<Finding> {
    let folders = FOLDERS.iter().flat_map(|folder| {
        // `/home/runner` and URLs have folders of these names too: only a path that starts so counts.
        let starts = |before: Option<char>| {
            !is_part_of_word(before) && !matches!(before, Some('.' | '-' | '}' | '~' | '/'))
        };
        places(text, folder)
            .filter(move |(_, before, _)| starts(*before))
            .map(move |(line, ..)| finding(path, line, format!("a machine's own path: {folder}")))
    });
    let lower = text.to_lowercase();
    let words = WORDS.iter().flat_map(|word| {
        let lines: Vec<_> = places(&lower, word).map(|(line, ..)| line).collect();
        lines
            .into_iter()
            .map(move |line| finding(path, line, format!("a foreign word: {word}")))
    });
    folders.chain(words).collect()
}

/// What is not done is not there, or is in the issue tracker.
pub(super) fn unfinished(path: &str, text: &str) -> Vec<Finding> {
    let marks = UNFINISHED.iter().flat_map(|mark| {
        let whole = |before, after| {
            !is_part_of_word(before) && (mark.ends_with('(') || !is_part_of_word(after))
        };
        places(text, mark)
            .filter(move |(_, before, after)| whole(*before, *after))
            .map(move |(line, ..)| finding(path, line, format!("unfinished: {mark}")))
    });
    marks.collect()
}

/// Scripts of the tests wait for what happens, as the tests do.
pub(super) fn waiting_scripts(path: &str, text: &str) -> Vec<Finding> {
    let script = [".py", ".mjs", ".js", ".sh"]
        .iter()
        .any(|ending| path.ends_with(ending));
    if !(script && path.starts_with("tests/")) {
        return Vec::new();
    }
    let waits = ["time.sleep(", "setTimeout(", "sleep "];
    let found = waits
        .iter()
        .flat_map(|wait| places(text, wait).map(|(line, ..)| line));
    found
        .map(|line| finding(path, line, "a test sleeps"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found() {
        let text = format!("fine\ncd {}main\n", FOLDERS[0]);
        assert_eq!(foreign_words("a.sh", &text)[0].line, 2);
        let elsewhere = format!(
            "/home/runner{0}x https://docs.example{0} $HOME{0}",
            FOLDERS[0]
        );
        assert_eq!(foreign_words("a.md", &elsewhere), []);
    }

    #[test]
    fn a_foreign_word_is_found_in_any_case() {
        let text = format!("\n\nWritten by {}.", WORDS[3].to_uppercase());
        let found = foreign_words("README.md", &text);
        assert_eq!(
            found,
            [finding(
                "README.md",
                3,
                format!("a foreign word: {}", WORDS[3])
            )]
        );
    }

    #[test]
    fn an_unfinished_place_is_found() {
        for mark in UNFINISHED {
            let found = unfinished("src/a.rs", &format!("fn f() {{\n  {mark}) \n}}"));
            assert_eq!(
                found,
                [finding("src/a.rs", 2, format!("unfinished: {mark}"))]
            );
        }
        assert_eq!(unfinished("src/a.rs", "fn todo_list() {} // MASTODON"), []);
    }

    #[test]
    fn a_script_of_the_tests_that_waits_is_found() {
        let text = "import time\ntime.sleep(1)\n";
        assert_eq!(waiting_scripts("tests/clients/a.py", text)[0].line, 2);
        assert_eq!(waiting_scripts("benches/fleet.py", text), []);
    }
}
