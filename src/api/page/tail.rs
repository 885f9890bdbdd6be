//! The end of a list: whether a 304 could hide that there is a next page now.
//!
//! GitHub's validator covers the body and not the `Link` header. A page that was full and the last
//! one keeps its validator when a further item opens a new page. So such a page is proven unchanged
//! only together with the next one: if that is (still) empty, nothing is hidden.

use crate::api::json;
use crate::api::key::canonical_target;
use crate::api::path::{Path, parameter};

/// What the end of a list says about further pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// Not a list: nothing can be hidden.
    NotAList,
    /// Fewer items than a page holds: nothing can be hidden.
    Partial,
    /// There is a next page, and its link is part of the answer.
    HasNext,
    /// The page is full and has no next: a new one would not show in a 304.
    Full {
        /// How to ask whether there is a next page now; `None` when that cannot be asked.
        probe: Option<Probe>,
    },
}

/// A question whose 304 says that there is no next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// The target of page N+1.
    pub target: String,
    /// The bytes of an empty page N+1, to compute the validator of.
    pub empty: Vec<u8>,
}

/// Items on a page if the request does not say.
const DEFAULT_PER_PAGE: usize = 30;
/// More are never given.
const MAX_PER_PAGE: usize = 100;

/// Looks at the end of a list: `target` is what was asked (path and query), `has_next` whether its
/// `Link` has a next page.
///
/// A list is an array, or an object with `total_count` and one array. A commit and a comparison are objects whose files
/// and commits are paged all the same.
pub fn tail(target: &str, body: &[u8], has_next: bool) -> Tail {
    let Some(list) = List::of(body) else {
        return if !has_next && may_be_cut(target, body) {
            Tail::Full { probe: None }
        } else {
            Tail::NotAList
        };
    };
    if has_next {
        return Tail::HasNext;
    }
    let target = canonical_target(target);
    let per_page = per_page(&target);
    if list.items == per_page {
        let probe = next_page(&target).zip(list.empty);
        return Tail::Full {
            probe: probe.map(|(target, empty)| Probe { target, empty }),
        };
    }
    // More than a page holds: GitHub does not page this list, or in pages whose size we do not know.
    // A round number could be such a size.
    if list.items > per_page && list.items.is_multiple_of(50) {
        return Tail::Full { probe: None };
    }
    Tail::Partial
}

/// Commits or files of which GitHub shows so many at least before it pages an object that holds them.
const LONG_PART: usize = 250;

/// Whether a commit or a comparison holds as many files or commits as one page does.
fn may_be_cut(target: &str, body: &[u8]) -> bool {
    let target = canonical_target(target);
    let path = Path::of(&target);
    let is_paged = match path.as_ref().map(Path::segments) {
        Some(["repos", _, _, rest @ ..] | ["repositories", _, rest @ ..]) => {
            matches!(rest, ["compare", ..] | ["commits", _, ..])
        }
        _ => false,
    };
    if !is_paged {
        return false;
    }
    let asks = |name| parameter(&target, name).is_some();
    let page = if asks("page") || asks("per_page") {
        per_page(&target)
    } else {
        LONG_PART
    };
    let mut parts = json::members(body).filter(|member| member.value.first() == Some(&b'['));
    parts.any(|part| json::count_items(part.value).is_some_and(|items| items >= page))
}

/// A list in a body.
struct List {
    items: usize,
    /// The body of an empty page; `None` if that cannot be known.
    empty: Option<Vec<u8>>,
}

impl List {
    fn of(body: &[u8]) -> Option<Self> {
        if let Some(items) = json::count_items(body) {
            return Some(Self {
                items,
                empty: Some(b"[]".to_vec()),
            });
        }
        let mut array = None;
        let mut has_total = false;
        let mut is_flat = true;
        let mut members = json::members(body);
        for member in &mut members {
            match member.value.first() {
                Some(b'[') if array.is_some() => return None,
                Some(b'[') => array = Some(member.value),
                // What else is in there may be different on another page.
                Some(b'{') => is_flat = false,
                _ => has_total |= member.name == b"total_count",
            }
        }
        let array = array.filter(|_| has_total && members.is_whole())?;
        let start = array.as_ptr().addr() - body.as_ptr().addr();
        let empty = || {
            let end = start + array.len();
            [&body[..start], b"[]", &body[end..]].concat()
        };
        Some(Self {
            items: json::count_items(array)?,
            empty: is_flat.then(empty),
        })
    }
}

/// Items on a page of `target`.
fn per_page(target: &str) -> usize {
    // Variables are the one list with pages of its own size (10, at most 30).
    let path = Path::of(target);
    let segments = path.as_ref().map_or(&[][..], Path::segments);
    let (default, max) = match segments {
        [.., "variables"] => (10, 30),
        _ => (DEFAULT_PER_PAGE, MAX_PER_PAGE),
    };
    parameter(target, "per_page")
        .and_then(|value| value.parse().ok())
        .filter(|&asked: &usize| asked > 0)
        .map_or(default, |asked| asked.min(max))
}

