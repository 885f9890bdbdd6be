//! What a hundred peers cost a daemon that holds ten thousand entries: memory, open files, idle CPU.
//!
//! The daemon is a process of its own, as it is released; GitHub and all of its peers are in this one. Each peer
//! has one connection, to the daemon, and does what peers do on it: pulses, gossip, questions about others.

use std::error::Error;
use std::fs;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use ghswarm::digest::Digest;
use ghswarm::seal::{Cost, SharedSecret};
use ghswarm::swarm::{self, Client, Event, Identity, Multiaddr, Pool, PoolSecret, Secret};
use ghswarm_lab::state::Missing;
use ghswarm_lab::{FakeGitHub, Token, TokenSpec};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{interval, sleep, timeout};
use zeroize::Zeroizing;

const ENTRIES: u64 = 10_000;
const PEERS: u32 = 100;
/// Bytes of text in an issue, of which its body has some more.
const TEXT: usize = 3_000;
const POOL: &str = "octo-org/large";
const SECRET: &[u8] = b"what the daemons of this bench know";
/// For how long an idle daemon is watched.
const WATCHED: Duration = Duration::from_secs(20);
/// The longest that the peers may take to be admitted.
const PATIENCE: Duration = Duration::from_secs(120);
/// What /proc counts time in: a hundredth of a second, on every Linux.
const TICK: Duration = Duration::from_millis(10);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    ghswarm::daemon::raise_descriptor_limit();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(measure())
}

async fn measure() -> Result<()> {
    let (github, token) = github().await?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse()?;
    let (daemon, url) = daemon(&github, folder.path(), &address).await?;
    let pid = daemon.id().ok_or("the daemon has ended")?;

    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{:32} {:>9} {:>9} {:>6} {:>9}",
        "", "RSS", "of data", "files", "idle CPU"
    )?;
    row(&mut out, pid, "just started").await?;
    fill(&url, &token).await?;
    row(&mut out, pid, &format!("{ENTRIES} entries")).await?;
    let peers = peers(&address).await?;
    row(&mut out, pid, &format!("{ENTRIES} entries, {PEERS} peers")).await?;
    let lost = peers
        .iter()
        .filter(|peer| peer.roster().peers.is_empty())
        .count();
    if lost > 0 {
        return Err(format!("{lost} peers were lost meanwhile").into());
    }
    Ok(())
}

/// A GitHub with as many issues as there are to be entries, none like the other and hard to compress.
async fn github() -> Result<(FakeGitHub, Token)> {
    let github = FakeGitHub::builder()
        .enforce_secondary(false)
        .start()
        .await?;
    github
        .change(|state| {
            state.create_repo(POOL, true)?;
            for number in 0..ENTRIES {
                let text: String = (0_u64..)
                    .flat_map(|part| format!("{:?}", digest(number, part)).into_bytes())
                    .map(char::from)
                    .take(TEXT)
                    .collect();
                state.create_issue(POOL, "title", &text)?;
            }
            Ok::<_, Missing>(())
        })
        .map_err(|_| "no such repository")?;
    let token = github.token(TokenSpec::classic("octocat").everything());
    github.set_limit(token.bucket(), "core", 10 * ENTRIES);
    Ok((github, token))
}

fn digest(number: u64, part: u64) -> Digest {
    Digest::of([&number.to_le_bytes()[..], &part.to_le_bytes()[..]])
}

/// A daemon as it is released, and where clients find it.
async fn daemon(
    github: &FakeGitHub,
    folder: &Path,
    address: &Multiaddr,
) -> Result<(Child, String)> {
    let secret = folder.join("secret");
    let mut file = fs::File::create(&secret)?;
    file.write_all(SECRET)?;
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_ghswarm"))
        .args([
            "serve",
            "--log-level=error",
            "--origin",
            &github.url(),
            "--pool",
            POOL,
        ])
        .args(["--p2p-listen", &address.to_string(), "--secret-file"])
        .arg(&secret)
        .arg("--cache-dir")
        .arg(folder.join("cache"))
        .arg("--state-dir")
        .arg(folder.join("state"))
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = daemon.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await?;
    let ready: serde_json::Value = serde_json::from_str(&line)?;
    let url = ready["api_url"].as_str().ok_or("no address")?.to_owned();
    Ok((daemon, url))
}

