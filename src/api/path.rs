//! The path of a target, cut into segments.

use std::borrow::Cow;

/// How many segments are told apart. GitHub's longest route has twelve; only file names in
/// `contents` and `git/ref` go deeper, and nothing is decided by what comes after.
const MAX_SEGMENTS: usize = 12;

/// The segments of a canonical target's path, without allocating.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    segments: [&'a str; MAX_SEGMENTS],
    len: usize,
}

impl<'a> Path<'a> {
    /// Cuts the path of `target`, which must already be canonical
    /// ([`canonical_target`](crate::api::key::canonical_target)).
    ///
    /// `None` when two readers of the target could disagree about what it names: it does not begin
    /// with a slash, has an empty or a dot segment, a broken escape, or a byte that does not belong
    /// into a URL. Such reads are not cached, and such writes may have changed anything.
    pub fn of(target: &'a str) -> Option<Self> {
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let inner = path.strip_prefix('/')?;
        // One slash at the end is the habit of some clients and changes nothing.
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        if !is_plain(inner.as_bytes()) {
            return None;
        }
        let mut cut = Self {
            segments: [""; MAX_SEGMENTS],
            len: 0,
        };
        if inner.is_empty() {
            return (path == "/").then_some(cut);
        }
        for segment in inner.split('/') {
            if matches!(segment, "" | "." | "..") {
                return None;
            }
            if let Some(slot) = cut.segments.get_mut(cut.len) {
                *slot = segment;
                cut.len += 1;
            }
        }
        Some(cut)
    }

    /// The segments; those after the twelfth are left out.
    pub fn segments(&self) -> &[&'a str] {
        &self.segments[..self.len]
    }
}

/// Whether every byte may stand in a URL's path and every escape is whole.
fn is_plain(path: &[u8]) -> bool {
    let is_fine = |&byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#');
    path.iter().all(is_fine) && (!path.contains(&b'%') || has_whole_escapes(path))
}

fn has_whole_escapes(path: &[u8]) -> bool {
    let mut after_signs = path.split(|&byte| byte == b'%').skip(1);
    after_signs.all(|after| after.len() >= 2 && after[..2].iter().all(u8::is_ascii_hexdigit))
}

/// The value of the last parameter called `name` in the query of `target`; Rails takes the last.
pub fn parameter<'a>(target: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = target.split_once('?')?;
    query.rsplit('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then_some(value)
    })
}

/// `name` in lower case if it can be the name of an owner or a repository (letters, digits, `-`,
/// `_`, `.`), which are the same in every case to GitHub.
pub fn lower_name(name: &str) -> Option<Cow<'_, str>> {
    let ok = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(ok) {
        return None;
    }
    Some(if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_could_read_differently_has_no_segments() {
        for target in [
            "",
            "repos/o/r",
            "//repos/o/r",
            "/repos//r",
            "/repos/o/../r",
            "/repos/./o",
            "/repos/o/r%2",
            "/repos/o/r%zz",
            "/repos/o\\r",
            "/repos/o r",
            "/repos/ö/r",
            "//",
        ] {
            assert!(Path::of(target).is_none(), "{target}");
        }
    }

    #[test]
    fn a_path_is_cut_without_its_query_and_its_last_slash() {
        let cut = |target| Path::of(target).unwrap().segments().to_vec();
        assert_eq!(cut("/repos/O/r/?a=/../"), ["repos", "O", "r"]);
        assert_eq!(cut("/"), Vec::<&str>::new());
        let deep = format!("/repos/o/r/contents{}", "/d".repeat(100));
        assert_eq!(cut(&deep).len(), 12);
    }

    #[test]
    fn the_last_of_several_parameters_counts() {
        assert_eq!(parameter("/x?page=1&page=2", "page"), Some("2"));
        assert_eq!(parameter("/x?per_page=1", "page"), None);
        assert_eq!(parameter("/x?page", "page"), Some(""));
    }
}
