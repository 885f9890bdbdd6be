//! The statistics in Prometheus' text format.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::fmt::{Display, Write as _};

use super::{Snapshot, Validators};

/// The `Content-Type` of the format.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All numbers of `snapshot`, aliases left out: they would count twice in a sum.
pub fn text(snapshot: &Snapshot) -> String {
    let mut page = Page(String::with_capacity(4096));
    counters(&mut page, snapshot);
    gauges(&mut page, snapshot);
    tables(&mut page, snapshot);
    page.0
}

fn counters(page: &mut Page, shown: &Snapshot) {
    page.counter("requests", "Requests of clients.", shown.requests);
    page.begin("hits_total", "counter", "Served without asking GitHub.");
    for (tier, count) in [
        ("memory", shown.hits.memory),
        ("disk", shown.hits.disk),
        ("peer", shown.hits.peer),
    ] {
        page.row("hits_total", &[("tier", tier)], count);
    }
    let origin = &shown.origin;
    for (name, help, count) in [
        ("revalidated", "Served after a free 304.", shown.revalidated),
        (
            "coalesced",
            "Served from another request's answer.",
            shown.coalesced,
        ),
        ("misses", "Fetched from GitHub.", shown.misses),
        ("stale", "Served although no longer fresh.", shown.stale),
        (
            "passed_through",
            "Handed through unchanged.",
            shown.passed_through,
        ),
        ("failed", "Answered with an error of our own.", shown.failed),
        (
            "origin_requests",
            "Requests sent to GitHub.",
            origin.requests,
        ),
        (
            "origin_counted",
            "Requests that GitHub counted.",
            origin.counted,
        ),
        (
            "origin_free_304",
            "Conditional requests answered 304, for free.",
            origin.free_304,
        ),
        (
            "origin_secondary_points",
            "Points of the secondary limits.",
            origin.secondary_points,
        ),
        (
            "evictions",
            "Entries that made room for others.",
            shown.evictions,
        ),
    ] {
        page.counter(name, help, count);
    }
}

fn gauges(page: &mut Page, shown: &Snapshot) {
    // Saved calls go down when a call is counted that nobody asked for: a gauge, by its nature. The
    // contract says counters end in `_total`, and this is not one.
    page.gauge(
        "saved_calls",
        "Calls that GitHub would have counted without us.",
        shown.saved_calls,
    );
    page.gauge(
        "hit_rate",
        "Share of cacheable requests that cost no call.",
        shown.hit_rate,
    );
    page.gauge("entries", "Entries held.", shown.entries);
    page.gauge("bytes", "Bytes held.", shown.bytes);
    page.gauge("peers_connected", "Peers connected.", shown.peers.connected);
    page.gauge("peers_known", "Peers known.", shown.peers.known);
    page.gauge(
        "uptime_seconds",
        "Seconds since the start.",
        shown.uptime_seconds,
    );
}

fn tables(page: &mut Page, shown: &Snapshot) {
    page.begin(
        "peers_refused_total",
        "counter",
        "Peers refused, by reason.",
    );
    for (reason, count) in &shown.peers.refused {
        page.row("peers_refused_total", &[("reason", reason)], *count);
    }
    page.begin("route_requests_total", "counter", "Requests by operation.");
    for route in &shown.routes {
        page.row(
            "route_requests_total",
            &[("route", &route.name)],
            route.requests,
        );
    }
    page.begin(
        "route_saved_total",
        "counter",
        "Requests that cost no call, by operation.",
    );
    for route in &shown.routes {
        page.row("route_saved_total", &[("route", &route.name)], route.saved);
    }
    page.begin(
        "reasons_total",
        "counter",
        "Bypassed, not stored, refused: why.",
    );
    for (reason, count) in &shown.reasons {
        page.row("reasons_total", &[("reason", reason)], *count);
    }
    page.begin(
        "latency_milliseconds",
        "gauge",
        "Time from request to answer.",
    );
    for (tier, latency) in &shown.latency_ms {
        for (quantile, value) in [("0.5", latency.p50), ("0.99", latency.p99)] {
            page.row(
                "latency_milliseconds",
                &[("tier", tier), ("quantile", quantile)],
                value,
            );
        }
    }
    validators(page, &shown.validators);
    budget(page, &shown.budget);
}

