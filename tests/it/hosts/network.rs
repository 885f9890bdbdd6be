//! Machines of their own: network namespaces, each with one cable to one switch.
//!
//! ```text
//!   host 1 ── 198.18.1.1 ─┐
//!   host 2 ── 198.18.1.2 ─┤ switch (a namespace with a bridge) ── 198.18.0.1 GitHub
//!   …                     ┘
//! ```
//!
//! The addresses are those that RFC 2544 keeps for measurements; nothing here can be reached from outside. Hosts
//! and GitHub have different /24s, so that hosts can be cut off from each other and not from GitHub.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use ghswarm_lab::{Clock, FakeActionsCache, FakeGitHub};
use rustix::fd::AsFd as _;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::oneshot;

use crate::needs;

/// What all names begin with; then the process, the number of the network, and the machine.
const PREFIX: &str = "ghswarm-it";
/// Where `ip netns` keeps its names.
const NAMES: &str = "/run/netns";
/// Where the fake GitHub listens, in the switch.
pub(crate) const GITHUB: &str = "198.18.0.1:9400";
/// Where the fake Actions cache service listens, in the switch.
pub(crate) const CACHE_SERVICE: &str = "198.18.0.1:9401";
/// The hosts, without GitHub.
const HOSTS: &str = "198.18.1.0/24";

/// Networks that this process has made so far.
static MADE: AtomicUsize = AtomicUsize::new(0);

/// A switch with hosts. Dropping it takes everything away, also when a story panics.
pub(crate) struct Network {
    name: String,
    hosts: usize,
}

/// A way in which packets between hosts fail. Those to GitHub arrive.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// None arrives, and nobody is told so.
    Cut,
    /// One of five is lost.
    Loss,
    /// Those of mDNS are dropped.
    NoMulticast,
}

impl Network {
    /// Hosts 1 to `hosts`. `None`, after saying so, where this machine cannot have them.
    pub(crate) fn new(hosts: usize) -> Option<Self> {
        sweep();
        let number = MADE.fetch_add(1, Relaxed);
        let name = format!("{PREFIX}-{}-{number}", std::process::id());
        let permitted = ["ip", "iptables"].map(needs::program);
        if permitted.contains(&None) || !try_ip(&["netns", "add", &format!("{name}-0")]) {
            needs::skip("namespaces");
            return None;
        }
        let network = Self { name, hosts };
        let switch = network.namespace(0);
        network.ip(0, "link set lo up");
        // A bridge that learns nothing about multicast groups passes it to everybody.
        network.ip(0, "link add br0 type bridge mcast_snooping 0");
        network.ip(0, "addr add 198.18.0.1/15 dev br0");
        network.ip(0, "link set br0 up");
        for host in 1..=hosts {
            let namespace = network.namespace(host);
            ip(&["netns", "add", &namespace]);
            let cable = format!(
                "link add v{host} netns {switch} type veth peer name eth0 netns {namespace}"
            );
            ip(&cable.split(' ').collect::<Vec<_>>());
            network.ip(0, &format!("link set v{host} master br0 up"));
            network.ip(host, "link set lo up");
            network.ip(host, &format!("addr add 198.18.1.{host}/15 dev eth0"));
            network.ip(host, "link set eth0 up");
            // Multicast goes nowhere without a route.
            network.ip(host, "route add default dev eth0");
        }
        Some(network)
    }

