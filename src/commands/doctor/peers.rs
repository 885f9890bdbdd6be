//! With whom the daemon shares, and why with nobody.

use std::collections::BTreeMap;

use super::finding::{Area, Finding};
use crate::swarm::{PeerRow, Standing};

#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// `--no-p2p`.
    pub(super) off: bool,
    /// The pool that a daemon would be started with.
    pub(super) pool: Option<String>,
    /// What is wrong with the settings about peers.
    pub(super) wrong: Option<String>,
    /// Why nobody is shared with although something is set about peers.
    pub(super) notice: Option<String>,
    /// What the daemon that runs says.
    pub(super) daemon: Option<Seen>,
    /// Whether this is a runner of GitHub's.
    pub(super) hosted: bool,
}

/// What a daemon says of its peers.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// It shares with nobody.
    Alone,
    /// It has these.
    Sharing {
        pool: String,
        addresses: Vec<String>,
        deaf: bool,
        rows: Vec<PeerRow>,
    },
    /// It cannot be told.
    Unknown(String),
}

const INTRODUCE: &str = "`ghswarm peers export` on another machine of the pool and `ghswarm peers import` here, or --bootstrap; \
     `ghswarm peers --help` says more";
const HOSTED: &str = "runners of GitHub cannot be reached from outside: a pool of them needs one member that can, or a \
     self-hosted runner, given to all with --bootstrap; without one, the action's `cache: true` carries what \
     anybody may read from job to job";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(wrong) = &facts.wrong {
        let fix = "correct it and run `ghswarm config check`; `ghswarm start` refuses it";
        findings.push(Finding::problem(Area::Peers, wrong.clone(), fix));
    } else if facts.off {
        findings.push(Finding::note(
            Area::Peers,
            "nothing is shared: --no-p2p says so",
        ));
    } else if let Some(notice) = &facts.notice {
        let fix = "start the daemon with --pool OWNER/REPO, the same on all machines";
        findings.push(Finding::warning(Area::Peers, notice.clone(), fix));
    } else if facts.pool.is_none() {
        let what = "nothing is shared with other machines: no pool is named";
        let fix = "--pool OWNER/REPO names one; in a job it is the repository";
        findings.push(Finding::note(Area::Peers, what).fixed_by(fix));
    }
    match (&facts.daemon, &facts.pool) {
        (None, None) => {}
        (None, Some(pool)) => {
            let what = format!("a daemon that is started here shares with the pool {pool}");
            let fine = !facts.off && facts.wrong.is_none();
            findings.extend(fine.then(|| Finding::ok(Area::Peers, what)));
        }
        (Some(Seen::Unknown(why)), _) => {
            let what = format!("the daemon does not say whom it knows: {why}");
            findings.push(Finding::note(Area::Peers, what));
        }
        (Some(Seen::Alone), pool) => {
            let would = pool
                .as_ref()
                .filter(|_| !facts.off && facts.wrong.is_none());
            findings.extend(would.map(|pool| {
                let what = format!("the daemon that runs shares with nobody, not with {pool}");
                Finding::warning(Area::Peers, what, RESTART)
            }));
        }
        (
            Some(Seen::Sharing {
                pool,
                addresses,
                deaf,
                rows,
            }),
            wanted,
        ) => {
            if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != pool) {
                let what = format!("the daemon that runs shares with {pool}, not with {wanted}");
                findings.push(Finding::warning(Area::Peers, what, RESTART));
            }
            findings.push(place(addresses, facts.hosted));
            findings.push(company(pool, rows, facts.hosted));
            findings.extend(deaf.then(|| {
                let what = "a peer fell silent, so everything is asked again until it is back, a minute at \
                            most: its writes could be missed";
                let fix = "look whether a machine of the pool hangs, or the network loses packets";
                Finding::warning(Area::Peers, what, fix)
            }));
            findings.extend(refusals(rows));
        }
    }
    findings
}

const RESTART: &str = "`ghswarm stop`, then `ghswarm start`";

