use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::stats::{Hits, Latency, OriginCalls, PeerCounts};
use crate::time::Timestamp;

/// What the runner takes of one step.
const LIMIT: usize = 1 << 20;
/// Text that tries to be more than text, in every language of the page.
const HOSTILE: &str = "x` | y |\n\n# h\r\n| - | - |\n```\nclick A \"javascript:alert(1)\"\n</details><img src=x onerror=y> \
                       [a](https://evil.example) ![b](c) @octocat www.evil.example <!-- \u{202e}\u{200b}\u{feff} %% :::{} $`z`$ ::error::q \\";

fn peer(id: &str, standing: &str) -> Peer {
    Peer {
        peer_id: id.to_owned(),
        standing: standing.to_owned(),
        ..Peer::default()
    }
}

/// The numbers of a job that used everything.
fn counted() -> Snapshot {
    Snapshot {
        requests: 1420,
        hits: Hits {
            memory: 1000,
            disk: 100,
            peer: 10,
        },
        revalidated: 150,
        coalesced: 20,
        misses: 101,
        stale: 3,
        passed_through: 35,
        failed: 1,
        origin: OriginCalls {
            requests: 286,
            counted: 104,
            free_304: 150,
            secondary_points: 300,
        },
        saved_calls: 1231,
        hit_rate: 0.927,
        entries: 310,
        uptime_seconds: 754,
        latency_ms: BTreeMap::from([
            (
                "memory".to_owned(),
                Latency {
                    p50: 0.011,
                    p99: 0.4,
                },
            ),
            (
                "miss".to_owned(),
                Latency {
                    p50: 180.0,
                    p99: 912.6,
                },
            ),
        ]),
        ..Snapshot::default()
    }
}

/// What others chose ends in `word`.
fn named(mut statistics: Snapshot, word: &str) -> Snapshot {
    let named = |name: &str| format!("{name}{word}");
    statistics.budget = vec![
        json!({"kind": "user", "resource": named("core"), "limit": 5000, "remaining": 4000, "reset": 1_000_090}),
        json!({"kind": "installation", "resource": named("graphql"), "limit": 1000, "remaining": 12, "reset": 1_003_599}),
        json!({"kind": "address", "resource": "search", "limit": 10, "remaining": 0, "reset": 5}),
        json!({"kind": named("odd")}),
    ];
    let routes = [("get_repo_info", 900, 890), ("list_workflows", 400, 320)];
    let route = |(name, requests, saved)| Route {
        name: named(name),
        requests,
        saved,
    };
    statistics.routes = routes.map(route).into();
    statistics.reasons = BTreeMap::from([
        ("peer-candidate-confirmed".to_owned(), 120),
        ("peer-given".to_owned(), 44),
        ("not-shared-private".to_owned(), 7),
        ("not-shared-of-caller".to_owned(), 9),
        ("unknown-header".to_owned(), 4),
        ("daemon-restarted".to_owned(), 1),
        ("disk-full".to_owned(), 1234),
        (named("whatever"), 5),
    ]);
    statistics.peers = PeerCounts {
        connected: 2,
        known: 4,
        refused: BTreeMap::from([(named("other-pool"), 2)]),
    };
    statistics
}

/// A job that used everything; `word` is what others chose.
fn busy(word: &str) -> Facts {
    let named_so = |name: &str| format!("{name}{word}");
    let connected = Peer {
        admission: Some(named_so("ticket")),
        rtt_ms: Some(1.25),
        confirmed: 120,
        ..peer(&named_so("12D3KooWA"), "connected")
    };
    let refused = Peer {
        reason: Some(named_so("other-pool")),
        refuted: 1,
        ..peer(&named_so("12D3KooWB"), &named_so("refused"))
    };
    Facts {
        source: Source::Daemon,
        statistics: named(counted(), word),
        sharing: Some(Sharing {
            peer_id: named_so("12D3KooWC"),
            pool: named_so("octo-org/app"),
            multiaddrs: vec![named_so("/ip4/10.0.0.1/tcp/9000")],
            peers: vec![refused, connected],
        }),
        problems: vec![Problem::new(
            &format!("the pool x{word} is `x{word}`"),
            "give both machines the same `--pool`",
        )],
        now: Timestamp::from_secs(1_000_000),
    }
}

