//! The numbers for people: a table for a terminal, Markdown for a step summary, a line or two for the
//! end. Everything fits 80 columns.

use std::fmt::Write as _;

use super::{Outcome, Snapshot};

/// The most rows of routes and of reasons: the busiest come first.
const ROWS: usize = 12;
/// The widest name that leaves room for its numbers.
const NAME: usize = 40;

/// What `ghswarm stats` shows on a terminal.
pub fn table(shown: &Snapshot) -> String {
    let mut text = String::new();
    for section in sections(shown) {
        if section.rows.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        line(&mut text, section.title, &section.columns);
        for row in &section.rows {
            line(&mut text, &format!("  {}", row.name), &row.cells);
        }
    }
    text
}

/// What `ghswarm stats --format markdown` adds to a step summary.
pub fn markdown(shown: &Snapshot) -> String {
    let mut text = format!("### ghswarm\n\n{}\n", summary(shown));
    for section in sections(shown) {
        if section.rows.is_empty() {
            continue;
        }
        let columns = section.columns.iter().map(|column| escaped(column));
        let head: Vec<_> = [section.title.to_owned()]
            .into_iter()
            .chain(columns)
            .collect();
        let _ = writeln!(
            text,
            "\n| {} |\n|---|{}",
            head.join(" | "),
            "--:|".repeat(head.len() - 1)
        );
        for row in &section.rows {
            let name = escaped(&row.name);
            let _ = writeln!(text, "| {name} | {} |", row.cells.join(" | "));
        }
    }
    text
}

/// What was saved, in two lines.
pub fn summary(shown: &Snapshot) -> String {
    format!(
        "{} requests, {} of the cacheable ones answered without a counted call, {} calls saved.\n\
         GitHub saw {} requests from us: {} counted, {} free.",
        grouped(shown.requests),
        percent(shown.hit_rate),
        grouped(shown.saved_calls),
        grouped(shown.origin.requests),
        grouped(shown.origin.counted),
        grouped(shown.origin.free_304),
    )
}

struct Section {
    title: &'static str,
    columns: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    cells: Vec<String>,
}

fn row(name: &str, cells: impl IntoIterator<Item = String>) -> Row {
    let mut short: String = name.chars().take(NAME).collect();
    if short.len() < name.len() {
        short.pop();
        short.push('…');
    }
    Row {
        name: short,
        cells: cells.into_iter().collect(),
    }
}

fn sections(shown: &Snapshot) -> Vec<Section> {
    vec![
        requests(shown),
        origin(shown),
        held(shown),
        peers(shown),
        routes(shown),
        reasons(shown),
    ]
}

/// How requests ended, and what people call it.
pub fn outcomes(shown: &Snapshot) -> impl Iterator<Item = (Outcome, &'static str, u64)> {
    let name = |outcome| match outcome {
        Outcome::HitMemory => "from memory",
        Outcome::HitDisk => "from disk",
        Outcome::HitPeer => "from a peer",
        Outcome::Revalidated => "revalidated, free",
        Outcome::Coalesced => "shared a call",
        Outcome::Miss => "fetched",
        Outcome::Stale => "stale, GitHub could not answer",
        Outcome::PassedThrough => "passed through",
        Outcome::Failed => "failed",
    };
    let counts = Outcome::ALL.into_iter().zip(shown.outcomes());
    counts.map(move |(outcome, count)| (outcome, name(outcome), count))
}

fn requests(shown: &Snapshot) -> Section {
    let rows = outcomes(shown).filter(|(_, _, count)| *count > 0);
    let rows = rows.map(|(outcome, name, count)| {
        let latency = shown.latency_ms.get(outcome.tier());
        let cell =
            |of: fn(&super::Latency) -> f64| latency.map_or_else(String::new, |at| millis(of(at)));
        row(name, [grouped(count), cell(|at| at.p50), cell(|at| at.p99)])
    });
    let all = row(
        "all",
        [grouped(shown.requests), String::new(), String::new()],
    );
    Section {
        title: "Requests",
        columns: ["count", "p50 ms", "p99 ms"].map(str::to_owned).into(),
        rows: rows.chain([all]).collect(),
    }
}

fn origin(shown: &Snapshot) -> Section {
    Section {
        title: "GitHub",
        columns: vec![String::new()],
        rows: vec![
            row("calls saved", [grouped(shown.saved_calls)]),
            row("hit rate", [percent(shown.hit_rate)]),
            row("requests from us", [grouped(shown.origin.requests)]),
            row("counted", [grouped(shown.origin.counted)]),
            row("free (304)", [grouped(shown.origin.free_304)]),
            row(
                "points of the secondary limit",
                [grouped(shown.origin.secondary_points)],
            ),
        ],
    }
}

fn held(shown: &Snapshot) -> Section {
    Section {
        title: "Cache",
        columns: vec![String::new()],
        rows: vec![
            row("entries", [grouped(shown.entries)]),
            row("bytes", [bytes(shown.bytes)]),
            row("evicted", [grouped(shown.evictions)]),
            row("running for", [elapsed(shown.uptime_seconds)]),
        ],
    }
}