/// Where others reach us.
fn place(addresses: &[String], hosted: bool) -> Finding {
    match addresses.first() {
        Some(first) if hosted => {
            let what =
                format!("peers would reach us at {first}, but a runner of GitHub lets nobody in");
            Finding::note(Area::Peers, what).fixed_by(HOSTED)
        }
        Some(first) => Finding::ok(Area::Peers, format!("peers reach us at {first}")),
        None => {
            let what = "the daemon listens for peers nowhere: the ports may be taken, or it has just begun";
            let fix = "see daemon.log; --p2p-listen /ip4/0.0.0.0/tcp/PORT takes another port";
            Finding::warning(Area::Peers, what, fix)
        }
    }
}

/// Who is there.
fn company(pool: &str, rows: &[PeerRow], hosted: bool) -> Finding {
    let connected = count(rows, Standing::Connected);
    let fix = if hosted { HOSTED } else { INTRODUCE };
    match (connected, rows.len()) {
        (0, 0) => {
            let what = format!("no other member of the pool {pool} is known");
            Finding::warning(Area::Peers, what, fix)
        }
        (0, known) => {
            let what = match known {
                1 => "the one peer that is known is not connected".to_owned(),
                known => format!("none of the {known} peers that are known is connected"),
            };
            let fix = if hosted {
                HOSTED
            } else {
                "see the reasons below and in `ghswarm peers list`; the port of one side must be open to the \
                 other, over TCP or UDP"
            };
            Finding::warning(Area::Peers, what, fix)
        }
        (connected, known) => {
            let what = format!("{connected} peers of {known} that are known are connected");
            Finding::ok(Area::Peers, what)
        }
    }
}

fn count(rows: &[PeerRow], standing: Standing) -> usize {
    rows.iter().filter(|row| row.standing == standing).count()
}

/// One finding for each reason for which peers were refused or dropped.
fn refusals(rows: &[PeerRow]) -> Vec<Finding> {
    let mut reasons: BTreeMap<(bool, &str), Vec<&str>> = BTreeMap::new();
    for row in rows {
        let dropped = match row.standing {
            Standing::Refused => false,
            Standing::Dropped => true,
            Standing::Connected | Standing::Known => continue,
        };
        let reason = row.reason.as_deref().unwrap_or("unknown");
        reasons
            .entry((dropped, reason))
            .or_default()
            .push(&row.peer_id);
    }
    let finding = |((dropped, reason), peers): ((bool, &str), Vec<&str>)| {
        let who = match peers.as_slice() {
            [one] => format!("peer {one}"),
            more => format!("{} peers", more.len()),
        };
        let (what, fix) = if dropped {
            ("dropped", DROPPED)
        } else {
            ("refused", remedy(reason))
        };
        Finding::warning(Area::Peers, format!("{who} {what}: {reason}"), fix)
    };
    reasons.into_iter().map(finding).collect()
}

const DROPPED: &str = "it broke the rules for peers: another version or program, or somebody who lies; look at that machine \
     before ten minutes are over and it is spoken with again";