fn page(facts: &Facts) -> String {
    Report::of(facts).markdown()
}

/// What a page is made of besides text: each line without its code spans, entities and words.
fn skeleton(page: &str) -> Vec<String> {
    page.lines()
        .map(|line| {
            assert_eq!(
                line.matches('`').count() % 2,
                usize::from(line.starts_with("```")),
                "{line}"
            );
            let outside: String = line.split('`').step_by(2).collect();
            outside
                .replace("<!-- -->", "")
                .chars()
                .filter(|letter| "|#<>[]*_!$~\\{}:-".contains(*letter))
                .collect()
        })
        .collect()
}

#[test]
fn the_page_is_the_one_that_was_looked_at() {
    // The second one is what `tests/it/summary/read.rs` has GitHub's own parser look at.
    let seen = [
        ("", include_str!("../../../tests/data/summary/page.md")),
        (
            HOSTILE,
            include_str!("../../../tests/data/summary/hostile.md"),
        ),
    ];
    for (word, seen) in seen {
        let page = page(&busy(word));
        assert_eq!(page, seen, "\n{page}");
    }
}

#[test]
fn the_log_has_the_facts_by_their_old_names() {
    let lines = Report::of(&busy("")).log();
    for line in [
        "Total requests: 1,420",
        "Cache hits: 1,283",
        "Cache misses: 101",
        "Peer hits: 10",
        "Hit rate: 92.7 %",
        "API calls saved: 1,231",
        "Connected peers: 2",
        "Refused peers, other-pool: 2",
        "Budget graphql of installation: 12 of 1,000 left, full again in 59 min 59 s",
    ] {
        assert!(
            lines.iter().any(|found| found == line),
            "{line}\n{lines:#?}"
        );
    }
}

#[test]
fn words_of_others_add_no_structure() {
    let (plain, hostile) = (busy("z"), busy(HOSTILE));
    let (seen, shown) = (page(&plain), page(&hostile));
    // The one text that is prose shows other punctuation; it is looked at below.
    let without_prose = |page: &str| -> Vec<_> {
        let lines = page.lines().filter(|line| !line.contains("the pool "));
        skeleton(&lines.collect::<Vec<_>>().join("\n"))
    };
    assert_eq!(without_prose(&seen), without_prose(&shown), "{shown}");
    let prose = shown
        .lines()
        .find(|line| line.contains("the pool "))
        .unwrap();
    let outside: String = prose
        .split('`')
        .step_by(2)
        .collect::<String>()
        .replace("<!-- -->", "");
    assert_eq!(outside.matches('|').count(), 3, "{prose}");
    assert!(
        !outside.contains(['<', '>', '[', ']', '!', '*', '_', '\\', '$', '@']),
        "{prose}"
    );
    assert!(
        !outside.contains("://") || !prose.contains("http:/"),
        "{prose}"
    );
    for hidden in ['\u{202e}', '\u{200b}', '\u{feff}', '\r'] {
        assert!(!shown.contains(hidden), "{hidden:?}");
    }
    assert_eq!(seen.lines().count(), shown.lines().count());
    for line in Report::of(&hostile).log() {
        assert!(!line.contains(['\n', '\r', '\u{202e}']), "{line}");
    }
}

