//! Eight daemons on one cache directory, sixty-four clients that read, write and store through any of
//! them: nobody reads the past of a write that was answered, and nothing that was stored is lost.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use ghswarm_lab::{FakeGitHub, Token, TokenSpec};
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::process::Process;
use crate::needs;

const DAEMONS: usize = 8;
const CLIENTS: usize = 64;
/// The first half is written to all the time, each of the others once: so there are hits to be wrong.
const REPOSITORIES: usize = 16;
const ISSUES: usize = 8;

struct Crowd {
    github: FakeGitHub,
    tokens: Vec<Token>,
    daemons: Vec<Process>,
    client: reqwest::Client,
    issues: Vec<Issue>,
    began: Instant,
    lasts: Duration,
    stored: AtomicU64,
}

/// An issue, the last version of it that somebody was told is there, and who writes now.
struct Issue {
    path: String,
    answered: AtomicU64,
    writing: Mutex<u64>,
}

/// The same steps in every run.
struct Walk(u64);

impl Walk {
    /// A number below `bound`.
    fn next(&mut self, bound: usize) -> usize {
        // Knuth's MMIX generator; its upper half is the better one.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

impl Crowd {
    async fn gather(cache: &Path, places: &Path, lasts: Duration) -> Self {
        let builder = FakeGitHub::builder().enforce_secondary(false);
        let github = builder.start().await.unwrap();
        github.change(|state| {
            for repository in 0..REPOSITORIES {
                let name = format!("octo-org/crowd-{repository}");
                state.create_repo(&name, true).unwrap();
                for _ in 0..ISSUES {
                    state.create_issue(&name, "0", "").unwrap();
                }
            }
        });
        let everything = || github.token(TokenSpec::classic("octocat").everything());
        let tokens: Vec<_> = (0..8).map(|_| everything()).collect();
        for token in &tokens {
            github.set_limit(token.bucket(), "core", 10_000_000);
        }
        let mut daemons = Vec::new();
        for number in 0..DAEMONS {
            let state = places.join(number.to_string());
            daemons.push(Process::serve(&github.url(), cache, &state, &[]).await);
        }
        let paths = (0..REPOSITORIES * ISSUES).map(|number| {
            let (repository, issue) = (number / ISSUES, number % ISSUES + 1);
            format!("/repos/octo-org/crowd-{repository}/issues/{issue}")
        });
        let issues = paths.map(|path| Issue {
            path,
            answered: AtomicU64::new(0),
            writing: Mutex::new(0),
        });
        Self {
            tokens,
            daemons,
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            issues: issues.collect(),
            began: Instant::now(),
            lasts,
            stored: AtomicU64::new(0),
            github,
        }
    }

    /// One client, until the time is over: each step through another daemon.
    async fn mingle(&self, client: usize) {
        let mut walk = Walk(17 + client as u64);
        let token = &self.tokens[client % self.tokens.len()];
        while self.began.elapsed() < self.lasts {
            let daemon = &self.daemons[walk.next(DAEMONS)];
            let issue = &self.issues[walk.next(self.issues.len())];
            match walk.next(16) {
                0 => self.write(daemon, token, issue).await,
                1 => self.store(daemon, client, &mut walk).await,
                _ => self.read(daemon, token, issue).await,
            }
        }
    }

    async fn write(&self, daemon: &Process, token: &Token, issue: &Issue) {
        let Ok(mut version) = issue.writing.try_lock() else {
            return;
        };
        let number = self
            .issues
            .iter()
            .position(|other| std::ptr::eq(other, issue));
        let is_quiet = number.unwrap() >= REPOSITORIES / 2 * ISSUES;
        if is_quiet && (*version > 0 || self.began.elapsed() < self.lasts / 3) {
            return;
        }
        *version += 1;
        let url = format!("{}{}", daemon.api_url(), issue.path);
        let request = self.client.request(Method::PATCH, url);
        let written = request
            .header("authorization", token.authorization())
            .body(json!({"title": version.to_string()}).to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(written.status(), 200);
        issue.answered.store(*version, SeqCst);
    }

    async fn read(&self, daemon: &Process, token: &Token, issue: &Issue) {
        let known = issue.answered.load(SeqCst);
        let url = format!("{}{}", daemon.api_url(), issue.path);
        let request = self.client.get(url);
        let read = request
            .header("authorization", token.authorization())
            .send()
            .await
            .unwrap();
        assert_eq!(read.status(), 200);
        let cache = read.headers()["cache-status"].to_str().unwrap().to_owned();
        let body: Value = serde_json::from_slice(&read.bytes().await.unwrap()).unwrap();
        let seen: u64 = body["title"].as_str().unwrap().parse().unwrap();
        assert!(
            known <= seen,
            "{}: read {seen} after {known} was answered: {cache}",
            issue.path
        );
    }

    /// Stores a value through one daemon and gets it through the next.
    async fn store(&self, daemon: &Process, client: usize, walk: &mut Walk) {
        let next = &self.daemons[walk.next(DAEMONS)];
        let key = format!("{client} {}", walk.0);
        daemon.put(&self.client, &key, &key).await;
        self.stored.fetch_add(1, SeqCst);
        let got = next.get(&self.client, &key).await;
        assert_eq!(
            got.as_deref(),
            Some(key.as_bytes()),
            "through another daemon"
        );
    }
}

/// Sixty seconds with `GHSWARM_SOAK=1`, otherwise six.
#[tokio::test]
async fn of_eight_daemons_none_shows_the_past_or_loses_what_was_stored() {
    let lasts = Duration::from_secs(if needs::soak() { 60 } else { 6 });
    let dir = tempfile::tempdir().unwrap();
    let (cache, places) = (dir.path().join("cache"), dir.path().join("daemons"));
    let crowd = Arc::new(Crowd::gather(&cache, &places, lasts).await);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let crowd = Arc::clone(&crowd);
            tokio::spawn(async move { crowd.mingle(client).await })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let mut crowd = Arc::into_inner(crowd).unwrap();
    let mut total = [0_u64; 5];
    for daemon in &crowd.daemons {
        let stats = daemon.stats(&crowd.client).await;
        assert_eq!(stats["evictions"], 0);
        let of = |path: &str| stats.pointer(path).and_then(Value::as_u64).unwrap();
        let numbers = [
            "/requests",
            "/hits/memory",
            "/hits/disk",
            "/revalidated",
            "/misses",
        ];
        for (total, number) in total.iter_mut().zip(numbers.map(of)) {
            *total += number;
        }
    }
    let stored = crowd.stored.load(SeqCst);
    let _ = writeln!(
        std::io::stderr(),
        "requests, memory, disk, revalidated, misses: {total:?}; values stored: {stored}"
    );
    assert!(total[1] > 0 && total[2] > 0 && total[3] > 0, "{total:?}");

    // All end at once, and another one knows what they knew.
    for daemon in &mut crowd.daemons {
        daemon.kill().await;
    }
    let heir = Process::serve(&crowd.github.url(), &cache, &places.join("heir"), &[]).await;
    let rows = heir.list(&crowd.client, 10_000).await;
    let values = rows
        .iter()
        .filter(|row| row["operation"] == "default")
        .count();
    assert_eq!(values as u64, stored.min(10_000), "values");
    let known: Vec<_> = rows
        .iter()
        .filter_map(|row| row["label"].as_str())
        .collect();
    for issue in &crowd.issues {
        let is_known = known.iter().any(|label| label.ends_with(&issue.path));
        assert!(is_known, "{} was read and is lost", issue.path);
        crowd.read(&heir, &crowd.tokens[0], issue).await;
    }
}