/// What to do about an admission that was refused, by the name that admission gives it.
fn remedy(reason: &str) -> &'static str {
    match reason {
        "admission-version" | "admission-malformed" | "unknown-refusal" => {
            "use the same version of ghswarm on both machines"
        }
        "no-common-method" => {
            "one side takes tickets and the other the secret: give both the same --admission, and the secret \
             or a fresh record"
        }
        "other-pool" => "give both machines the same --pool",
        "wrong-proof" => {
            "the secret of the two is another one, or the record is of before the other's identity changed: \
             compare --secret-file, or import a fresh `ghswarm peers export`"
        }
        "ticket-expired" => {
            "import a fresh `ghswarm peers export`; if that does not help, one of the two clocks is wrong: \
             compare `date -u` on both machines"
        }
        "key-cost" => "the two derive their keys at another cost: use the same version of ghswarm",
        "not-now" => {
            "the other side has too many connections, or has dropped us: it is tried again"
        }
        "admission-timeout" | "admission-hung-up" => {
            "something at that address answers late or not as ghswarm does: look whether it is a ghswarm, and \
             how busy that machine is"
        }
        _ => "see daemon.log on both machines",
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn row(standing: Standing, reason: Option<&str>) -> PeerRow {
        PeerRow {
            peer_id: "12D3KooWA".to_owned(),
            standing,
            addresses: Vec::new(),
            admission: None,
            reason: reason.map(str::to_owned),
            rtt_ms: None,
            confirmed: 0,
            refuted: 0,
        }
    }

    fn sharing(rows: Vec<PeerRow>) -> Facts {
        Facts {
            pool: Some("a/b".to_owned()),
            daemon: Some(Seen::Sharing {
                pool: "a/b".to_owned(),
                addresses: vec!["/ip4/10.0.0.1/tcp/9000".to_owned()],
                deaf: false,
                rows,
            }),
            ..Facts::default()
        }
    }

    #[test]
    fn who_does_not_want_peers_is_not_bothered() {
        Finding::assert_fine(&check(&Facts::default()));
        let off = Facts {
            off: true,
            pool: Some("a/b".to_owned()),
            daemon: Some(Seen::Alone),
            ..Facts::default()
        };
        Finding::assert_fine(&check(&off));
    }

    #[test]
    fn company_is_fine_and_its_lack_is_told_with_what_to_do() {
        Finding::assert_fine(&check(&sharing(vec![row(Standing::Connected, None)])));
        Finding::assert_one(&check(&sharing(Vec::new())), Level::Warning, "peers import");
        let unreached = check(&sharing(vec![row(Standing::Known, None)]));
        Finding::assert_one(&unreached, Level::Warning, "must be open");
        let hosted = Facts {
            hosted: true,
            ..sharing(vec![row(Standing::Known, None)])
        };
        Finding::assert_one(&check(&hosted), Level::Warning, "runners of GitHub");
    }

    #[test]
    fn each_reason_for_a_refusal_has_its_remedy() {
        for (reason, word) in [
            ("other-pool", "--pool"),
            ("ticket-expired", "date -u"),
            ("wrong-proof", "--secret-file"),
            ("no-common-method", "--admission"),
            ("key-cost", "version"),
            ("something-new", "daemon.log"),
        ] {
            let rows = vec![
                row(Standing::Connected, None),
                row(Standing::Refused, Some(reason)),
            ];
            let found = check(&sharing(rows));
            Finding::assert_one(&found, Level::Warning, reason);
            Finding::assert_one(&found, Level::Warning, word);
        }
        let dropped = vec![
            row(Standing::Connected, None),
            row(Standing::Dropped, Some("flood")),
        ];
        Finding::assert_one(&check(&sharing(dropped)), Level::Warning, "dropped: flood");
    }

    #[test]
    fn every_name_that_admission_uses_has_a_remedy_of_its_own() {
        // Written once more, as people see them: a name that changes must change here, too.
        for reason in [
            "admission-version",
            "no-common-method",
            "other-pool",
            "wrong-proof",
            "ticket-expired",
            "key-cost",
            "admission-malformed",
            "not-now",
            "admission-timeout",
            "admission-hung-up",
            "unknown-refusal",
        ] {
            assert_ne!(remedy(reason), remedy(""), "{reason}");
        }
    }

    #[test]
    fn a_daemon_that_does_otherwise_than_it_would_now_is_told_of() {
        let alone = Facts {
            pool: Some("a/b".to_owned()),
            daemon: Some(Seen::Alone),
            ..Facts::default()
        };
        Finding::assert_one(&check(&alone), Level::Warning, "ghswarm stop");
        let other = Facts {
            pool: Some("c/d".to_owned()),
            ..sharing(vec![row(Standing::Connected, None)])
        };
        Finding::assert_one(&check(&other), Level::Warning, "not with c/d");
        let wrong = Facts {
            wrong: Some("--secret-env: different for every job".to_owned()),
            ..Facts::default()
        };
        Finding::assert_one(&check(&wrong), Level::Problem, "every job");
    }

    #[test]
    fn silence_and_no_place_to_listen_are_told() {
        let mut facts = sharing(vec![row(Standing::Connected, None)]);
        if let Some(Seen::Sharing { deaf, .. }) = &mut facts.daemon {
            *deaf = true;
        }
        Finding::assert_one(&check(&facts), Level::Warning, "silent");
        let mut facts = sharing(vec![row(Standing::Connected, None)]);
        if let Some(Seen::Sharing { addresses, .. }) = &mut facts.daemon {
            addresses.clear();
        }
        Finding::assert_one(&check(&facts), Level::Warning, "--p2p-listen");
    }
}
