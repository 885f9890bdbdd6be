//! The formula against vectors of our own and against `PyGithub`'s recordings.

use std::collections::BTreeSet;

use ghswarm_lab::etag::{VARY, VARY_ANONYMOUS, VARY_MORE, formula};
use ghswarm_lab::replay::{self, Exchange};
use http::{HeaderMap, HeaderName};
use serde_json::Value;

use crate::outside;

#[test]
fn vectors_hold() {
    let text = include_str!("../data/etags.json");
    let rows: Vec<Value> = serde_json::from_str(text).unwrap();
    for row in &rows {
        let mut request = HeaderMap::new();
        for pair in row["request"].as_array().unwrap() {
            let name = HeaderName::try_from(pair[0].as_str().unwrap()).unwrap();
            request.append(name, pair[1].as_str().unwrap().parse().unwrap());
        }
        let body = row["body"].as_str().unwrap().as_bytes();
        assert_eq!(
            formula(row["vary"].as_str().unwrap(), &request, body),
            row["etag"],
            "{row}"
        );
    }
    assert!(rows.len() >= 6);
}

/// The recorded ETag if it is of the kind that the formula makes.
fn recorded(exchange: &Exchange) -> Option<&str> {
    let tag = exchange.response_header("etag").next()?;
    let tag = tag.trim_start_matches("W/").trim_matches('"');
    let hashed = tag.len() == 64 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hashed && exchange.status == 200).then_some(tag)
}

/// The formula where only `Accept` counts: as sent, or `*/*` as the client sends without one.
fn by_accept(exchange: &Exchange) -> [String; 2] {
    let body = exchange.response_body.as_bytes();
    ["*/*", exchange.request_header("accept").unwrap_or("*/*")].map(|accept| {
        let mut request = HeaderMap::new();
        request.insert("accept", accept.parse().unwrap());
        formula(VARY_ANONYMOUS, &request, body)
    })
}

#[test]
fn recorded_etags_are_the_formulas() {
    let Some(folder) = outside::path("GHSWARM_REPLAY_DATA", "PyGithub recordings") else {
        return;
    };
    let all = replay::folder(&folder).unwrap();
    assert!(all.len() > 2000, "{} exchanges", all.len());
    let mut hits = 0;
    let mut of_apps = 0;
    for exchange in &all {
        let Some(tag) = recorded(exchange) else {
            continue;
        };
        if by_accept(exchange).iter().any(|made| made == tag) {
            hits += 1;
            of_apps += usize::from(exchange.path.starts_with("/app"));
        }
    }
    println!("{hits} recorded ETags reproduced, {of_apps} of them of Apps");
    assert!(hits >= 30, "only {hits} ETags");
    assert!(of_apps >= 1, "no ETag of an App");
}

#[test]
fn recorded_vary_lines_are_ours() {
    let Some(folder) = outside::path("GHSWARM_REPLAY_DATA", "PyGithub recordings") else {
        return;
    };
    let ours: BTreeSet<String> = [
        format!("{VARY}, {VARY_MORE}"),
        format!("{VARY_ANONYMOUS}, {VARY_MORE}"),
    ]
    .iter()
    .map(|line| names(line))
    .collect();
    let mut same = 0;
    let mut total = 0;
    for exchange in replay::folder(&folder).unwrap() {
        // The split lines are of the last years, as are the long ETags.
        if exchange.verb != "GET" || recorded(&exchange).is_none() {
            continue;
        }
        let lines: Vec<&str> = exchange.response_header("vary").collect();
        let set = names(&lines.join(", "));
        if !set.contains("x-requested-with") {
            continue;
        }
        total += 1;
        same += usize::from(ours.contains(&set));
    }
    println!("{same} of {total} recorded Vary sets are ours");
    assert!(total > 50, "only {total} answers with the new Vary");
    assert!(
        same * 10 >= total * 9,
        "only {same} of {total} Vary sets are ours"
    );
}

/// The names of a `Vary` value, sorted; the newest name is left out.
fn names(vary: &str) -> String {
    let names = vary.split(',').map(|name| name.trim().to_ascii_lowercase());
    let set: BTreeSet<String> = names.filter(|name| name != "x-github-openapi").collect();
    set.into_iter().collect::<Vec<_>>().join(",")
}
