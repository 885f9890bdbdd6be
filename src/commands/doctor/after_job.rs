//! What of all this is worth a line in the summary of a job.

use serde::Deserialize;
use serde_json::Value;

use super::finding::{Finding, Level};
use super::peers::Seen;
use super::{budget, formula, peers};
use crate::runner::summary::Problem;
use crate::stats::Snapshot;
use crate::swarm::PeerRow;
use crate::time::Timestamp;

/// With whom a daemon shared, in its own words.
#[derive(Deserialize)]
struct Told {
    pool: String,
    multiaddrs: Vec<String>,
    deaf: bool,
    peers: Vec<PeerRow>,
}

/// What is wrong by the last numbers of a daemon. To have met nobody is no fault of a job, unless nobody could have
/// reached it.
pub(in crate::commands) fn after_a_job(
    stats: &Snapshot,
    sharing: Option<&Value>,
    hosted: bool,
    now: Timestamp,
) -> Vec<Problem> {
    let read = |row: &Value| serde_json::from_value(row.clone()).ok();
    let rows = stats.budget.iter().filter_map(read).collect();
    let mut findings = budget::check(&budget::Facts { rows, now });
    findings.extend(formula::check(&stats.validators));
    let told: Option<Told> = sharing.and_then(|told| serde_json::from_value(told.clone()).ok());
    if let Some(told) = told.filter(|told| hosted || !told.peers.is_empty()) {
        findings.extend(peers::check(&peers::Facts {
            pool: Some(told.pool.clone()),
            daemon: Some(Seen::Sharing {
                pool: told.pool,
                addresses: told.multiaddrs,
                deaf: told.deaf,
                rows: told.peers,
            }),
            hosted,
            ..peers::Facts::default()
        }));
    }
    let bad = |finding: &Finding| matches!(finding.level, Level::Warning | Level::Problem);
    findings
        .into_iter()
        .filter(bad)
        .map(|finding| Problem {
            what: finding.what,
            fix: finding.fix.unwrap_or_default(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn told(rows: &Value) -> Value {
        json!({ "peer_id": "A", "pool": "o/r", "multiaddrs": ["/ip4/10.0.0.1/tcp/1"], "deaf": false, "peers": rows })
    }

    #[test]
    fn a_job_that_met_nobody_has_no_problem_unless_nobody_could_come() {
        let alone = told(&json!([]));
        let after = |hosted| after_a_job(&Snapshot::default(), Some(&alone), hosted, NOW);
        assert_eq!(after(false), []);
        let [problem] = &after(true)[..] else {
            panic!("not one: {:?}", after(true));
        };
        assert!(
            problem.fix.contains("runners of GitHub cannot be reached"),
            "{problem:?}"
        );
    }

    #[test]
    fn a_peer_that_was_refused_and_a_budget_that_is_gone_are_told_with_what_to_do() {
        let stats = Snapshot {
            budget: vec![
                json!({ "kind": "user", "resource": "core", "limit": 5000, "remaining": 3, "reset": NOW.as_secs() + 60 }),
            ],
            ..Snapshot::default()
        };
        let refused = json!([{
            "peer_id": "B", "standing": "refused", "addresses": [], "admission": null, "reason": "ticket-expired",
            "rtt_ms": null, "confirmed": 0, "refuted": 0,
        }]);
        let problems = after_a_job(&stats, Some(&told(&refused)), false, NOW);
        for word in ["3 of 5000 left", "ticket-expired"] {
            let found = problems.iter().find(|problem| problem.what.contains(word));
            assert!(
                found.is_some_and(|problem| !problem.fix.is_empty()),
                "{word}: {problems:?}"
            );
        }
    }
}
