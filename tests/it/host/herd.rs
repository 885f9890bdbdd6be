//! Daemons of several runners whose jobs begin at the same moment and ask the same: GitHub is asked once, and whatever
//! becomes of one of them costs no other an answer. The large one is `examples/herd`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ghswarm_lab::{FakeGitHub, Fault, Matcher, Token, TokenSpec};
use http::header::AUTHORIZATION;
use rustix::process::Signal;
use tokio::task::JoinSet;
use tokio::time::interval;

use super::process::Process;

const POOL: &str = "octo-org/secret";
const RUNNERS: usize = 4;
const URLS: usize = 10;
/// What GitHub takes for an answer.
const THINKS: Duration = Duration::from_millis(100);
/// The longest that one may wait for another: a lease (2 s), and what a busy machine adds.
const LEASE: Duration = Duration::from_secs(8);
/// The most that all URLs may cost if nobody is in trouble. They cost four times as many if nobody shares.
const CALLS: u64 = URLS as u64 * 11 / 10;
/// A peer has 50 ms, and on a busy machine one is late now and then, which costs a call: so it is tried again.
const TRIES: usize = 8;

struct Herd {
    daemons: Vec<Process>,
    tokens: Vec<Token>,
    github: FakeGitHub,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

async fn serve(github: &FakeGitHub, folder: &Path, number: usize, first: Option<&str>) -> Process {
    let place = folder.join(number.to_string());
    fs::create_dir(&place).unwrap();
    let secret = folder.join("secret").display().to_string();
    let mut flags = vec!["--pool", POOL, "--secret-file", &secret, "--no-mdns"];
    flags.extend(["--p2p-listen", "/ip4/127.0.0.1/tcp/0"]);
    flags.extend(first.into_iter().flat_map(|first| ["--bootstrap", first]));
    let (cache, state) = (place.join("cache"), place.join("state"));
    Process::serve(&github.url(), &cache, &state, &flags).await
}

impl Herd {
    /// Daemons that are all connected, each with directories of its own.
    async fn gather() -> Self {
        let github = FakeGitHub::builder().start().await.unwrap();
        github.fault(Matcher::any(), Fault::Latency(THINKS));
        let folder = tempfile::tempdir().unwrap();
        let secret = b"what the runners of this story know\n";
        ghswarm::files::write_atomic(&folder.path().join("secret"), secret).unwrap();
        let first = serve(&github, folder.path(), 0, None).await;
        let address = first.address().await;
        let others =
            (1..RUNNERS).map(|number| serve(&github, folder.path(), number, Some(&address)));
        let mut daemons = join_all(others).await;
        daemons.insert(0, first);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for daemon in &daemons {
            daemon.meets(&client, RUNNERS - 1).await;
        }
        let token = |_| github.token(TokenSpec::job(POOL));
        Self {
            tokens: (0..RUNNERS).map(token).collect(),
            daemons,
            github,
            client,
            _folder: folder,
        }
    }

    /// `runner` asks for everything at once; how long it waited for each.
    fn ask(&self, runner: usize, round: &str) -> JoinSet<Duration> {
        let base = self.daemons[runner].api_url();
        let questions = (1..=URLS).map(|number| {
            let repository = [POOL, "octo-org/hello"][number % 2];
            let path = format!("/repos/{repository}/labels?per_page={number}&as={round}");
            let request = self.client.get(format!("{base}{path}"));
            let request = request.header(AUTHORIZATION, self.tokens[runner].authorization());
            async move {
                let began = Instant::now();
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), 200, "{path}");
                answer.bytes().await.unwrap();
                began.elapsed()
            }
        });
        questions.collect()
    }

    /// Everybody asks for everything at once. The last one gets a signal while GitHub thinks; what becomes of its own
    /// questions is nobody else's trouble. Counted calls.
    async fn stampede(&self, round: &str, signal: Option<Signal>) -> u64 {
        self.github.reset_usage();
        let mut asked: Vec<_> = (0..RUNNERS).map(|runner| self.ask(runner, round)).collect();
        let lost = signal.and_then(|_| asked.pop());
        if let Some(signal) = signal {
            let mut ticks = interval(Duration::from_millis(1));
            while self.github.usage().total.max_concurrency == 0 {
                ticks.tick().await;
            }
            self.daemons[RUNNERS - 1].signal(signal);
        }
        let waited = join_all(asked.into_iter().map(JoinSet::join_all)).await;
        drop(lost);
        let slowest = waited.into_iter().flatten().max().unwrap();
        assert!(slowest < LEASE, "{round}: {slowest:.1?}");
        self.github.usage().total.counted
    }
}

#[tokio::test]
async fn a_herd_costs_one_call_for_each_url_and_nobody_waits_for_a_lost_member() {
    let herd = Herd::gather().await;
    let mut cost = u64::MAX;
    for tried in 0..TRIES {
        cost = cost.min(herd.stampede(&format!("cold-{tried}"), None).await);
        if cost <= CALLS {
            break;
        }
    }
    assert!(cost <= CALLS, "{cost} calls for {URLS} URLs");
    herd.stampede("stopped", Some(Signal::STOP)).await;
    herd.daemons[RUNNERS - 1].signal(Signal::CONT);
    for daemon in &herd.daemons {
        daemon.meets(&herd.client, RUNNERS - 1).await;
    }
    herd.stampede("killed", Some(Signal::KILL)).await;
}