fn validators(page: &mut Page, rows: &[Validators]) {
    type Number = fn(&Validators) -> u32;
    let gauges: [(&str, &str, Number); 3] = [
        (
            "validators_checked",
            "Validators compared with the formula.",
            |row| row.checked,
        ),
        (
            "validators_matched",
            "Those that were the computed ones.",
            |row| row.matched,
        ),
        (
            "validators_trusted",
            "1: computed validators are asked with.",
            |row| u32::from(row.trusted),
        ),
    ];
    for (name, help, number) in gauges {
        page.begin(name, "gauge", help);
        for row in rows {
            let labels = [("host", row.host.as_str()), ("operation", &row.operation)];
            page.row(name, &labels, number(row));
        }
    }
}

/// Budgets are rows that others define: their numbers become gauges, their words labels.
fn budget(page: &mut Page, rows: &[serde_json::Value]) {
    let mut samples: std::collections::BTreeMap<&str, Vec<(usize, f64)>> =
        std::collections::BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        for (name, value) in row.as_object().into_iter().flatten() {
            if let Some(number) = value.as_f64() {
                samples.entry(name).or_default().push((index, number));
            }
        }
    }
    for (name, values) in samples {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !name.bytes().all(plain) {
            continue;
        }
        let name = format!("budget_{name}");
        page.begin(&name, "gauge", "A budget that GitHub reported.");
        for (index, value) in values {
            let words: Vec<_> = rows[index]
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(label, _)| label.bytes().all(plain))
                .filter_map(|(label, value)| Some((label.as_str(), value.as_str()?)))
                .collect();
            page.row(&name, &words, value);
        }
    }
}

struct Page(String);

impl Page {
    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let name = format!("{name}_total");
        self.begin(&name, "counter", help);
        self.row(&name, &[], value);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.begin(name, "gauge", help);
        self.row(name, &[], value);
    }

    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            self.0,
            "# HELP ghswarm_{name} {help}\n# TYPE ghswarm_{name} {kind}\n"
        );
    }

    fn row(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "ghswarm_{name}");
        for (index, (label, text)) in labels.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let text = text
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _ = write!(self.0, "{open}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Hits, Latency, Route};
    use super::*;

    fn full() -> Snapshot {
        let mut shown = Snapshot {
            requests: 7,
            hits: Hits {
                memory: 1,
                disk: 2,
                peer: 3,
            },
            hit_rate: 0.5,
            budget: vec![serde_json::json!({"resource": "core", "remaining": 41})],
            routes: vec![Route {
                name: "get_repo_info".to_owned(),
                requests: 5,
                saved: 4,
            }],
            validators: vec![Validators {
                host: "api.github.com".to_owned(),
                operation: "jobs".to_owned(),
                checked: 3,
                matched: 2,
                trusted: true,
            }],
            ..Snapshot::default()
        };
        shown.reasons.insert("a\"b\\c\nd".to_owned(), 1);
        shown.latency_ms.insert(
            "memory".to_owned(),
            Latency {
                p50: 0.25,
                p99: 1.0,
            },
        );
        shown
    }

    #[test]
    fn every_number_has_a_line() {
        let text = text(&full());
        for line in [
            "# TYPE ghswarm_requests_total counter",
            "ghswarm_requests_total 7",
            "ghswarm_hits_total{tier=\"peer\"} 3",
            "ghswarm_hit_rate 0.5",
            "ghswarm_route_saved_total{route=\"get_repo_info\"} 4",
            "ghswarm_reasons_total{reason=\"a\\\"b\\\\c\\nd\"} 1",
            "ghswarm_latency_milliseconds{tier=\"memory\",quantile=\"0.99\"} 1",
            "ghswarm_validators_matched{host=\"api.github.com\",operation=\"jobs\"} 2",
            "ghswarm_budget_remaining{resource=\"core\"} 41",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn every_field_of_the_json_is_there() {
        let text = text(&full());
        let json = serde_json::to_value(full()).unwrap();
        let aliases = [
            "local_hits",
            "peer_hits",
            "api_calls_saved",
            "cache_size",
            "connected_peers",
        ];
        for name in json.as_object().unwrap().keys() {
            let singular = match name.as_str() {
                "latency_ms" => "latency",
                "routes" => "route",
                name => name,
            };
            let found = text.contains(&format!("ghswarm_{singular}"));
            assert!(found || aliases.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn every_sample_follows_its_own_help_and_type() {
        let mut declared = String::new();
        for line in text(&full()).lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                rest.split(' ').next().unwrap().clone_into(&mut declared);
            } else if !line.starts_with('#') {
                assert_eq!(
                    line.split(['{', ' ']).next(),
                    Some(declared.as_str()),
                    "{line}"
                );
            }
        }
    }
}
