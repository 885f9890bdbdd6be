//! Two members' words as they come from the network, without one.

use libp2p::PeerId;
use libp2p::gossipsub::MessageAcceptance;
use tokio::sync::mpsc;

use super::*;
use crate::api::Namespace;
use crate::swarm::client::Event;
use crate::swarm::config::{Config, Secret};
use crate::swarm::event_loop::Command;
use crate::swarm::gossip;
use crate::swarm::identity::Identity;
use crate::swarm::pool::{Names, Pool};
use crate::swarm::roster::{Coverage, Peer};
use crate::swarm::shared::Keys;

struct Daemon {
    shared: Arc<Shared>,
    events: mpsc::Receiver<Event>,
    commands: mpsc::Receiver<Command>,
}

impl Daemon {
    /// One that has admitted `peers`.
    fn new(seed: u8, peers: &[PeerId]) -> Self {
        let pool = Pool::new("octo-org/app").expect("a name");
        let identity = Identity::from_seed(&[seed; 32].into()).expect("a seed");
        let (sender, events) = mpsc::channel(64);
        let (orders, commands) = mpsc::channel(64);
        let config = Config::new(pool.clone());
        assert!(!matches!(config.secret, Some(Secret::Raw(..))));
        let shared = Arc::new(Shared::new(identity, config, sender, orders));
        let keys = Keys {
            names: Names::of(&pool, None),
            pool: pool.tag(),
            secret: None,
        };
        shared.keys.set(keys).expect("they are set once");
        let mut peers: Vec<_> = peers.iter().copied().map(row).collect();
        peers.sort_by_key(|peer| peer.id);
        shared.admitted(peers);
        Self {
            shared,
            events,
            commands,
        }
    }

    fn id(&self) -> PeerId {
        self.shared.identity.peer_id()
    }

    /// What it says to everybody next.
    async fn says(&mut self) -> Vec<u8> {
        loop {
            if let Some(Command::Publish(bytes)) = self.commands.recv().await {
                return bytes;
            }
        }
    }

    /// Has greeted `peer`, and heard of its writes up to `position`.
    fn has_heard(&self, peer: PeerId, position: Position) {
        let contacts = &self.shared.contacts;
        contacts.with(|book, now| {
            let (connection, _) = book.greeting(peer).expect("it is admitted");
            book.greeted(peer, connection, now, position);
        });
    }

    /// The next write that takes effect here.
    async fn applies(&mut self) -> Vec<Stale> {
        let event = timeout(Duration::from_secs(10), self.events.recv()).await;
        match event.expect("a write is heard of") {
            Some(Event::Stale { stale, done }) => {
                done.send(()).expect("somebody waits for it");
                stale
            }
            other => panic!("{other:?}"),
        }
    }
}

fn row(id: PeerId) -> Peer {
    Peer {
        id,
        coverage: Coverage::Public,
        by_secret: false,
        suspect: false,
    }
}

fn id(seed: u8) -> PeerId {
    let identity = Identity::from_seed(&[seed; 32].into()).expect("a seed");
    identity.peer_id()
}

fn app() -> Vec<Stale> {
    vec![Stale {
        namespace: Namespace::Repo("octo-org/app".into()),
        id: None,
    }]
}

#[tokio::test]
async fn what_does_not_come_directly_comes_through_others() {
    let (mut writer, mut reader) = (Daemon::new(1, &[id(2)]), Daemon::new(2, &[id(1)]));
    let before = writer.shared.contacts.with(|book, _| book.position());
    reader.has_heard(writer.id(), before);
    let keeping = tokio::spawn(keep(Arc::clone(&reader.shared)));

    write(&writer.shared, app());
    let said = writer.says().await;
    let heard = gossip::hear(&reader.shared, Some(writer.id()), &said);
    assert!(matches!(heard, MessageAcceptance::Accept));
    assert_eq!(reader.applies().await, app());

    // The message itself comes late: it is known, and the writer may count on it.
    let position = writer.shared.contacts.with(|book, _| book.position());
    let from = row(writer.id());
    let answer = told(&reader.shared, &from, position, app()).await;
    assert_eq!(answer, Answer::Ack);
    assert!(reader.events.try_recv().is_err());
    keeping.abort();
}

