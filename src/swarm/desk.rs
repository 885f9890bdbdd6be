//! The desk: where members hear what became of a lease. A thin shell around [`Table`].
//!
//! Peers' questions and our own lookups come to the same desk, so that we are one member among the others. There
//! is no timer of its own: whoever waits looks at the table when it is time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libp2p::PeerId;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::client::Source;
use super::config::Times;
use super::lease::{Outcome, Table, Taken, Ticket, Waiting, Woken};
use super::pool::WireKey;
use super::wire::message::Ended;
use super::wire::offer::Offer;
use crate::digest::Digest;

/// The leases that we give, and those who wait for them.
#[derive(Debug)]
pub(super) struct Desk {
    // A std mutex: held for operations on the table only, never across an await.
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    table: Table,
    waiting: HashMap<Ticket, oneshot::Sender<Heard>>,
}

/// What a waiter hears.
#[derive(Debug, Clone)]
pub(super) enum Heard {
    /// Here it is.
    Entry(Arc<Handed>),
    /// The body that it has is the current one.
    Same,
    /// It asks GitHub now, for everybody.
    Granted(Duration),
    /// Somebody still asks, for so long at most, and it has waited long enough.
    Held(Duration),
    /// It asks for itself: what there is may not be shared.
    NotShared,
    /// It asks for itself: there are too many who wait.
    Dismissed,
}

/// An entry that was stored while somebody waited for it.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) offer: Offer,
    /// Who stored it.
    pub(super) source: Source,
}

impl Desk {
    pub(super) fn new(times: &Times) -> Self {
        Self {
            inner: Mutex::new(Inner {
                table: Table::new(times.lease, times.lease_max),
                waiting: HashMap::new(),
            }),
        }
    }

    /// See [`Table::take`].
    pub(super) fn take(&self, key: &WireKey, member: PeerId) -> Taken {
        self.lock().table.take(key, member, Instant::now())
    }

    /// See [`Table::held`].
    pub(super) fn held(&self, key: &WireKey, member: PeerId) -> Option<Duration> {
        self.lock().table.held(key, member, Instant::now())
    }

    /// See [`Table::renew`].
    pub(super) fn renew(&self, key: &WireKey, member: PeerId) -> Option<Duration> {
        self.lock().table.renew(key, member, Instant::now())
    }

    /// See [`Table::end`].
    pub(super) fn end(&self, key: &WireKey, member: PeerId, ended: Ended) {
        let mut inner = self.lock();
        let woken = inner.table.end(key, member, ended, Instant::now());
        inner.tell(woken, None);
    }

    /// `member` stored `offer`, whose body has this digest. Everybody who waits is told.
    pub(super) fn stored(
        &self,
        key: &WireKey,
        member: PeerId,
        digest: Digest,
        handed: &Arc<Handed>,
    ) {
        let mut inner = self.lock();
        let woken = inner.table.stored(key, member, digest, Instant::now());
        inner.tell(woken, Some(handed));
    }

    /// A peer is not connected any more.
    pub(super) fn gone(&self, member: PeerId) {
        let mut inner = self.lock();
        let woken = inner.table.gone(member, Instant::now());
        inner.tell(woken, None);
    }

