//! The facts for the log of a job, one a line.

use super::escape::line;
use super::{ROWS, Report};
use crate::stats::render::{elapsed, grouped, percent};

/// The most characters of a line.
const WIDTH: usize = 300;

pub(super) fn lines(report: &Report) -> Vec<String> {
    let (shown, summary) = (&report.statistics, &report.summary);
    let answers = &summary.answers;
    let count = |name: &str, count: u64| format!("{name}: {}", grouped(count));
    let mut lines = vec![
        count("Total requests", answers.total_requests),
        count("Cache hits", answers.cache_hits),
        count("Cache misses", answers.cache_misses),
        count("Peer hits", answers.peer_hits),
        count(
            "Peer answers confirmed by GitHub",
            answers.peer_answers_confirmed,
        ),
        format!("Hit rate: {}", percent(shown.hit_rate)),
        count("API calls saved", summary.calls.saved),
        count("API calls counted", summary.calls.counted),
        count("Connected peers", shown.peers.connected),
        count("Known peers", shown.peers.known),
    ];
    for (reason, times) in shown.peers.refused.iter().take(ROWS) {
        lines.push(count(&format!("Refused peers, {reason}"), *times));
    }
    for limit in &summary.budget {
        lines.push(format!(
            "Budget {} of {}: {} of {} left{}",
            limit.resource,
            limit.kind,
            grouped(limit.remaining),
            grouped(limit.limit),
            match limit.full_in_seconds {
                0 => String::new(),
                seconds => format!(", full again in {}", elapsed(seconds)),
            }
        ));
    }
    for reason in &summary.not_shared {
        lines.push(count(&format!("Not shared, {}", reason.what), reason.times));
    }
    for problem in &summary.problems {
        lines.push(format!("Problem: {}. {}", problem.what, problem.fix));
    }
    lines.iter().map(|text| line(text, WIDTH)).collect()
}
