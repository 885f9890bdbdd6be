//! The page of a run: GitHub's Markdown, with a chart in Mermaid.

use std::fmt::Write as _;

use super::escape::{code, prose};
use super::{
    Budget, Peer, Problem, ROWS, Reason, Report, Route, Sharing, Source, Summary, Tier, share,
};
use crate::stats::render::{elapsed, grouped, millis, percent};

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let Summary {
        headline,
        tiers,
        budget,
        sharing,
        not_shared,
        not_kept,
        routes,
        problems,
        ..
    } = &report.summary;
    let mut page = format!("## ghswarm\n\n**{}**\n", prose(headline));
    if report.summary.source == Source::Host {
        page.push_str(
            "\nThese are the numbers of the host's daemon, which serves other jobs as well.\n",
        );
    }
    answers(&mut page, report);
    chart(&mut page, tiers);
    table_of_tiers(&mut page, tiers);
    table_of_problems(&mut page, problems);
    table_of_budgets(&mut page, budget);
    table_of_peers(&mut page, report, sharing.as_ref());
    reasons(&mut page, "Not shared with peers", not_shared);
    table_of_routes(&mut page, routes, report.statistics.routes.len());
    reasons(&mut page, "Not kept", not_kept);
    page
}

fn answers(page: &mut String, report: &Report) {
    let answers = &report.summary.answers;
    if answers.total_requests == 0 {
        return;
    }
    let shown = &report.statistics;
    let _ = writeln!(
        page,
        "\n{} requests, {} of the cacheable ones answered without a counted call; {} entries held after {}.",
        grouped(answers.total_requests),
        percent(shown.hit_rate),
        grouped(shown.entries),
        elapsed(shown.uptime_seconds),
    );
}

/// A pie of the tiers. Its words are all ours, and its numbers are above zero, as Mermaid asks for
/// (<https://mermaid.js.org/syntax/pie.html>).
fn chart(page: &mut String, tiers: &[Tier]) {
    if tiers.is_empty() {
        return;
    }
    page.push_str("\n```mermaid\npie showData\n    title Where answers came from\n");
    for tier in tiers {
        let _ = writeln!(page, "    \"{}\" : {}", tier.what, tier.requests);
    }
    page.push_str("```\n");
}

fn table_of_tiers(page: &mut String, tiers: &[Tier]) {
    if tiers.is_empty() {
        return;
    }
    head(
        page,
        "",
        &["Answers", "requests", "share", "p50 ms", "p99 ms"],
    );
    for tier in tiers {
        let time = |time: fn(&crate::stats::Latency) -> f64| {
            tier.latency_ms
                .as_ref()
                .map_or_else(String::new, |at| millis(time(at)))
        };
        let cells = [
            grouped(tier.requests),
            percent(tier.share),
            time(|at| at.p50),
            time(|at| at.p99),
        ];
        row(page, tier.what, &cells);
    }
}

fn table_of_problems(page: &mut String, problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    page.push_str("\n### Problems\n\n| What | What to do |\n|---|---|\n");
    for problem in problems {
        row(page, &prose(&problem.what), &[prose(&problem.fix)]);
    }
}

fn table_of_budgets(page: &mut String, budget: &[Budget]) {
    if budget.is_empty() {
        return;
    }
    head(
        page,
        "Budget left",
        &["Limit", "left", "of", "full again in"],
    );
    for limit in budget {
        let whose = format!("{} of {}", code(&limit.resource), code(&limit.kind));
        let full = match limit.full_in_seconds {
            0 => "now".to_owned(),
            seconds => elapsed(seconds),
        };
        row(
            page,
            &whose,
            &[grouped(limit.remaining), grouped(limit.limit), full],
        );
    }
}

fn table_of_peers(page: &mut String, report: &Report, sharing: Option<&Sharing>) {
    let counts = &report.statistics.peers;
    if sharing.is_none() && counts.known == 0 && counts.refused.is_empty() {
        return;
    }
    page.push_str("\n### Peers\n\n");
    if let Some(sharing) = sharing {
        let _ = write!(page, "Pool {}: ", code(&sharing.pool));
    }
    let answers = &report.summary.answers;
    let _ = writeln!(
        page,
        "{} connected of {} known. Answers of peers: {} confirmed by GitHub for free, {} shown on their word. Given to \
         peers: {}.",
        grouped(counts.connected),
        // Who has called us is connected, and not known by an address.
        grouped(
            counts
                .known
                .max(sharing.map_or(0, |sharing| sharing.peers.len() as u64))
        ),
        grouped(answers.peer_answers_confirmed),
        grouped(answers.peer_hits),
        grouped(answers.given_to_peers),
    );
    if let Some(sharing) = sharing.filter(|sharing| !sharing.peers.is_empty()) {
        head(
            page,
            "",
            &["Peer", "standing", "round trip ms", "confirmed", "refuted"],
        );
        for peer in sharing.peers.iter().take(ROWS) {
            peer_row(page, peer);
        }
        more(page, sharing.peers.len());
    }
    if !counts.refused.is_empty() {
        head(page, "", &["Refused, because", "times"]);
        for (reason, times) in counts.refused.iter().take(ROWS) {
            row(page, &code(reason), &[grouped(*times)]);
        }
        more(page, counts.refused.len());
    }
}

fn peer_row(page: &mut String, peer: &Peer) {
    let mut standing = code(&peer.standing);
    for (before, word) in [(", by ", &peer.admission), (": ", &peer.reason)] {
        if let Some(word) = word {
            let _ = write!(standing, "{before}{}", code(word));
        }
    }
    let time = peer.rtt_ms.map_or_else(String::new, millis);
    let cells = [
        standing,
        time,
        grouped(peer.confirmed),
        grouped(peer.refuted),
    ];
    row(page, &code(&peer.peer_id), &cells);
}

fn reasons(page: &mut String, title: &str, reasons: &[Reason]) {
    if reasons.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "\n### {title}\n\n| times | Why | What to do |\n|--:|---|---|"
    );
    for reason in reasons {
        row(
            page,
            &grouped(reason.times),
            &[prose(reason.what), prose(reason.fix)],
        );
    }
}

fn table_of_routes(page: &mut String, routes: &[Route], all: usize) {
    if routes.is_empty() {
        return;
    }
    head(
        page,
        "Busiest operations",
        &["Operation", "requests", "without a call", "share"],
    );
    for route in routes {
        let share = percent(share(route.saved, route.requests));
        row(
            page,
            &code(&route.name),
            &[grouped(route.requests), grouped(route.saved), share],
        );
    }
    more(page, all);
}

/// The head of a table whose cells but the first are numbers.
fn head(page: &mut String, title: &str, columns: &[&str]) {
    if !title.is_empty() {
        let _ = writeln!(page, "\n### {title}");
    }
    let _ = writeln!(page, "\n| {} |", columns.join(" | "));
    let _ = writeln!(
        page,
        "|---|{}",
        "--:|".repeat(columns.len().saturating_sub(1))
    );
}

fn row(page: &mut String, first: &str, cells: &[String]) {
    let _ = writeln!(page, "| {first} | {} |", cells.join(" | "));
}

/// Says that a table has more rows than are shown.
fn more(page: &mut String, all: usize) {
    if all > ROWS {
        let _ = writeln!(page, "\nand {} more", grouped((all - ROWS) as u64));
    }
}