fn peers(shown: &Snapshot) -> Section {
    let known = &shown.peers;
    let count = |name: &str, count: u64| row(name, [grouped(count)]);
    let refused = known.refused.iter();
    let refused = refused.map(|(reason, times)| count(&format!("refused: {reason}"), *times));
    // Who shares with nobody need not read about it.
    let is_alone = known.connected == 0 && known.known == 0 && known.refused.is_empty();
    let rows = [
        count("connected", known.connected),
        count("known", known.known),
    ];
    Section {
        title: "Peers",
        columns: vec![String::new()],
        rows: rows
            .into_iter()
            .chain(refused)
            .filter(|_| !is_alone)
            .collect(),
    }
}

fn routes(shown: &Snapshot) -> Section {
    let mut routes: Vec<_> = shown.routes.iter().collect();
    routes.sort_by(|a, b| {
        b.requests
            .cmp(&a.requests)
            .then_with(|| a.name.cmp(&b.name))
    });
    let rows = routes.into_iter().take(ROWS);
    Section {
        title: "Operations",
        columns: vec!["requests".to_owned(), "saved".to_owned()],
        rows: rows
            .map(|route| row(&route.name, [grouped(route.requests), grouped(route.saved)]))
            .collect(),
    }
}

fn reasons(shown: &Snapshot) -> Section {
    let mut reasons: Vec<_> = shown.reasons.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let rows = reasons.into_iter().take(ROWS);
    Section {
        title: "Reasons",
        columns: vec!["times".to_owned()],
        rows: rows
            .map(|(name, times)| row(name, [grouped(*times)]))
            .collect(),
    }
}

/// One line: the name, and cells aligned to the right, without trailing spaces.
fn line(text: &mut String, name: &str, cells: &[String]) {
    let mut line = format!("{name:<44}");
    for cell in cells {
        let _ = write!(line, "{cell:>11}");
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share of one, in percent with one decimal: `98.8 %`.
pub fn percent(rate: f64) -> String {
    format!("{:.1} %", rate * 100.0)
}

/// Milliseconds, with decimals where they say something.
pub fn millis(millis: f64) -> String {
    if millis < 10.0 {
        format!("{millis:.2}")
    } else {
        format!("{millis:.0}")
    }
}

/// A size with its unit: `1.5 KiB`.
pub fn bytes(number: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, shift)| number >> shift > 0);
    unit.map_or_else(
        || format!("{number} B"),
        |(name, shift)| {
            let tenths = (u128::from(number) * 10) >> shift;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        },
    )
}

/// A time in the two largest units: `2 h 5 min`.
pub fn elapsed(seconds: u64) -> String {
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Latency, Route};
    use super::*;

    fn busy() -> Snapshot {
        let mut shown = Snapshot {
            requests: u64::MAX / 2,
            misses: 1_234_567,
            saved_calls: 9_876_543_210,
            hit_rate: 0.987_65,
            bytes: 3 << 29,
            uptime_seconds: 360_000,
            ..Snapshot::default()
        };
        shown.hits.memory = 42;
        shown.latency_ms.insert(
            "memory".into(),
            Latency {
                p50: 0.012,
                p99: 1234.5,
            },
        );
        shown.reasons.insert("a|".repeat(60), 7);
        shown.routes = (0..30)
            .map(|number| Route {
                name: format!("route_{number}"),
                requests: number,
                saved: 1,
            })
            .collect();
        shown
    }

    #[test]
    fn everything_fits_eighty_columns() {
        let table = table(&busy());
        for line in table.lines() {
            assert!(line.chars().count() <= 80, "{line}");
            assert_eq!(line, line.trim_end());
        }
        assert!(
            table.contains("1,234,567") && table.contains("98.8 %"),
            "{table}"
        );
        assert!(
            table.contains("1.5 GiB") && table.contains("100 h 0 min"),
            "{table}"
        );
        assert!(
            table.contains("route_29") && !table.contains("route_3 "),
            "{table}"
        );
    }

    #[test]
    fn an_idle_daemon_shows_no_empty_sections() {
        let table = table(&Snapshot::default());
        assert!(
            !table.contains("Operations") && !table.contains("Reasons"),
            "{table}"
        );
        assert!(
            table.starts_with("Requests") && !table.contains("fetched"),
            "{table}"
        );
    }

    #[test]
    fn a_bar_in_a_name_does_not_end_its_cell() {
        let markdown = markdown(&busy());
        assert!(markdown.starts_with("### ghswarm\n"), "{markdown}");
        assert!(markdown.contains("a\\|a"), "{markdown}");
        for line in markdown.lines().filter(|line| line.starts_with('|')) {
            assert!(line.ends_with('|'), "{line}");
        }
    }

    #[test]
    fn the_summary_says_what_was_saved() {
        let summary = summary(&busy());
        assert!(summary.contains("9,876,543,210 calls saved"), "{summary}");
    }
}
