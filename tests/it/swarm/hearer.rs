//! A member whose daemon does what it is told, writes it down, and can be stopped as SIGSTOP stops a process.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use ghswarm::api::Namespace;
use ghswarm::swarm::wire::message::Stale;
use ghswarm::swarm::{self, Client, Config, Event, PeerId, Told};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::member::{SOON, identity};
use super::moment::moment;

/// What the daemon was told, in order: names of repositories, `*` for the host, `everything: WHY`.
type Log = watch::Sender<Vec<String>>;

pub(crate) struct Hearer {
    pub(crate) client: Client,
    told: Log,
    stop: Arc<Mutex<Stop>>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Default)]
struct Stop {
    stopped: bool,
    waker: Option<Waker>,
}

/// A write to this repository.
pub(crate) fn repository(name: &str) -> Vec<Stale> {
    vec![Stale {
        namespace: Namespace::Repo(name.into()),
        id: None,
    }]
}

impl Hearer {
    pub(crate) fn start(number: u8, config: Config) -> Self {
        let (client, events, event_loop) = swarm::start(identity(number), config);
        let stop = Arc::<Mutex<Stop>>::default();
        let told = Log::default();
        let tasks = [
            tokio::spawn(unless_stopped(Arc::clone(&stop), event_loop.run())),
            tokio::spawn(unless_stopped(
                Arc::clone(&stop),
                hear(events, told.clone()),
            )),
        ];
        Self {
            client,
            told,
            stop,
            tasks,
        }
    }

    pub(crate) fn id(&self) -> PeerId {
        self.client.identity().peer_id()
    }

    /// Nothing of it runs any more; the kernel goes on taking what comes over its connections.
    pub(crate) fn stop(&self) {
        self.stop.lock().unwrap().stopped = true;
    }

    /// It goes on.
    pub(crate) fn go_on(&self) {
        let mut stop = self.stop.lock().unwrap();
        stop.stopped = false;
        if let Some(waker) = stop.waker.take() {
            waker.wake();
        }
    }

    /// What it was told until now.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.borrow().clone()
    }

    /// Forgets what it was told.
    pub(crate) fn forget(&self) {
        self.told.send_replace(Vec::new());
    }

    /// Waits until it was told `what`.
    pub(crate) async fn hears(&self, what: &str) {
        let heard = self.hears_within(what, SOON).await;
        assert!(heard, "never heard {what}: {:?}", self.told());
    }

    /// Whether it was told `what` within `time`.
    pub(crate) async fn hears_within(&self, what: &str, time: Duration) -> bool {
        let mut told = self.told.subscribe();
        let heard = told.wait_for(|told| told.iter().any(|told| told == what));
        timeout(time, heard).await.is_ok()
    }

    /// Waits until its writes are acknowledged by so many others.
    pub(crate) async fn reaches(&self, others: usize) {
        let reached = async {
            while self
                .client
                .invalidate(repository("probe/probe"))
                .await
                .acknowledged
                < others
            {
                moment().await;
            }
        };
        let reached = timeout(SOON, reached).await;
        reached.unwrap_or_else(|_| panic!("{} does not reach {others}", self.id()));
    }

    pub(crate) async fn writes(&self, name: &str) -> Told {
        let told = timeout(SOON, self.client.invalidate(repository(name))).await;
        told.expect("a write never waits for long")
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.client.contact().is_lost()
    }

    pub(crate) fn counted(&self, name: &str) -> u64 {
        let counts = self.client.counts();
        counts.reasons.get(name).copied().unwrap_or_default()
    }
}

impl Drop for Hearer {
    fn drop(&mut self) {
        // Its sockets close, as those of a process that is killed.
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn hear(mut events: mpsc::Receiver<Event>, told: Log) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Stale { stale, done } => {
                told.send_modify(|told| told.extend(stale.iter().map(name)));
                let _ = done.send(());
            }
            Event::EverythingStale { why, done } => {
                told.send_modify(|told| told.push(format!("everything: {why}")));
                let _ = done.send(());
            }
            Event::Budget { remaining, .. } => {
                told.send_modify(|told| told.push(format!("budget: {remaining}")));
            }
            _ => {}
        }
    }
}

fn name(stale: &Stale) -> String {
    match &stale.namespace {
        Namespace::Repo(name) => name.to_string(),
        Namespace::Host => "*".to_owned(),
        other => format!("{other:?}"),
    }
}

async fn unless_stopped(stop: Arc<Mutex<Stop>>, work: impl Future<Output = ()>) {
    let mut work = pin!(work);
    poll_fn(move |context| {
        {
            let mut stop = stop.lock().unwrap();
            if stop.stopped {
                stop.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
        }
        work.as_mut().poll(context)
    })
    .await;
}

/// So many members, each connected with each, and in contact.
pub(crate) async fn mesh(members: u8, config: &Config) -> Vec<Hearer> {
    let all: Vec<_> = (1..=members)
        .map(|number| Hearer::start(number, config.clone()))
        .collect();
    let mut addresses = Vec::new();
    for member in &all {
        for address in &addresses {
            let address: &swarm::Multiaddr = address;
            member.client.dial(address.clone());
        }
        addresses.push(address(&member.client).await);
    }
    for member in &all {
        member.reaches(all.len() - 1).await;
    }
    for member in &all {
        member.forget();
    }
    all
}

pub(crate) async fn address(client: &Client) -> swarm::Multiaddr {
    let listening = async {
        loop {
            if let Some(address) = client.addresses().await.pop() {
                return address;
            }
            moment().await;
        }
    };
    timeout(SOON, listening).await.expect("an address")
}