/// The target of the page after that of `target`; `None` when the list is paged by a cursor.
fn next_page(target: &str) -> Option<String> {
    const CURSORS: [&str; 5] = ["after", "before", "cursor", "since_id", "page_token"];
    if CURSORS
        .iter()
        .any(|cursor| parameter(target, cursor).is_some())
    {
        return None;
    }
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    // These are paged by the last id seen.
    if matches!(path, "/repositories" | "/users" | "/organizations") {
        return None;
    }
    let Some(page) = parameter(target, "page") else {
        let joint = if target.contains('?') { '&' } else { '?' };
        return Some(format!("{target}{joint}page=2"));
    };
    let next = page.parse::<u32>().ok()?.max(1).checked_add(1)?;
    let start = page.as_ptr().addr() - target.as_ptr().addr();
    let end = start + page.len();
    Some(format!("{}{next}{}", &target[..start], &target[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(items: usize) -> Vec<u8> {
        format!("[{}]", vec![r#"{"a":[1,2]}"#; items].join(",")).into_bytes()
    }

    fn probe(target: &str, body: &[u8]) -> Option<(String, String)> {
        match tail(target, body, false) {
            Tail::Full { probe } => {
                probe.map(|probe| (probe.target, String::from_utf8(probe.empty).unwrap()))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_a_list_hides_nothing() {
        for body in [
            "",
            "{}",
            "null",
            "[1,2",
            r#"{"topics":[1]}"#,
            r#"{"total_count":1}"#,
            r#"{"total_count":1,"a":[1],"b":[2]}"#,
            r#"{"total_count":1,"a":[1]"#,
            r#"{"total_count":{},"a":[1]}"#,
        ] {
            assert_eq!(tail("/x", body.as_bytes(), false), Tail::NotAList, "{body}");
        }
    }

    #[test]
    fn a_list_is_full_when_it_holds_what_was_asked_for() {
        for (target, items, is_full) in [
            ("/x", 29, false),
            ("/x", 30, true),
            ("/x?per_page=50", 49, false),
            ("/x?per_page=50", 50, true),
            ("/x?per_page=1000", 100, true),
            ("/x?per_page=0", 30, true),
            ("/x?per_page=all", 30, true),
            ("/x?per_page=2&per_page=3", 3, true),
            ("/x?per%5Fpage=3", 3, true),
            ("/x", 31, false),
            ("/x", 100, true),
            ("/repos/o/r/actions/variables", 10, true),
            ("/repos/o/r/actions/variables?per_page=100", 30, true),
            ("/x?per_page=1", 0, false),
        ] {
            let found = matches!(tail(target, &array(items), false), Tail::Full { .. });
            assert_eq!(found, is_full, "{target} {items}");
        }
        assert_eq!(tail("/x", &array(30), true), Tail::HasNext);
        assert_eq!(tail("/x", &array(3), true), Tail::HasNext);
    }

    #[test]
    fn the_files_of_a_commit_may_go_on_without_a_list_around_them() {
        let body = |files: usize, commits: usize| {
            let part = |many: usize| vec!["{}"; many].join(",");
            format!(
                r#"{{"sha":"x","files":[{}],"commits":[{}]}}"#,
                part(files),
                part(commits)
            )
        };
        let full = Tail::Full { probe: None };
        for (target, files, commits, expected) in [
            ("/repos/o/r/commits/main", 300, 0, &full),
            ("/repos/o/r/commits/main", 249, 0, &Tail::NotAList),
            ("/repos/o/r/commits/main?page=2", 30, 0, &full),
            ("/repos/o/r/compare/a...b", 300, 40, &full),
            ("/repos/o/r/compare/a...b", 20, 250, &full),
            ("/repositories/7/compare/a...b?per_page=5", 2, 5, &full),
            ("/repos/o/r/compare/a...b?per_page=5", 2, 4, &Tail::NotAList),
            ("/repos/o/r/check-runs/1", 300, 300, &Tail::NotAList),
        ] {
            let body = body(files, commits);
            assert_eq!(&tail(target, body.as_bytes(), false), expected, "{target}");
        }
        let long = body(300, 0);
        let shown = tail("/repos/o/r/commits/main", long.as_bytes(), true);
        assert_eq!(shown, Tail::NotAList, "its link is part of the answer");
    }

    #[test]
    fn the_probe_asks_for_the_next_page_and_changes_nothing_else() {
        for (target, next) in [
            ("/x", "/x?page=2"),
            ("/x?a=b", "/x?a=b&page=2"),
            ("/x?page=7&a=b", "/x?page=8&a=b"),
            ("/x?page=1&page=3", "/x?page=1&page=4"),
            ("/x?page=0", "/x?page=2"),
            ("/x?since=2026-01-01", "/x?since=2026-01-01&page=2"),
        ] {
            let found = probe(target, &array(30)).unwrap();
            assert_eq!(found, (next.to_owned(), "[]".to_owned()));
        }
        for target in [
            "/x?after=abc",
            "/x?before=abc",
            "/x?cursor=1",
            "/x?page=4294967295",
            "/x?page=a",
            "/x?page=",
            "/users?since=4",
            "/repositories",
            "/x?page=-1",
        ] {
            assert_eq!(probe(target, &array(30)), None, "{target}");
        }
    }

    #[test]
    fn an_empty_page_of_an_object_has_the_same_bytes_around() {
        let body = r#"{"total_count":1, "incomplete_results":false,"items": [{"a":"]"}],"z":1}"#;
        let (_, empty) = probe("/x?per_page=1", body.as_bytes()).unwrap();
        assert_eq!(
            empty,
            r#"{"total_count":1, "incomplete_results":false,"items": [],"z":1}"#
        );
        let status = br#"{"total_count":1,"statuses":[{}],"repository":{}}"#;
        assert_eq!(probe("/x?per_page=1", status), None);
    }
}
