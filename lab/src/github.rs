//! The fake's front door: build it, steer it, ask what it saw.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::desk::{Config, Desk};
use crate::fault::Fault;
use crate::gate::{Gate, Phase};
use crate::limits::Window;
use crate::matcher::Matcher;
use crate::seed::Seed;
use crate::server::{self, Shared};
use crate::state::State;
use crate::token::{Access, Token, TokenSpec};
use crate::usage::{Seen, Usage};

/// A change of the fake's state that is kept for later.
pub type Change = Box<dyn FnOnce(&mut State) + Send>;

/// Boxes a change for a script.
pub fn change(change: impl FnOnce(&mut State) + Send + 'static) -> Change {
    Box::new(change)
}

/// How a fake is set up.
#[derive(Clone, Debug)]
pub struct Builder {
    clock: Clock,
    seed: Seed,
    listen: SocketAddr,
    socket: Option<PathBuf>,
    config: Config,
}

impl Builder {
    /// The clock; the system's by default.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// What the fake knows at first.
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = seed;
        self
    }

    /// The address to listen on; `127.0.0.1:0` by default.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Listens on a Unix socket too.
    #[must_use]
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = Some(path.into());
        self
    }

    /// Whether requests over a secondary limit are refused; they are counted anyway.
    #[must_use]
    pub fn enforce_secondary(mut self, enforce: bool) -> Self {
        self.config.enforce_secondary = enforce;
        self
    }

    /// The status of such a refusal: 403 (default) or 429.
    #[must_use]
    pub fn secondary_status(mut self, status: u16) -> Self {
        self.config.secondary_status = status;
        self
    }

    /// The start of every address in bodies, `Link` and `Location`.
    #[must_use]
    pub fn public_base(mut self, base: &str) -> Self {
        self.config.base = base.trim_end_matches('/').into();
        self
    }

    /// Starts the fake on the current tokio runtime.
    pub async fn start(self) -> io::Result<FakeGitHub> {
        let tcp = TcpListener::bind(self.listen).await?;
        let address = tcp.local_addr()?;
        let unix = self.socket.as_ref().map(UnixListener::bind).transpose()?;
        let base = self.config.base.clone();
        let desk = Desk::new(self.config, self.clock.clone(), self.seed);
        let shared = Arc::new(Shared::new(desk));
        let task = tokio::spawn(server::run(tcp, unix, shared.clone()));
        Ok(FakeGitHub {
            address,
            base,
            clock: self.clock,
            socket: self.socket,
            shared,
            task,
        })
    }
}

/// A running fake; dropping it ends it.
pub struct FakeGitHub {
    address: SocketAddr,
    base: String,
    clock: Clock,
    socket: Option<PathBuf>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl FakeGitHub {
    /// A fake with the default seed, to be adjusted.
    pub fn builder() -> Builder {
        Builder {
            clock: Clock::system(),
            seed: Seed::default(),
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            socket: None,
            config: Config::default(),
        }
    }

    /// Where it listens, such as `http://127.0.0.1:40001`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The start of addresses in its answers.
    pub fn public_base(&self) -> &str {
        &self.base
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Makes a token.
    pub fn token(&self, spec: TokenSpec) -> Token {
        self.shared.desk().mint(spec)
    }

    /// Makes an App's JWT.
    pub fn app_token(&self) -> Token {
        self.shared.desk().mint_app()
    }

    /// Lets a token into a repository.
    pub fn grant(&self, token: &Token, repo: &str, access: Access) {
        self.shared
            .desk()
            .set_access(token.value(), repo, Some(access));
    }

    /// Shuts a token out of a (private) repository.
    pub fn withdraw(&self, token: &Token, repo: &str) {
        self.shared.desk().set_access(token.value(), repo, None);
    }

    /// Makes a token invalid: 401 from now on.
    pub fn revoke(&self, token: &Token) {
        self.shared.desk().tokens.revoke(token.value());
    }

    /// Gives a bucket another primary limit for a resource.
    pub fn set_limit(&self, bucket: &str, resource: &str, limit: u64) {
        self.shared.desk().limits.set_limit(bucket, resource, limit);
    }

    /// Sets what a bucket has used of a resource in its window.
    pub fn set_used(&self, bucket: &str, resource: &str, used: u64) {
        let now = self.clock.seconds();
        self.shared
            .desk()
            .limits
            .set_used(bucket, resource, used, now);
    }

    /// What is left for a bucket; nothing known means the window hasn't begun.
    pub fn window(&self, bucket: &str, resource: &str) -> Option<Window> {
        self.shared
            .desk()
            .limits
            .peek(bucket, resource, self.clock.seconds())
    }

    /// Changes the state at once.
    pub fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut desk = self.shared.desk();
        desk.catch_up();
        change(&mut desk.state)
    }

    /// Changes the state when the clock has moved `after` from now.
    pub fn schedule(&self, after: Duration, change: impl FnOnce(&mut State) + Send + 'static) {
        self.script(vec![(after, Box::new(change))]);
    }

    /// Many scheduled changes.
    pub fn script(&self, changes: Vec<(Duration, Change)>) {
        let now = self.clock.millis();
        let mut desk = self.shared.desk();
        for (after, change) in changes {
            let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            desk.schedule(now.saturating_add(after), change);
        }
    }

    /// Lets something go wrong for the requests that `matcher` means.
    pub fn fault(&self, matcher: Matcher, fault: Fault) {
        self.shared.desk().faults.add(matcher, fault);
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        self.shared.desk().faults.clear();
    }

    /// Parks the requests that `matcher` means before they read state.
    pub fn hold(&self, matcher: Matcher) -> Gate {
        self.hold_at(matcher, Phase::BeforeRead)
    }

    /// Parks the requests that `matcher` means at a chosen point.
    pub fn hold_at(&self, matcher: Matcher, phase: Phase) -> Gate {
        self.shared.gates.hold(matcher, phase)
    }

    /// What was counted so far.
    pub fn usage(&self) -> Usage {
        self.shared.desk().ledger.usage.clone()
    }

    /// Forgets counts and log.
    pub fn reset_usage(&self) {
        self.shared.desk().ledger.reset();
    }

    /// The newest requests, oldest first.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.desk().ledger.log()
    }

    /// Ends the fake and waits for its listener to close.
    pub async fn stop(mut self) {
        self.task.abort();
        // The task was aborted: its result says nothing.
        let _ = (&mut self.task).await;
    }
}

impl Drop for FakeGitHub {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(path) = &self.socket {
            // Somebody else may have removed it already.
            let _ = std::fs::remove_file(path);
        }
    }
}
