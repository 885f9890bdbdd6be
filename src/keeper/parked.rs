//! What a daemon had in flight when it died: clients that wait, and what was read of them.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;

use crate::proxy::parking::{Line, MAX_BYTES, MAX_PARKED, Message, Parked};

/// A request that has seen so many daemons die may be what kills them.
const DEATHS: u32 = 3;
/// Marks the ids that a keeper gives; daemons count from zero.
const HANDED_OVER: u64 = 1 << 63;

/// The parked clients.
#[derive(Debug, Default)]
pub(super) struct Lot {
    held: BTreeMap<u64, Held>,
    bytes: usize,
    /// Those that the daemon has to be told of.
    orphans: VecDeque<u64>,
}

#[derive(Debug)]
struct Held {
    parked: Parked,
    deaths: u32,
}

impl Lot {
    /// Does what the daemon asks for, and tells it of its orphans. Nothing is lost if the future is
    /// dropped.
    pub(super) async fn attend(&mut self, daemon: &Line) -> Infallible {
        loop {
            tokio::select! {
                message = daemon.receive() => match message {
                    Ok(message) => self.obey(message),
                    Err(error) => {
                        tracing::warn!(%error, "requests in flight will end with the daemon");
                        return std::future::pending().await;
                    }
                },
                told = tell(daemon, self.next()) => {
                    let orphan = self.orphans.pop_front();
                    // A dead daemon refuses; whoever it was not told of is held for the next one.
                    if let Err(error) = told
                        && error.kind() != io::ErrorKind::ConnectionRefused
                    {
                        tracing::warn!(%error, "a request in flight cannot be handed over");
                        self.obey(orphan.map(Message::Release));
                    }
                }
            }
        }
    }

    /// Does what a daemon asked for before it died.
    pub(super) fn hear(&mut self, daemon: &Line) {
        while let Ok(message) = daemon.try_receive() {
            self.obey(message);
        }
    }

    /// Does what a daemon asks for, if that makes sense.
    fn obey(&mut self, message: Option<Message>) {
        match message {
            // Whom we cannot hold ends with the daemon.
            None | Some(Message::Lost(_)) => {}
            Some(Message::Ready) => {
                let handed_over = self.held.range(HANDED_OVER..);
                self.orphans = handed_over.map(|(id, _)| *id).collect();
            }
            // A daemon keeps to the bounds. Should one not, what is over them ends with it.
            Some(Message::Park(id, parked)) => {
                let bytes = self.bytes + parked.bytes.len();
                if self.held.len() < MAX_PARKED && bytes <= MAX_BYTES {
                    self.bytes = bytes;
                    let deaths = 0;
                    self.held.insert(id, Held { parked, deaths });
                }
            }
            Some(Message::Release(id)) => {
                if let Some(held) = self.held.remove(&id) {
                    self.bytes -= held.parked.bytes.len();
                }
            }
        }
    }

    /// The daemon died: whoever still waits is an orphan. Returns how many there are.
    pub(super) fn orphan(&mut self) -> usize {
        self.orphans.clear();
        let held = std::mem::take(&mut self.held).into_values();
        let waiting = held.filter_map(|Held { parked, deaths }| {
            let deaths = deaths + 1;
            (deaths <= DEATHS && !parked.is_gone()).then_some(Held { parked, deaths })
        });
        self.held = (HANDED_OVER..).zip(waiting).collect();
        let bytes = self.held.values().map(|held| held.parked.bytes.len());
        self.bytes = bytes.sum();
        self.held.len()
    }

    /// The next orphan that the daemon has to be told of.
    fn next(&mut self) -> Option<(u64, &Parked)> {
        // One that was released meanwhile needs nobody any more.
        while let Some(id) = self.orphans.front() {
            if self.held.contains_key(id) {
                break;
            }
            self.orphans.pop_front();
        }
        let id = *self.orphans.front()?;
        Some((id, &self.held.get(&id)?.parked))
    }

    /// Everybody who waits, for us to answer.
    pub(super) fn take(&mut self) -> Vec<Parked> {
        let held = std::mem::take(self).held.into_values();
        held.map(|held| held.parked)
            .filter(|parked| !parked.is_gone())
            .collect()
    }
}

async fn tell(daemon: &Line, orphan: Option<(u64, &Parked)>) -> io::Result<()> {
    match orphan {
        Some((id, parked)) => daemon.hand_over(id, parked).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::proxy::parking::Entrance;

    fn park(lot: &mut Lot, id: u64, length: usize) -> UnixStream {
        let (client, server) = UnixStream::pair().unwrap();
        let parked = Parked {
            entrance: Entrance::Unix,
            bytes: vec![b'x'; length].into(),
            socket: server.into(),
        };
        lot.obey(Some(Message::Park(id, parked)));
        client
    }

    fn told(lot: &mut Lot) -> Vec<u64> {
        let mut ids = Vec::new();
        while let Some((id, _)) = lot.next() {
            ids.push(id);
            lot.orphans.pop_front();
        }
        ids
    }

    #[test]
    fn whoever_waits_is_handed_over_until_released() {
        let mut lot = Lot::default();
        let _clients = [park(&mut lot, 0, 5), park(&mut lot, 1, 5)];
        lot.obey(Some(Message::Release(0)));
        lot.obey(Some(Message::Release(9)));
        assert_eq!(lot.orphan(), 1);
        assert!(lot.next().is_none(), "nobody listens yet");
        lot.obey(Some(Message::Ready));
        assert_eq!(told(&mut lot), [HANDED_OVER]);
        // The new daemon's own ids are others.
        let _client = park(&mut lot, 0, 5);
        assert_eq!(lot.orphan(), 2);
        lot.obey(Some(Message::Ready));
        assert_eq!(told(&mut lot), [HANDED_OVER, HANDED_OVER + 1]);
        lot.obey(Some(Message::Release(HANDED_OVER)));
        assert_eq!((lot.take().len(), lot.bytes), (1, 0));
    }

    #[test]
    fn who_left_or_saw_too_many_deaths_is_let_go() {
        let mut lot = Lot::default();
        let _stays = park(&mut lot, 0, 1);
        drop(park(&mut lot, 1, 1));
        for _ in 0..DEATHS {
            assert_eq!((lot.orphan(), lot.bytes), (1, 1));
        }
        assert_eq!((lot.orphan(), lot.bytes), (0, 0));
    }

    #[test]
    fn what_is_over_the_bounds_is_not_held() {
        let mut lot = Lot::default();
        let most = park(&mut lot, 0, MAX_BYTES);
        let _over = park(&mut lot, 1, 1);
        assert_eq!((lot.held.len(), lot.bytes), (1, MAX_BYTES));
        drop(most);
        lot.obey(Some(Message::Release(0)));
        let clients: Vec<_> = (0..=MAX_PARKED as u64)
            .map(|id| park(&mut lot, id, 1))
            .collect();
        assert_eq!(lot.held.len(), MAX_PARKED);
        drop(clients);
    }
}