    /// Waits for the end of a lease, `most` at the longest. When this is dropped, nobody waits any more, and
    /// a lease that had just been granted goes to the next.
    pub(super) async fn wait(
        &self,
        key: &WireKey,
        member: PeerId,
        held: Option<Digest>,
        most: Duration,
    ) -> Heard {
        let (ticket, heard) = {
            let mut inner = self.lock();
            let now = Instant::now();
            match inner.table.wait(key, member, held, now + most, now) {
                Waiting::Not(outcome) => return Heard::from(outcome, None),
                Waiting::On(ticket) => {
                    let (sender, heard) = oneshot::channel();
                    inner.waiting.insert(ticket, sender);
                    (ticket, heard)
                }
            }
        };
        let mut seat = Seat {
            desk: self,
            key,
            member,
            ticket,
            heard,
        };
        loop {
            let look = self.lock().table.next_look(key, ticket);
            // No look: the outcome is there.
            let look = look.unwrap_or_else(Instant::now);
            tokio::select! {
                biased;
                heard = &mut seat.heard => return heard.unwrap_or(Heard::Dismissed),
                () = sleep_until(look) => {
                    let mut inner = self.lock();
                    let woken = inner.table.expire(key, Instant::now());
                    inner.tell(woken, None);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn tell(&mut self, woken: Woken, handed: Option<&Arc<Handed>>) {
        for (ticket, outcome) in woken {
            if let Some(waiter) = self.waiting.remove(&ticket) {
                // A seat that is being left looks for this itself.
                let _ = waiter.send(Heard::from(outcome, handed));
            }
        }
    }
}

impl Heard {
    fn from(outcome: Outcome, handed: Option<&Arc<Handed>>) -> Self {
        match (outcome, handed) {
            (Outcome::Stored, Some(handed)) => Self::Entry(Arc::clone(handed)),
            (Outcome::Same, _) => Self::Same,
            (Outcome::Granted(lease), _) => Self::Granted(lease),
            (Outcome::Held(remaining), _) => Self::Held(remaining),
            (Outcome::NotShared, _) => Self::NotShared,
            (Outcome::Stored, None) | (Outcome::Dismissed, _) => Self::Dismissed,
        }
    }
}

/// A waiter's place, until it has heard.
struct Seat<'a> {
    desk: &'a Desk,
    key: &'a WireKey,
    member: PeerId,
    ticket: Ticket,
    heard: oneshot::Receiver<Heard>,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut inner = self.desk.lock();
        if inner.waiting.remove(&self.ticket).is_some() {
            inner.table.leave(self.key, self.ticket);
        } else if matches!(self.heard.try_recv(), Ok(Heard::Granted(_))) {
            // It was told, and did not live to hear it.
            let now = Instant::now();
            let woken = inner.table.end(self.key, self.member, Ended::Failed, now);
            inner.tell(woken, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use zeroize::Zeroizing;

    use super::*;
    use crate::api::Key;
    use crate::swarm::Identity;
    use crate::swarm::wire::offer::Audience;

    const KEY: WireKey = WireKey([7; 32]);

    fn member(n: u8) -> PeerId {
        Identity::from_seed(&Zeroizing::new([n; 32]))
            .unwrap()
            .peer_id()
    }

    fn desk(lease: Duration) -> Arc<Desk> {
        Arc::new(Desk::new(&Times {
            lease,
            ..Times::default()
        }))
    }

    fn handed(by: PeerId) -> Arc<Handed> {
        let offer = Offer {
            key: Key::from_bytes([7; 32]),
            body: Bytes::from_static(b"{}"),
            content_type: None,
            api_version: None,
            links: None,
            vary: None,
            audience: Audience::Public,
            age: Duration::ZERO,
            origin_lifetime: Duration::ZERO,
            kinds: 1,
        };
        let source = Source::now(by, true, Duration::ZERO);
        Arc::new(Handed { offer, source })
    }

    /// Starts to wait, and is waiting when this returns.
    async fn waits(desk: &Arc<Desk>, n: u8) -> tokio::task::JoinHandle<Heard> {
        let waiting = desk.lock().waiting.len();
        let at = Arc::clone(desk);
        let task = tokio::spawn(async move {
            at.wait(&KEY, member(n), None, Duration::from_secs(60))
                .await
        });
        while desk.lock().waiting.len() == waiting {
            tokio::task::yield_now().await;
        }
        task
    }

    #[tokio::test]
    async fn whoever_waits_is_handed_the_entry() {
        let desk = desk(Duration::from_secs(60));
        desk.take(&KEY, member(1));
        let waiters = [waits(&desk, 2).await, waits(&desk, 3).await];
        let handed = handed(member(1));
        desk.stored(&KEY, member(1), handed.offer.digest(), &handed);
        for waiter in waiters {
            let heard = waiter.await.unwrap();
            assert!(matches!(heard, Heard::Entry(entry) if Arc::ptr_eq(&entry, &handed)));
        }
    }

    #[tokio::test]
    async fn a_holder_that_never_comes_back_is_replaced_while_somebody_waits() {
        let desk = desk(Duration::from_millis(100));
        desk.take(&KEY, member(1));
        let waiter = waits(&desk, 2).await;
        assert!(matches!(waiter.await.unwrap(), Heard::Granted(_)));
        assert!(matches!(desk.take(&KEY, member(3)), Taken::Held(_)));
    }

    #[tokio::test]
    async fn a_waiter_that_goes_away_holds_up_nobody() {
        let desk = desk(Duration::from_secs(60));
        desk.take(&KEY, member(1));
        let (away, stays) = (waits(&desk, 2).await, waits(&desk, 3).await);
        away.abort();
        assert!(away.await.is_err());
        desk.end(&KEY, member(1), Ended::Failed);
        assert!(matches!(stays.await.unwrap(), Heard::Granted(_)));
    }

    #[tokio::test]
    async fn a_lease_granted_to_a_waiter_that_goes_away_goes_to_the_next() {
        let desk = desk(Duration::from_secs(60));
        desk.take(&KEY, member(1));
        let (away, stays) = (waits(&desk, 2).await, waits(&desk, 3).await);
        // Both before the first one runs again.
        desk.end(&KEY, member(1), Ended::Failed);
        away.abort();
        assert!(away.await.is_err());
        assert!(matches!(stays.await.unwrap(), Heard::Granted(_)));
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_they_want_to() {
        let desk = desk(Duration::from_secs(60));
        desk.take(&KEY, member(1));
        let heard = desk.wait(&KEY, member(2), None, Duration::from_millis(20));
        assert!(matches!(heard.await, Heard::Held(_)));
        assert!(desk.lock().waiting.is_empty());
    }
}