    /// The numbers of all hosts.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = usize> + use<> {
        1..=self.hosts
    }

    /// The name of a host's namespace; 0 is the switch.
    pub(crate) fn namespace(&self, host: usize) -> String {
        format!("{}-{host}", self.name)
    }

    /// The file that stands for a host's namespace.
    pub(crate) fn path(&self, host: usize) -> String {
        format!("{NAMES}/{}", self.namespace(host))
    }

    /// A fake GitHub that every host reaches under [`GITHUB`].
    pub(crate) fn github(&self) -> Github {
        self.github_at(Clock::system())
    }

    /// The same by a clock of the story's own.
    pub(crate) fn github_at(&self, clock: Clock) -> Github {
        let github = FakeGitHub::builder().clock(clock).listen(address(GITHUB));
        self.serve(move || github.start())
    }

    /// A fake of the Actions cache service that every host reaches under [`CACHE_SERVICE`].
    pub(crate) fn cache_service(&self) -> Served<FakeActionsCache> {
        let service = FakeActionsCache::builder().listen(address(CACHE_SERVICE));
        self.serve(move || service.start())
    }

    /// Runs what `start` starts on a thread of its own, in the switch.
    fn serve<T, S, F>(&self, start: S) -> Served<T>
    where
        T: Send + Sync + 'static,
        S: FnOnce() -> F + Send + 'static,
        F: Future<Output = io::Result<T>>,
    {
        let namespace = self.path(0);
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        // A socket belongs to the namespace of the thread that makes it.
        let thread = std::thread::spawn(move || {
            let namespace = fs::File::open(namespace).unwrap();
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(namespace.as_fd(), kind).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                ready.send(Arc::new(start().await.unwrap())).unwrap();
                // An error says that nobody is left who could ask.
                let _ = stopped.await;
            });
        });
        Served {
            fake: started.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Makes trouble between `host` and the other hosts.
    pub(crate) fn trouble(&self, host: usize, trouble: Trouble) {
        self.rules(host, "-A", trouble);
    }

    /// Ends what [`Network::trouble`] began.
    pub(crate) fn heal(&self, host: usize, trouble: Trouble) {
        self.rules(host, "-D", trouble);
    }

    /// Pulls the cable of `host`, or puts it back: nothing arrives, GitHub's answers neither.
    pub(crate) fn plug(&self, host: usize, connected: bool) {
        let state = if connected { "up" } else { "down" };
        self.ip(0, &format!("link set v{host} {state}"));
    }

    /// The sockets of `host` that somebody could talk to, as the kernel lists them.
    pub(crate) fn listeners(&self, host: usize) -> Vec<String> {
        let listed = |kind: &str, open: &str| {
            let file = format!("/proc/net/{kind}");
            let words = ["netns", "exec", &self.namespace(host), "cat", &file];
            let output = run(&words).expect("ip can be run");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let lines = text.lines().skip(1).map(str::trim);
            let lines = lines.filter(|line| line.split_whitespace().nth(3) == Some(open));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        // TCP_LISTEN, and what UDP has that is connected with nobody (include/net/tcp_states.h).
        let kinds = [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")];
        kinds
            .iter()
            .flat_map(|(kind, open)| listed(kind, open))
            .collect()
    }

    fn rules(&self, host: usize, change: &str, trouble: Trouble) {
        // Who receives drops: whoever sends would be told if its own machine did.
        let rules = match trouble {
            Trouble::Cut => {
                let others = self.hosts().filter(|other| *other != host);
                let theirs = others.map(|other| (other, format!("-s 198.18.1.{host}")));
                let own = (host, format!("-s {HOSTS}"));
                theirs.chain([own]).collect()
            }
            Trouble::Loss => {
                let one_of_five = "-m statistic --mode random --probability 0.2";
                vec![(host, format!("-s {HOSTS} {one_of_five}"))]
            }
            Trouble::NoMulticast => vec![(host, "-p udp --dport 5353".to_owned())],
        };
        for (host, rule) in rules {
            let namespace = self.namespace(host);
            // Several stories at once: the lock of xtables is waited for.
            let line = format!("netns exec {namespace} iptables -w {change} INPUT {rule} -j DROP");
            ip(&line.split(' ').collect::<Vec<_>>());
        }
    }

    fn ip(&self, host: usize, line: &str) {
        let namespace = self.namespace(host);
        let mut words = vec!["-n", &namespace];
        words.extend(line.split(' '));
        ip(&words);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in 0..=self.hosts {
            // One that was not made yet cannot be deleted.
            try_ip(&["netns", "del", &self.namespace(host)]);
        }
    }
}

/// A fake GitHub in the switch.
pub(crate) type Github = Served<FakeGitHub>;

/// A fake on a thread that is in the switch.
pub(crate) struct Served<T> {
    pub(crate) fake: Arc<T>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl<T> Drop for Served<T> {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It panics where a story does, and then that one tells.
            let _ = thread.join();
        }
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Namespaces of processes that were killed before they could take them away.
fn sweep() {
    let Ok(names) = fs::read_dir(NAMES) else {
        return;
    };
    for name in names.flatten() {
        let name = name.file_name().to_string_lossy().into_owned();
        let rest = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_prefix('-'));
        let process = rest.and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !fs::exists(format!("/proc/{process}")).unwrap_or(true)) {
            try_ip(&["netns", "del", &name]);
        }
    }
}

fn run(words: &[&str]) -> Option<Output> {
    Command::new(needs::program("ip")?)
        .args(words)
        .output()
        .ok()
}

fn try_ip(words: &[&str]) -> bool {
    run(words).is_some_and(|output| output.status.success())
}

fn ip(words: &[&str]) {
    let output = run(words).expect("ip can be run");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words:?}: {error}");
}