#[tokio::test]
async fn through_others_nobody_makes_us_believe_in_a_gap() {
    let (mut writer, mut reader) = (Daemon::new(1, &[id(2)]), Daemon::new(2, &[id(1)]));
    let before = writer.shared.contacts.with(|book, _| book.position());
    reader.has_heard(writer.id(), before);
    let keeping = tokio::spawn(keep(Arc::clone(&reader.shared)));
    write(&writer.shared, app());
    write(&writer.shared, app());
    writer.says().await;
    let second = writer.says().await;
    gossip::hear(&reader.shared, Some(writer.id()), &second);
    tokio::task::yield_now().await;
    assert!(reader.events.try_recv().is_err());
    // The writer itself can.
    let position = writer.shared.contacts.with(|book, _| book.position());
    let shared = Arc::clone(&reader.shared);
    let from = row(writer.id());
    let answer = tokio::spawn(async move { told(&shared, &from, position, app()).await });
    match reader.events.recv().await {
        Some(Event::EverythingStale { why, done }) => {
            assert_eq!(why, "everything-stale-gap");
            done.send(()).expect("somebody waits for it");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(answer.await.expect("no panic"), Answer::Ack);
    keeping.abort();
}

#[tokio::test]
async fn who_is_not_admitted_says_nothing_and_who_lies_is_dropped() {
    let (mut writer, mut reader) = (Daemon::new(1, &[id(2)]), Daemon::new(2, &[id(1)]));
    write(&writer.shared, app());
    let said = writer.says().await;
    for author in [None, Some(id(9)), Some(reader.id())] {
        let heard = gossip::hear(&reader.shared, author, &said);
        assert!(matches!(heard, MessageAcceptance::Ignore), "{author:?}");
    }
    for _ in 0..3 {
        let heard = gossip::hear(&reader.shared, Some(writer.id()), b"nonsense");
        assert!(matches!(heard, MessageAcceptance::Reject));
    }
    match reader.commands.recv().await {
        Some(Command::Drop(peer, reason)) => {
            assert_eq!((peer, reason), (writer.id(), "malformed"));
        }
        other => panic!("{other:?}"),
    }
    assert!(reader.events.try_recv().is_err());
}

#[tokio::test]
async fn a_daemon_that_does_not_take_a_write_does_not_acknowledge_it() {
    let (writer, mut reader) = (Daemon::new(1, &[id(2)]), Daemon::new(2, &[id(1)]));
    let before = writer.shared.contacts.with(|book, _| book.position());
    reader.has_heard(writer.id(), before);
    write(&writer.shared, app());
    let position = writer.shared.contacts.with(|book, _| book.position());
    // Nobody reads its events any more.
    reader.events.close();
    let from = row(writer.id());
    let answer = told(&reader.shared, &from, position, app()).await;
    assert_eq!(answer, Answer::Busy);
}

#[tokio::test]
async fn too_many_writes_make_everything_stale_and_end_the_contact() {
    let (writer, mut reader) = (Daemon::new(1, &[id(2)]), Daemon::new(2, &[id(1)]));
    let from = row(writer.id());
    reader.has_heard(
        writer.id(),
        Position {
            epoch: 1,
            sequence: 1_000_000,
        },
    );
    let shared = Arc::clone(&reader.shared);
    let flood = tokio::spawn(async move {
        for sequence in 0..2_000 {
            told(&shared, &from, Position { epoch: 1, sequence }, app()).await;
        }
    });
    match reader.events.recv().await {
        Some(Event::EverythingStale { why, done }) => {
            assert_eq!(why, "everything-stale-flood");
            done.send(()).expect("somebody waits for it");
        }
        other => panic!("{other:?}"),
    }
    match reader.commands.recv().await {
        Some(Command::Drop(peer, reason)) => {
            assert_eq!((peer, reason), (writer.id(), "invalidation-flood"));
        }
        other => panic!("{other:?}"),
    }
    // Once is enough: what it says afterwards is not even heard.
    flood.await.expect("no panic");
    assert!(reader.events.try_recv().is_err());
}