/// Has every issue asked for once.
async fn fill(url: &str, token: &Token) -> Result<()> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut answers = stream::iter(1..=ENTRIES)
        .map(|number| {
            let request = client.get(format!("{url}/repos/{POOL}/issues/{number}"));
            let request = request.header("authorization", token.authorization());
            async move { request.send().await?.error_for_status()?.bytes().await }
        })
        .buffer_unordered(16);
    while let Some(answer) = answers.next().await {
        answer?;
    }
    Ok(())
}

/// Members of the pool, connected with the daemon and nobody else.
async fn peers(address: &Multiaddr) -> Result<Vec<Client>> {
    let pool = Pool::new(POOL)?;
    let keys = PoolSecret::derive(&SharedSecret::new(SECRET)?, &pool, Cost::DEFAULT);
    let mut peers = Vec::new();
    for number in 0..PEERS {
        let seed = Zeroizing::new(*digest(u64::from(number), 0).as_bytes());
        let config = swarm::Config {
            secret: Some(Secret::Derived(keys.clone())),
            tickets: false,
            listen: vec!["/ip4/127.0.0.1/tcp/0".parse()?],
            bootstrap: vec![address.clone()],
            mdns: false,
            connections: 1,
            ..swarm::Config::new(pool.clone())
        };
        let (client, mut events, event_loop) = swarm::start(Identity::from_seed(&seed)?, config);
        tokio::spawn(event_loop.run());
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                answer(event);
            }
        });
        peers.push(client);
    }
    timeout(PATIENCE, async {
        let mut ticks = interval(Duration::from_millis(50));
        while peers.iter().any(|peer| peer.roster().peers.is_empty()) {
            ticks.tick().await;
        }
    })
    .await
    .map_err(|_| "not every peer was admitted")?;
    Ok(peers)
}

/// A peer that holds nothing and knows nobody.
fn answer(event: Event) {
    match event {
        Event::Lookup { reply, .. } => drop(reply.send(None)),
        Event::Stale { done, .. } | Event::EverythingStale { done, .. } => drop(done.send(())),
        Event::RecordsWanted { reply } => drop(reply.send(Vec::new())),
        Event::Offered { .. } | Event::Budget { .. } | Event::Introduced { .. } => {}
    }
}

/// Watches the daemon for a while and prints what it takes.
async fn row(out: &mut impl io::Write, pid: u32, name: &str) -> Result<()> {
    // What was just done settles: the disk is written behind.
    sleep(Duration::from_secs(3)).await;
    let before = cpu(pid)?;
    sleep(WATCHED).await;
    let busy = cpu(pid)?.saturating_sub(before);
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = |field: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.ok_or("no such field")?.parse()?)
    };
    let [all, data] = [kilobytes("VmRSS:")?, kilobytes("RssAnon:")?].map(|kb| kb / 1000.0);
    let files = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
    let share = busy.as_secs_f64() / WATCHED.as_secs_f64() * 100.0;
    writeln!(
        out,
        "{name:32} {all:6.1} MB {data:6.1} MB {files:6} {share:8.2}%"
    )?;
    Ok(())
}

/// The time that all processors have spent on a process.
fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name is in parentheses and may have spaces in it; utime and stime are fields 14 and 15.
    let fields = stat.rsplit_once(')').ok_or("no name")?.1.split_whitespace();
    let ticks = fields.skip(11).take(2).map(str::parse::<u32>);
    let ticks = ticks.sum::<std::result::Result<u32, _>>()?;
    Ok(TICK * ticks)
}