/// The grammar of a pie (<https://mermaid.js.org/syntax/pie.html>), as strict as it is documented.
#[test]
fn the_chart_is_a_valid_pie() {
    let facts = [busy(HOSTILE), busy("")];
    for facts in facts {
        let page = page(&facts);
        let (_, rest) = page.split_once("```mermaid\n").unwrap();
        let (chart, _) = rest.split_once("\n```\n").unwrap();
        let mut lines = chart.lines();
        assert_eq!(lines.next(), Some("pie showData"));
        assert_eq!(lines.next(), Some("    title Where answers came from"));
        let mut sum = 0;
        for line in lines {
            let (label, value) = line
                .strip_prefix("    \"")
                .unwrap()
                .split_once("\" : ")
                .unwrap();
            let word = |letter: char| letter.is_ascii_lowercase() || " ,GH".contains(letter);
            assert!(label.chars().all(word), "{label}");
            let value: u64 = value.parse().unwrap();
            assert!(value > 0, "{line}");
            sum += value;
        }
        assert_eq!(sum, facts.statistics.requests);
    }
    assert!(!page(&Facts::default()).contains("mermaid"));
}

#[test]
fn a_page_has_bounds_whatever_is_counted() {
    let mut facts = busy(&"\u{1d54f}|`<".repeat(2000));
    let many = |number: usize| format!("{number}{}", "&|".repeat(5000));
    facts.statistics.routes = (0..20_000)
        .map(|number| Route {
            name: many(number),
            requests: 1,
            saved: 1,
        })
        .collect();
    facts.statistics.reasons = (0..5000).map(|number| (many(number), 1)).collect();
    facts.statistics.peers.refused = (0..5000).map(|number| (many(number), 1)).collect();
    facts.statistics.budget = (0..500)
        .map(|number| json!({"resource": many(number), "kind": many(number), "limit": 5, "remaining": 1, "reset": u64::MAX}))
        .collect();
    facts.problems = (0..500)
        .map(|number| Problem::new(&many(number), &many(number)))
        .collect();
    let sharing = facts.sharing.as_mut().unwrap();
    sharing.peers = (0..5000)
        .map(|number| peer(&many(number), &many(number)))
        .collect();
    let page = page(&facts);
    assert!(page.len() < LIMIT / 4, "{}", page.len());
    assert!(page.contains("and 19,988 more"), "{page}");
}

#[test]
fn who_did_nothing_says_so_and_what_to_do() {
    let page = page(&Facts::default());
    assert!(page.contains("No request came to the cache"), "{page}");
    assert!(page.contains("GH&#95;CONFIG&#95;DIR"), "{page}");
    assert!(
        !page.contains("### Peers") && !page.contains("Budget"),
        "{page}"
    );
}

#[test]
fn nothing_is_said_to_be_saved_that_was_not() {
    let mut facts = busy("");
    facts.statistics.saved_calls = 0;
    assert!(
        Report::of(&facts)
            .headline()
            .starts_with("No call was saved yet")
    );
    facts.statistics.saved_calls = 1;
    facts.statistics.origin.counted = 3;
    let report = Report::of(&facts);
    assert_eq!(
        report.headline(),
        "1 GitHub API call saved: GitHub counted 3 where it would have counted 4 (25.0 % fewer)."
    );
}

#[test]
fn the_json_has_the_statistics_and_what_they_mean() {
    let facts = busy("");
    let shown = serde_json::to_value(Report::of(&facts)).unwrap();
    let statistics = serde_json::to_value(&facts.statistics).unwrap();
    for (name, value) in statistics.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    let summary = &shown["summary"];
    assert_eq!(summary["calls"]["without_cache"], 1335);
    assert_eq!(summary["answers"]["peer_answers_confirmed"], 120);
    assert_eq!(summary["budget"][0]["full_in_seconds"], 3599);
    assert_eq!(summary["budget"][2]["full_in_seconds"], 0);
    assert_eq!(summary["sharing"]["peers"][0]["standing"], "connected");
    assert_eq!(summary["not_shared"][0]["reason"], "not-shared-of-caller");
    assert_eq!(summary["problems"].as_array().unwrap().len(), 3);
}

#[test]
fn numbers_that_were_found_on_disk_are_said_to_be() {
    let facts = Facts {
        source: Source::Counters,
        ..busy("")
    };
    assert!(page(&facts).contains("wrote down last"), "{}", page(&facts));
    assert!(!page(&busy("")).contains("wrote down last"));
}
