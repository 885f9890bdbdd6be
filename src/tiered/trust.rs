//! What has been found out about hosts and repositories: whether computed validators agree with
//! GitHub's, and which repositories anybody may read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::ask::Asked;
use crate::api::{Health, Namespace, Operation};
use crate::stats::Validators;
use crate::time::Timestamp;

/// A repository counts as public this long after it was proven to be.
const PUBLIC_FOR: Duration = Duration::from_secs(300);
/// Repositories remembered as public. Beyond it all are forgotten and proven again.
const REPOSITORIES_MAX: usize = 10_000;

/// Findings of one daemon.
#[derive(Debug, Default)]
pub(super) struct Trust {
    // A std mutex: held for map look-ups only. By host, of which there are a handful.
    hosts: Mutex<HashMap<Box<str>, Findings>>,
}

#[derive(Debug, Default)]
struct Findings {
    health: HashMap<Operation, Health>,
    public: HashMap<Namespace, Public>,
}

/// Whether a repository was public when it was last asked about.
#[derive(Debug, Clone, Copy)]
struct Public {
    is: bool,
    asked: Asked,
}

impl Trust {
    /// Notes whether a validator that GitHub sent is the one that we compute.
    pub(super) fn checked(&self, host: &str, operation: Operation, matched: bool, now: Timestamp) {
        self.change(host, |findings| {
            findings
                .health
                .entry(operation)
                .or_default()
                .note(matched, now);
        });
    }

    /// Whether computed validators are worth asking with.
    pub(super) fn in_validators(&self, host: &str, operation: Operation, now: Timestamp) -> bool {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts
            .get(host)
            .and_then(|findings| findings.health.get(&operation))
            .is_none_or(|health| health.is_trusted(now))
    }

    /// How computed validators did, by host and operation.
    pub(super) fn rows(&self, now: Timestamp) -> Vec<Validators> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<_> = hosts
            .iter()
            .flat_map(|(host, findings)| {
                findings.health.iter().map(move |(operation, health)| {
                    let (checked, matched) = health.counts();
                    Validators {
                        host: host.to_string(),
                        operation: operation.name().to_owned(),
                        checked,
                        matched,
                        trusted: health.is_trusted(now),
                    }
                })
            })
            .collect();
        rows.sort_by(|one, other| {
            (&one.host, &one.operation).cmp(&(&other.host, &other.operation))
        });
        rows
    }

    /// Notes that anybody may read this repository, or that it is known not to be so.
    pub(super) fn repository(&self, host: &str, namespace: &Namespace, is: bool, asked: Asked) {
        self.change(host, |findings| {
            let later = |held: &Public| held.asked.event > asked.event;
            if findings.public.get(namespace).is_some_and(later) {
                return;
            }
            if findings.public.len() >= REPOSITORIES_MAX {
                findings.public.clear();
            }
            let found = Public { is, asked };
            findings.public.insert(namespace.clone(), found);
        });
    }

    /// Forgets which repositories anybody may read: they are proven again.
    pub(super) fn forget_public(&self) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        for findings in hosts.values_mut() {
            findings.public.clear();
        }
    }

    /// Whether the repository was proven public a short time ago, and since event `floor`: a write may
    /// have closed it.
    pub(super) fn is_public(
        &self,
        host: &str,
        namespace: &Namespace,
        floor: u64,
        now: Timestamp,
    ) -> bool {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts
            .get(host)
            .and_then(|findings| findings.public.get(namespace))
            .is_some_and(|&Public { is, asked }| {
                is && asked.event >= floor && asked.at <= now && now.since(asked.at) < PUBLIC_FOR
            })
    }

    fn change(&self, host: &str, change: impl FnOnce(&mut Findings)) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        change(hosts.entry(host.into()).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "api.github.com";

    #[test]
    fn public_is_a_finding_that_ages_and_can_be_withdrawn() {
        let (trust, repo) = (Trust::default(), Namespace::Repo("o/r".into()));
        let now = Timestamp::from_secs(1000);
        let asked = |event| Asked { event, at: now };
        assert!(!trust.is_public(HOST, &repo, 0, now));
        trust.repository(HOST, &repo, true, asked(1));
        assert!(trust.is_public(HOST, &repo, 1, now.plus(Duration::from_secs(299))));
        assert!(!trust.is_public(HOST, &repo, 1, now.plus(PUBLIC_FOR)));
        assert!(
            !trust.is_public(HOST, &repo, 1, now.minus(PUBLIC_FOR)),
            "the clock went back"
        );
        assert!(!trust.is_public(HOST, &repo, 2, now), "a write came after");
        trust.repository(HOST, &repo, false, asked(3));
        assert!(!trust.is_public(HOST, &repo, 0, now));
        trust.repository(HOST, &repo, true, asked(2));
        assert!(!trust.is_public(HOST, &repo, 0, now), "a slow old answer");
    }

    #[test]
    fn rows_say_how_validators_did_and_whether_they_are_used() {
        let (trust, now) = (Trust::default(), Timestamp::from_secs(1000));
        for matched in [true, true, false] {
            trust.checked(HOST, Operation::Jobs, matched, now);
        }
        (0..20).for_each(|_| trust.checked(HOST, Operation::Checks, false, now));
        let rows = trust.rows(now);
        let shown: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.operation.as_str(),
                    row.checked,
                    row.matched,
                    row.trusted,
                )
            })
            .collect();
        assert_eq!(shown, [("checks", 0, 0, false), ("jobs", 3, 2, true)]);
    }
}
