use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn keys(text: &str) -> Vec<(&'static str, Value, u64)> {
    let (entries, wrong) = read(text.as_bytes());
    assert_eq!(wrong, [], "{text}");
    let key = |entry: Entry| (entry.row.name.as_str(), entry.value, entry.line);
    entries.into_iter().map(key).collect()
}

fn wrong(text: &str) -> Vec<Wrong> {
    read(text.as_bytes()).1
}

#[test]
fn values_have_their_keys_and_lines() {
    let text =
        "# a comment\ncache:\n  enabled: no\n  max_size: 5\n\np2p: {bootstrap_peers: [a, 2]}\n";
    let list = Value::List(vec![Value::Text("a".into()), Value::Number("2".into())]);
    assert_eq!(
        keys(text),
        [
            ("cache.enabled", Value::Boolean(false), 3),
            ("cache.max_size", Value::Number("5".into()), 4),
            ("p2p.bootstrap_peers", list, 6),
        ]
    );
    for nothing in ["", "# only a comment\n", "---\n", "cache:\n", "~"] {
        assert_eq!(keys(nothing), [], "{nothing}");
    }
}

#[test]
fn references_inside_a_file_are_followed() {
    let text = "operation_ttls:\n  list_repos: &long 900\n  list_workflows: *long\n";
    let nine_hundred = Value::Number("900".into());
    let (_, value, line) = keys(text).pop().unwrap();
    assert_eq!((value, line), (nine_hundred, 3));
}

#[test]
fn all_that_is_wrong_is_named_with_its_line_and_what_was_meant() {
    let found = wrong(
        "cache:\n  max-size: 5\n  max_size: 5\nchace: {}\noperation_ttls:\n  list_repo: 5\n\
         max_size: 7\np2p: yes\ncache.enabled: true\nzzzzzzzz: 1\n",
    );
    let told: Vec<_> = found
        .iter()
        .map(|wrong| (wrong.line, wrong.key.as_str(), wrong.reason.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (
                2,
                "cache.max-size",
                "no such key (did you mean \"max_size\"?)"
            ),
            (4, "chace", "no such key (did you mean \"cache\"?)"),
            (
                6,
                "operation_ttls.list_repo",
                "no such key (did you mean \"list_repos\"?)"
            ),
            (
                7,
                "max_size",
                "no such key (did you mean \"cache.max_size\"?)"
            ),
            (8, "p2p", "a section with keys of its own is expected"),
            (
                9,
                "cache.enabled",
                "no such key: each word before a dot is a section of its own"
            ),
            (10, "zzzzzzzz", "no such key"),
        ]
    );
}

#[test]
fn what_is_no_yaml_or_says_a_thing_twice_is_refused_with_its_line() {
    for (text, line) in [
        ("cache:\n  enabled: true\n  enabled: true\n", 3),
        ("cache: {}\ncache: {}\n", 2),
        ("cache:\n  max_size: [\n", 3),
        ("a: 1\n---\nb: 2\n", 2),
        ("- a\n- b\n", 1),
        ("just words", 1),
    ] {
        let found = wrong(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].line.abs_diff(line) <= 1, "{text}: {found:?}");
    }
    assert_eq!(read(b"cache: \xff").1.len(), 1);
}

#[test]
fn nothing_of_the_file_is_in_an_error_but_its_keys() {
    for text in [
        "cache:\n  max_size: [hunter2\n",
        "hunter2: [",
        "a: 'hunter2",
        "hunter2",
    ] {
        let found = wrong(text);
        assert!(
            !found.is_empty() && !format!("{found:?}").contains("hunter2"),
            "{found:?}"
        );
    }
}

/// Every reference repeats ten of the one before: 10^9 in all.
fn laughs() -> String {
    let mut text = "a0: &a0 [lol, lol]\n".to_owned();
    for level in 1..10 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        let _ = writeln!(text, "a{level}: &a{level} [{items}]");
    }
    text
}

/// Written to exhaust whoever reads it; each is refused, and soon.
#[test]
fn a_file_that_is_a_trap_costs_little() {
    let before = Instant::now();
    let (mut deep_block, mut many_keys) = (String::new(), String::new());
    for level in 0..2000 {
        let _ = writeln!(deep_block, "{}a:", " ".repeat(level));
    }
    for key in 0..100_000 {
        let _ = writeln!(many_keys, "k{key}: 1");
    }
    let traps = [
        laughs(),
        format!("a: {}", "[".repeat(100_000)),
        format!("a: {}", "{a: ".repeat(100_000)),
        "- ".repeat(100_000),
        deep_block,
        format!("? {}", "? ".repeat(100_000)),
        format!("a: {}", "!!x ".repeat(10_000)),
        "a: &a\n  b: *a\n".to_owned(),
        "a: &a {<<: *a}\n".to_owned(),
        "---\n".repeat(100_000),
        "a:\n".repeat(300_000),
        many_keys,
        "&a ".repeat(100_000),
        format!("cache: {{max_size: {}}}", "9".repeat(1 << 19)),
        format!("cache: {{directory: \"{}\"}}", "x".repeat(1 << 19)),
        format!("{}: 1", "k".repeat(1 << 19)),
    ];
    for trap in &traps {
        let (entries, wrong) = read(trap.as_bytes());
        let long_scalar = entries.len() == 1;
        assert!(
            long_scalar || !wrong.is_empty(),
            "{}",
            &trap[..40.min(trap.len())]
        );
    }
    // Under a second in all here; a trap that works takes minutes.
    assert!(
        before.elapsed() < Duration::from_secs(30),
        "{:?}",
        before.elapsed()
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
    }

    #[test]
    fn anything_that_looks_like_yaml_is_read_without_a_panic(
        text in "([ ]{0,3}(cache|p2p|enabled|[a-z&*!?|>%@<\"'-]{1,3}):?[ ]?([\\[{},]|&a|\\*a|5|yes|~)?\n?){0,30}"
    ) {
        let (entries, _) = read(text.as_bytes());
        for entry in entries {
            let _ = entry.row.kind.read(&entry.value);
        }
    }
}
