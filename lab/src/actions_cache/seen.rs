//! What was asked, for tests to look at.

use tokio::sync::watch;

/// The most requests that are kept.
const KEPT: usize = 10_000;

/// One request, without anything that is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The name of a call, as in `CreateCacheEntry`; of a blob `blob PUT`, of a list `list`.
    pub name: String,
    /// The status that it was answered with; 0: it was not.
    pub status: u16,
}

/// The requests so far.
#[derive(Debug)]
pub(super) struct Log(watch::Sender<Vec<Request>>);

impl Log {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }

    pub(super) fn note(&self, name: String, status: u16) {
        self.0.send_modify(|all| {
            if all.len() < KEPT {
                all.push(Request { name, status });
            }
        });
    }

    pub(super) fn all(&self) -> Vec<Request> {
        self.0.borrow().clone()
    }

    pub(super) async fn wait(&self, part: &str, count: usize) {
        let enough = |all: &Vec<Request>| {
            let matching = all.iter().filter(|request| request.name.contains(part));
            matching.count() >= count
        };
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(enough).await;
    }
}
