//! One connection at the gate.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::future::{BoxFuture, FutureExt as _};
use libp2p::PeerId;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
    ProtocolSupport, ProtocolsChange,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol,
};
use tokio::time::Sleep;

use super::House;
use super::conversation::{Confirmed, Failed, Proven, Side, confirm, end, part, prove};
use super::inner::{OfConnection, for_inner};
use super::upgrade::{Either, Inbound, Outbound};
use crate::swarm::Ticket;
use crate::swarm::admission::{Dialer, Grant, Listener, Nonce, Reason, Role};

/// Protocols of the other side that are remembered until the inner behaviour is there.
const REMOTE_PROTOCOLS_MAX: usize = 256;

/// What the behaviour tells a connection.
#[derive(Debug)]
pub enum In<G, E> {
    /// The inner behaviour has this handler for it.
    Open(Box<G>),
    /// The inner behaviour does not want it.
    Refuse(Reason),
    /// Something for the inner handler.
    Inner(E),
}

/// A handler of the inner behaviour on its way; handlers need not be printable.
pub struct Guest<H>(pub(super) H);

impl<H> fmt::Debug for Guest<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guest")
    }
}

/// What a connection tells the behaviour.
#[derive(Debug)]
pub enum Out<E> {
    /// The other side has proved what it had to.
    Proven,
    /// Both are ready.
    Open(Grant),
    /// It is not admitted.
    Refused {
        /// Whether it was our decision.
        by_us: bool,
        /// Why.
        reason: Reason,
    },
    /// Nothing is left to say: close the connection.
    Close,
    /// What the inner handler says.
    Inner(E),
}

/// The handler of a connection: the admission first, then the handler of the inner behaviour.
pub struct Handler<H: ConnectionHandler> {
    house: Arc<House>,
    peer: PeerId,
    role: Role,
    ticket: Option<Ticket>,
    /// Whoever asks is refused, whatever it could prove.
    refuse: Option<Reason>,
    deadline: Pin<Box<Sleep>>,
    phase: Phase,
    inner: Option<H>,
    /// What the other side speaks, as far as it was reported before the inner handler was there.
    remote: HashSet<StreamProtocol>,
    events: VecDeque<Happening<H>>,
    /// The end of an admission's stream, which nobody waits for.
    ending: Option<BoxFuture<'static, ()>>,
}

type Happening<H> = ConnectionHandlerEvent<
    Outbound<<H as ConnectionHandler>::OutboundProtocol>,
    Either<(), <H as ConnectionHandler>::OutboundOpenInfo>,
    Out<<H as ConnectionHandler>::ToBehaviour>,
>;

