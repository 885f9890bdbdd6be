//! How names become addresses: bounded, and for public hosts without those that are not public.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::guard;

/// Look-ups at the same time. The system's resolver cannot be interrupted: while its servers are
/// silent each look-up holds a thread for tens of seconds, long after its caller has given up.
const LOOKUPS: usize = 32;

/// What a look-up comes to.
pub(super) type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Who is asked for addresses.
#[derive(Clone, Default)]
pub enum Resolver {
    /// The system: `/etc/hosts`, DNS, and whatever else `getaddrinfo(3)` knows.
    #[default]
    System,
    /// A function of the name.
    Given(Arc<dyn Fn(&str) -> Answer + Send + Sync>),
}

impl Resolver {
    /// Asks `answer` and nobody else.
    pub fn given(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::Given(Arc::new(answer))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Given(_) => "Given",
        })
    }
}

/// A name has no address at all.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address")]
pub(super) struct NoAddress;

/// The resolver of a connection pool.
#[derive(Debug, Clone)]
pub(super) struct Names {
    resolver: Resolver,
    public_only: bool,
    lookups: Arc<Semaphore>,
}

impl Names {
    /// Every address that `resolver` finds.
    pub(super) fn new(resolver: Resolver) -> Self {
        Self {
            resolver,
            public_only: false,
            lookups: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }

    /// The same, but public addresses alone. A name is judged by the addresses that are then
    /// connected to, so one that resolves differently a moment later gains nothing.
    pub(super) fn public_only(&self) -> Self {
        Self {
            public_only: true,
            ..self.clone()
        }
    }

    async fn look_up(self, name: Name) -> Result<Addrs, Box<dyn std::error::Error + Send + Sync>> {
        let found = match &self.resolver {
            Resolver::System => system(name.as_str().to_owned(), self.lookups).await?,
            Resolver::Given(answer) => answer(name.as_str()).await?,
        };
        if found.is_empty() {
            return Err(NoAddress.into());
        }
        let kept = if self.public_only {
            guard::keep_public(found)?
        } else {
            found
        };
        Ok(Box::new(kept.into_iter().map(|ip| SocketAddr::new(ip, 0))))
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(self.clone().look_up(name))
    }
}

async fn system(name: String, lookups: Arc<Semaphore>) -> io::Result<Vec<IpAddr>> {
    // Never closed. Who gives up waiting here is told so by the time limit for connections.
    let seat = lookups.acquire_owned().await.ok();
    let found = tokio::task::spawn_blocking(move || {
        // Kept until the look-up is over, also when nobody waits for it any more.
        let _seat = seat;
        (name.as_str(), 0)
            .to_socket_addrs()
            .map(|found| found.map(|address| address.ip()).collect())
    });
    found.await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_means_this_machine_does_not_resolve_to_a_public_address() {
        let names = Names::new(Resolver::System);
        let name = || "localhost".parse::<Name>().unwrap();
        assert!(names.clone().look_up(name()).await.is_ok());
        let error = names.public_only().look_up(name()).await.err().unwrap();
        assert!(error.is::<guard::NotPublic>(), "{error}");
    }

    #[tokio::test]
    async fn an_empty_answer_is_an_error_and_not_a_host_without_addresses() {
        let names = Names::new(Resolver::given(|_| Box::pin(async { Ok(Vec::new()) })));
        let error = names.look_up("x".parse().unwrap()).await.err().unwrap();
        assert!(error.is::<NoAddress>(), "{error}");
    }
}
