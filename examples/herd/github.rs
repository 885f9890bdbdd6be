//! A fake GitHub on a thread of its own, so that it is not late because the clients are busy.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use ghswarm_lab::fault::Fault;
use ghswarm_lab::matcher::Matcher;
use ghswarm_lab::usage::Tally;
use ghswarm_lab::{FakeGitHub, Token, TokenSpec};
use tokio::sync::oneshot;

/// The pool, and what half of the questions are about.
pub(crate) const PRIVATE: &str = "octo-org/herd";
/// What the other half is about.
pub(crate) const PUBLIC: &str = "octo-org/herd-public";
/// How long it thinks, as GitHub does.
pub(crate) const THINKS: Duration = Duration::from_millis(100);
/// Bytes of text in an issue.
const TEXT: usize = 2_000;

/// Ends when dropped.
pub(crate) struct GitHub {
    fake: Arc<FakeGitHub>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl GitHub {
    /// One with so many issues in each repository.
    pub(crate) fn start(issues: u64) -> anyhow::Result<Self> {
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            else {
                return;
            };
            runtime.block_on(async move {
                // Whoever waits for it hears of it.
                let _ = ready.send(FakeGitHub::builder().start().await.map(Arc::new));
                // An error says that nobody is left who could ask.
                let _ = stopped.await;
            });
        });
        let fake = started.recv().context("the fake has not started")??;
        fake.fault(Matcher::any(), Fault::Latency(THINKS));
        let planted = fake.change(|state| {
            for repository in [PRIVATE, PUBLIC] {
                state.create_repo(repository, repository == PRIVATE)?;
                for number in 1..=issues {
                    let text = format!("{number} ").repeat(TEXT / 4);
                    state.create_issue(repository, &title(number), &text)?;
                }
            }
            Ok::<_, ghswarm_lab::state::Missing>(())
        });
        planted.ok().context("the repositories could not be made")?;
        Ok(Self {
            fake,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        self.fake.url()
    }

    /// A token with limits of its own, for one runner.
    pub(crate) fn token(&self, runner: u64) -> Token {
        let spec = TokenSpec::installation(1000 + runner).write(PRIVATE);
        self.fake.token(spec)
    }

    /// What was counted since [`GitHub::forget`].
    pub(crate) fn tally(&self) -> Tally {
        self.fake.usage().total
    }

    /// The most secondary points of one token in a minute.
    pub(crate) fn points(&self) -> u64 {
        let tokens = self.fake.usage().tokens;
        let points = tokens.values().map(|tally| tally.max_points_sliding);
        points.max().unwrap_or(0)
    }

    /// How often each URL was answered with a body.
    pub(crate) fn bodies(&self) -> BTreeMap<String, u64> {
        let mut bodies = BTreeMap::new();
        let log = self.fake.requests().into_iter();
        for seen in log.filter(|seen| seen.status == 200) {
            *bodies.entry(seen.path).or_default() += 1;
        }
        bodies
    }

    /// Begins to count anew.
    pub(crate) fn forget(&self) {
        self.fake.reset_usage();
    }
}

/// What the issue of this number is called.
pub(crate) fn title(number: u64) -> String {
    format!("issue {number} of the herd")
}

impl Drop for GitHub {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // What it panicked with is on standard error.
            let _ = thread.join();
        }
    }
}