enum Phase {
    /// There is no stream yet.
    Quiet,
    /// The two prove what they have to.
    Proving(BoxFuture<'static, Result<Proven, Failed>>),
    /// The behaviour has been told, and has not answered yet.
    Proven(Box<Proven>),
    /// The inner handler is here, and the other side is told. A listener does not let it speak before the dialer is ready.
    Confirming(BoxFuture<'static, Result<Confirmed, Failed>>),
    /// The inner handler does what it likes.
    Open,
    /// The other side reads why it is refused.
    Parting(BoxFuture<'static, ()>),
    /// About to be closed.
    Over,
}

impl<H: ConnectionHandler> fmt::Debug for Handler<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("peer", &self.peer)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl<H: ConnectionHandler> Handler<H> {
    pub(super) fn new(house: Arc<House>, peer: PeerId, role: Role, ticket: Option<Ticket>) -> Self {
        let mut events = VecDeque::new();
        if role == Role::Dialer {
            let protocol = SubstreamProtocol::new(Outbound::Admission, Either::Admission(()))
                .with_timeout(house.deadline);
            events.push_back(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Self {
            deadline: Box::pin(tokio::time::sleep(house.deadline)),
            house,
            peer,
            role,
            ticket,
            refuse: None,
            phase: Phase::Quiet,
            inner: None,
            remote: HashSet::new(),
            events,
            ending: None,
        }
    }

    /// Whoever asks is told `reason`.
    pub(super) fn refuse_at_once(&mut self, reason: Reason) {
        self.refuse = Some(reason);
    }

    fn tell(&mut self, out: Out<H::ToBehaviour>) {
        self.events
            .push_back(ConnectionHandlerEvent::NotifyBehaviour(out));
    }

    /// The stream of the admission is there.
    fn begin(&mut self, stream: Stream) {
        if !matches!(self.phase, Phase::Quiet) {
            // There is one for each connection; a further one is dropped, hence reset.
            return;
        }
        if let Some(reason) = self.refuse {
            self.fail(Failed {
                by_us: true,
                reason,
                stream: Some(stream),
            });
            return;
        }
        let mut nonce = Nonce::default();
        if getrandom::fill(&mut nonce).is_err() {
            // Without randomness a proof could be used again.
            self.fail(Failed {
                by_us: true,
                reason: Reason::NotNow,
                stream: Some(stream),
            });
            return;
        }
        let (terms, identity) = (Arc::clone(&self.house.terms), &self.house.identity);
        let (side, hello) = match self.role {
            Role::Dialer => {
                let ticket = self.ticket.take();
                let (dialer, hello) =
                    Dialer::begin(terms, ticket, &identity.peer_id(), &self.peer, nonce);
                (Side::Dialer(dialer), Some(hello))
            }
            Role::Listener => {
                let listener = Listener::begin(terms, identity.clone(), &self.peer, nonce);
                (Side::Listener(Box::new(listener)), None)
            }
        };
        self.phase = Phase::Proving(prove(stream, side, hello, self.house.clock.clone()).boxed());
    }

    fn fail(&mut self, failed: Failed) {
        let Failed {
            by_us,
            reason,
            stream,
        } = failed;
        self.tell(Out::Refused { by_us, reason });
        if let Some(stream) = stream {
            self.phase = Phase::Parting(part(stream, reason).boxed());
        } else {
            self.phase = Phase::Over;
            self.tell(Out::Close);
        }
    }

    /// Does what can be done; pending when it has to wait, whatever is in `events` by then.
    fn poll_admission(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.phase, Phase::Open | Phase::Over) {
            return Poll::Pending;
        }
        if self.deadline.as_mut().poll(cx).is_ready() {
            // A parting is told already; the behaviour says each refusal once.
            self.fail(Failed {
                by_us: true,
                reason: Reason::TimedOut,
                stream: None,
            });
            return Poll::Ready(());
        }
        match &mut self.phase {
            Phase::Proving(proving) => match ready!(proving.poll_unpin(cx)) {
                Ok(proven) => {
                    self.phase = Phase::Proven(Box::new(proven));
                    self.tell(Out::Proven);
                }
                Err(failed) => self.fail(failed),
            },
            Phase::Confirming(confirming) => match ready!(confirming.poll_unpin(cx)) {
                Ok(Confirmed { grant, stream }) => {
                    self.ending = Some(end(stream).boxed());
                    self.open(grant);
                }
                Err(failed) => self.fail(failed),
            },
            Phase::Parting(parting) => {
                ready!(parting.poll_unpin(cx));
                self.phase = Phase::Over;
                self.tell(Out::Close);
            }
            Phase::Quiet | Phase::Proven(_) | Phase::Open | Phase::Over => return Poll::Pending,
        }
        Poll::Ready(())
    }

    fn open(&mut self, grant: Grant) {
        self.phase = Phase::Open;
        self.tell(Out::Open(grant));
        // What the other side speaks was reported when the inner handler was not there to hear it. Taken back and
        // reported once more, the connection tells it to everybody.
        let remote = std::mem::take(&mut self.remote);
        if !remote.is_empty() {
            for support in [
                ProtocolSupport::Removed(remote.clone()),
                ProtocolSupport::Added(remote),
            ] {
                self.events
                    .push_back(ConnectionHandlerEvent::ReportRemoteProtocols(support));
            }
        }
    }

    /// The inner behaviour has a handler, or does not want the connection.
    fn answered(&mut self, answer: Result<H, Reason>) {
        let Phase::Proven(proven) = std::mem::replace(&mut self.phase, Phase::Over) else {
            // The deadline was faster; the connection is being closed.
            return;
        };
        match answer {
            Ok(handler) => {
                self.inner = Some(handler);
                let clock = self.house.clock.clone();
                self.phase = Phase::Confirming(confirm(*proven, clock).boxed());
            }
            Err(reason) => self.fail(proven.unwanted(reason)),
        }
    }

    /// Whether the inner handler may speak.
    fn may_speak(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    fn remember(&mut self, change: &ProtocolsChange<'_>) {
        match change {
            ProtocolsChange::Added(added) => {
                let room = REMOTE_PROTOCOLS_MAX.saturating_sub(self.remote.len());
                self.remote.extend(added.clone().take(room).cloned());
            }
            ProtocolsChange::Removed(removed) => {
                for protocol in removed.clone() {
                    self.remote.remove(protocol);
                }
            }
        }
    }
}

impl<H: ConnectionHandler> ConnectionHandler for Handler<H> {
    type FromBehaviour = In<Guest<H>, H::FromBehaviour>;
    type ToBehaviour = Out<H::ToBehaviour>;
    type InboundProtocol = Inbound<H::InboundProtocol>;
    type OutboundProtocol = Outbound<H::OutboundProtocol>;
    type InboundOpenInfo = Option<H::InboundOpenInfo>;
    type OutboundOpenInfo = Either<(), H::OutboundOpenInfo>;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        match &self.inner {
            Some(inner) => inner
                .listen_protocol()
                .map_upgrade(|upgrade| Inbound(Some(upgrade)))
                .map_info(Some),
            None => SubstreamProtocol::new(Inbound(None), None).with_timeout(self.house.deadline),
        }
    }

    fn connection_keep_alive(&self) -> bool {
        // What is not admitted ends at its deadline, by our own hand; what is admitted stays.
        !matches!(self.phase, Phase::Over)
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<
        ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>,
    > {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            if self.poll_admission(cx).is_pending() {
                break;
            }
        }
        if let Some(ending) = &mut self.ending
            && ending.poll_unpin(cx).is_ready()
        {
            self.ending = None;
        }
        if !self.may_speak() {
            return Poll::Pending;
        }
        let Some(inner) = &mut self.inner else {
            return Poll::Pending;
        };
        inner.poll(cx).map(|event| {
            event
                .map_protocol(Outbound::Inner)
                .map_outbound_open_info(Either::Inner)
                .map_custom(Out::Inner)
        })
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        while let Some(event) = self.events.pop_front() {
            if let ConnectionHandlerEvent::NotifyBehaviour(out) = event {
                return Poll::Ready(Some(out));
            }
        }
        match &mut self.inner {
            Some(inner) => inner.poll_close(cx).map(|last| last.map(Out::Inner)),
            None => Poll::Ready(None),
        }
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        match event {
            In::Open(guest) => self.answered(Ok(guest.0)),
            In::Refuse(reason) => self.answered(Err(reason)),
            In::Inner(event) => {
                if let Some(inner) = &mut self.inner {
                    inner.on_behaviour_event(event);
                }
            }
        }
    }

    fn on_connection_event(&mut self, event: OfConnection<'_, H>) {
        let event = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: Either::Admission(stream),
                ..
            }) => {
                if self.role == Role::Listener {
                    self.begin(stream);
                }
                return;
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: Either::Admission(stream),
                ..
            }) => return self.begin(stream),
            ConnectionEvent::DialUpgradeError(DialUpgradeError {
                info: Either::Admission(()),
                error,
            }) => {
                let (by_us, reason) = match error {
                    StreamUpgradeError::Timeout => (true, Reason::TimedOut),
                    StreamUpgradeError::NegotiationFailed | StreamUpgradeError::Apply(_) => {
                        (true, Reason::Version)
                    }
                    StreamUpgradeError::Io(_) => (false, Reason::HungUp),
                };
                return self.fail(Failed {
                    by_us,
                    reason,
                    stream: None,
                });
            }
            event => event,
        };
        if !self.may_speak()
            && let ConnectionEvent::RemoteProtocolsChange(change) = &event
        {
            self.remember(change);
        }
        if let (Some(inner), Some(event)) = (&mut self.inner, for_inner::<H>(event)) {
            inner.on_connection_event(event);
        }
    }
}
