//! A fake of the Actions cache service, version 2: the calls that `@actions/cache` makes, and the blob store that
//! its signed URLs lead to.
//!
//! Written from the client's source (`actions/toolkit`, `packages/cache`) and from what others saw of the real
//! service; `tests/it/actions_cache` holds it against the official client. What it knows of the real one:
//!
//! - an entry is reserved, uploaded and finalised, and never changes; its name is taken in its scope from the
//!   reservation on;
//! - a lookup goes through the scopes that the token can read, in the token's order; in each, `key` must be the
//!   whole name and a restore key the start of one, of which the newest wins;
//! - at most 200 new entries in a minute for each repository, then 429 with `Retry-After`;
//! - a token that may not write hears so in a 200 whose `ok` is false, one that may not read in a 403;
//! - what was finalised may be looked up a little later ([`FakeActionsCache::lag`]).
//!
//! The entries can also be listed as GitHub's REST API lists them, for the tokens of
//! [`FakeActionsCache::lets_list`].

mod blob;
mod listing;
mod seen;
mod server;
mod service;
mod store;
mod token;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::Clock;

pub use seen::Request;
pub use store::Listed;
pub use token::Claims;

use server::Shared;
use store::Store;

/// What goes wrong with every call of the service, and not with its blobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 503, as a gateway says it.
    Unavailable,
    /// 429, to be tried again after so many seconds.
    RateLimited(u64),
    /// Nothing is ever answered.
    Silent,
    /// 200 with a page of HTML.
    Nonsense,
    /// 200 with so many bytes that nobody should read all of them.
    Huge(usize),
    /// 401, as for a token that has just run out.
    Expired,
}

/// How a fake is set up.
#[derive(Debug, Clone)]
pub struct Builder {
    clock: Clock,
    listen: SocketAddr,
    seed: u64,
}

impl Builder {
    /// The clock; the system's by default.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The address to listen on; `127.0.0.1:0` by default.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// What its tokens and signed URLs are made from: the same seed makes the same tokens.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Starts the fake on the current tokio runtime.
    pub async fn start(self) -> io::Result<FakeActionsCache> {
        let listener = TcpListener::bind(self.listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(Store::new(self.clock, self.seed)));
        let task = tokio::spawn(server::run(listener, Arc::clone(&shared)));
        Ok(FakeActionsCache {
            address,
            shared,
            task,
        })
    }
}

/// A running fake; dropping it ends it.
#[derive(Debug)]
pub struct FakeActionsCache {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl FakeActionsCache {
    /// A fake with nothing in it, to be adjusted.
    pub fn builder() -> Builder {
        Builder {
            clock: Clock::system(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            seed: 1,
        }
    }

    /// What the runner would put into `ACTIONS_RESULTS_URL`, with the slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What the runner would put into `ACTIONS_RUNTIME_TOKEN`.
    pub fn token(&self, claims: &Claims) -> String {
        let store = self.shared.store();
        claims.sign(store.now() / 1000, store.seed())
    }

    /// Everything that is finalised, oldest first.
    pub fn entries(&self) -> Vec<Listed> {
        self.shared.store().listed(None)
    }

    /// Names that are reserved and not finalised.
    pub fn reserved(&self) -> usize {
        self.shared.store().reserved()
    }

    /// Puts an entry there as somebody else would have: `scope` is a full ref.
    pub fn put(&self, repository: u64, scope: &str, key: &str, version: &str, bytes: &[u8]) {
        let bytes = Bytes::copy_from_slice(bytes);
        self.shared
            .store()
            .put((repository, scope.to_owned()), key, version, bytes);
    }

    /// The bytes of a finalised entry.
    pub fn bytes(&self, key: &str) -> Option<Bytes> {
        self.shared.store().bytes_of(key)
    }

    /// Removes the entries whose names begin so; how many there were.
    pub fn evict(&self, prefix: &str) -> usize {
        self.shared.store().evict(prefix)
    }

    /// From now on an entry is found that much later than it was finalised.
    pub fn lag(&self, lag: Duration) {
        self.shared.store().lag(lag);
    }

    /// From now on this goes wrong; `None` ends it.
    pub fn trouble(&self, trouble: Option<Trouble>) {
        self.shared.set_trouble(trouble);
    }

    /// From now on `token` may list the entries of `repository` over REST; any other is refused.
    pub fn lets_list(&self, token: &str, repository: u64) {
        self.shared.store().lets_list(token, repository);
    }

    /// What was asked so far, oldest first, without any token or signature.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests()
    }

    /// Waits until somebody has asked for `count` things whose names have `part` in them.
    pub async fn asked(&self, part: &str, count: usize) {
        self.shared.asked(part, count).await;
    }

    /// Ends the fake and waits for its listener to close.
    pub async fn stop(mut self) {
        self.task.abort();
        // The task was aborted: its result says nothing.
        let _ = (&mut self.task).await;
    }
}

impl Drop for FakeActionsCache {
    fn drop(&mut self) {
        self.task.abort();
    }
}
