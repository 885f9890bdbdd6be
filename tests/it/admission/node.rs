//! A libp2p swarm with a gate or, for a stranger, without one.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::io;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use ghswarm::clock::Clock;
use ghswarm::seal::{Cost, SharedSecret};
use ghswarm::swarm::admission::{Method, Reason};
use ghswarm::swarm::gate::{Event, Gate, Policy};
use ghswarm::swarm::{Coverage, Identity, Pool, PoolSecret, Ticket};
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::DeniedUpgrade;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::handler::{ConnectionEvent, ProtocolsChange};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, SubstreamProtocol, SwarmEvent, THandler, THandlerInEvent, THandlerOutEvent,
    ToSwarm,
};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, identify, noise, ping,
    request_response as rr, tcp, yamux,
};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

/// What the members speak behind the gate.
pub(super) const ECHO: &str = "/github-cache/1.0.0";

/// What a node runs: a member has a gate, a stranger talks.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(super) talk: Toggle<rr::Behaviour<Words>>,
    pub(super) gate: Toggle<Gate<Inner>>,
}

#[derive(NetworkBehaviour)]
pub(super) struct Inner {
    spy: Spy,
    pub(super) echo: rr::Behaviour<Words>,
}

/// Hears what an inner behaviour hears, and holds the gate to it.
#[derive(Default)]
pub(super) struct Spy {
    known: Vec<(PeerId, ConnectionId, ConnectedPoint)>,
    heard: Vec<Heard>,
}

/// What an inner behaviour heard.
#[derive(Debug)]
pub(super) enum Heard {
    Established(PeerId),
    Closed(PeerId),
    DialFailure(Option<PeerId>),
    Speaks(String),
}

/// Hears what an inner handler hears of the other side's protocols.
#[derive(Default)]
pub(super) struct Ear(Vec<String>);

impl ConnectionHandler for Ear {
    type FromBehaviour = Infallible;
    type ToBehaviour = String;
    type InboundProtocol = DeniedUpgrade;
    type OutboundProtocol = DeniedUpgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<DeniedUpgrade> {
        SubstreamProtocol::new(DeniedUpgrade, ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<DeniedUpgrade, (), String>> {
        let heard = self.0.pop().map(ConnectionHandlerEvent::NotifyBehaviour);
        heard.map_or(Poll::Pending, Poll::Ready)
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, DeniedUpgrade, DeniedUpgrade>) {
        if let ConnectionEvent::RemoteProtocolsChange(ProtocolsChange::Added(added)) = event {
            self.0.extend(added.map(ToString::to_string));
        }
    }
}

impl NetworkBehaviour for Spy {
    type ConnectionHandler = Ear;
    type ToSwarm = Heard;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Ear::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Ear::default())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let of = |peer: PeerId, known: &[(PeerId, ConnectionId, ConnectedPoint)]| {
            known.iter().filter(|(other, ..)| *other == peer).count()
        };
        match event {
            FromSwarm::ConnectionEstablished(made) => {
                assert_eq!(made.other_established, of(made.peer_id, &self.known));
                let known = (made.peer_id, made.connection_id, made.endpoint.clone());
                self.known.push(known);
                self.heard.push(Heard::Established(made.peer_id));
            }
            FromSwarm::ConnectionClosed(over) => {
                let known = (over.peer_id, over.connection_id, over.endpoint.clone());
                let at = self.known.iter().position(|other| *other == known);
                self.known.remove(at.expect("it ends only once it began"));
                assert_eq!(over.remaining_established, of(over.peer_id, &self.known));
                self.heard.push(Heard::Closed(over.peer_id));
            }
            FromSwarm::DialFailure(failure) => {
                self.heard.push(Heard::DialFailure(failure.peer_id));
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.heard.push(Heard::Speaks(event));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Heard, THandlerInEvent<Self>>> {
        if self.heard.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(ToSwarm::GenerateEvent(self.heard.remove(0)))
    }
}

/// Bytes until the stream ends.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Words;

/// What is said: in pieces, with a pause after each.
#[derive(Debug, Clone, Default)]
pub(super) struct Said(pub(super) Vec<Vec<u8>>, pub(super) Duration);

impl Said {
    pub(super) fn at_once(bytes: &[u8]) -> Self {
        Self(vec![bytes.to_vec()], Duration::ZERO)
    }

    async fn write<T: AsyncWrite + Unpin + Send>(self, io: &mut T) -> io::Result<()> {
        for piece in self.0 {
            io.write_all(&piece).await?;
            io.flush().await?;
            if !self.1.is_zero() {
                let pause = std::future::pending::<()>();
                let _ = tokio::time::timeout(self.1, pause).await;
            }
        }
        Ok(())
    }
}

async fn read<T: AsyncRead + Unpin + Send>(io: &mut T) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io.take(4096).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

impl rr::Codec for Words {
    type Protocol = StreamProtocol;
    type Request = Said;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Said>
    where
        T: AsyncRead + Unpin + Send,
    {
        Ok(Said::at_once(&read(io).await?))
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        said: Said,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        said.write(io).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        said: Vec<u8>,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        Said::at_once(&said).write(io).await
    }
}

/// What a node sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Listens(Multiaddr),
    Admitted(PeerId, Method, Coverage),
    Refused {
        peer: PeerId,
        by_us: bool,
        reason: Reason,
    },
    Gone {
        peer: PeerId,
        last: bool,
    },
    /// The inner behaviour heard of a connection, or of its end.
    Inner(PeerId, bool),
    InnerDialFailure(Option<PeerId>),
    /// The inner behaviour heard that the other side speaks this.
    Speaks(String),
    /// Somebody's request.
    Asked(Vec<u8>),
    /// The answer to ours.
    Answered(Vec<u8>),
    Failed(String),
    Identified {
        protocols: BTreeSet<String>,
        listens: Vec<Multiaddr>,
        agent: String,
    },
    Connected(PeerId),
    Closed(PeerId),
}

/// What a node is made of.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u8,
    pub(super) pool: &'static str,
    pub(super) secret: Option<PoolSecret>,
    pub(super) share_private: bool,
    pub(super) clock: Clock,
    pub(super) deadline: Duration,
    pub(super) quic: bool,
    /// The protocols that a stranger tries; a member has none of them.
    pub(super) tries: Option<&'static [&'static str]>,
    /// Asks whomever its inner behaviour hears of, at once.
    pub(super) greets: bool,
}

impl Plan {
    /// A member with tickets alone.
    pub(super) fn member(seed: u8) -> Self {
        Self {
            seed,
            pool: "octo-org/app",
            secret: None,
            share_private: false,
            clock: Clock::system(),
            deadline: Duration::from_secs(10),
            quic: false,
            tries: None,
            greets: false,
        }
    }

    /// Somebody with a libp2p of their own.
    pub(super) fn stranger(seed: u8, tries: &'static [&'static str]) -> Self {
        Self {
            tries: Some(tries),
            ..Self::member(seed)
        }
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::from_seed(&Zeroizing::new([self.seed; 32])).unwrap()
    }
}

/// A secret, derived once for all stories. Every other is another one at another cost.
pub(super) fn secret(which: usize) -> PoolSecret {
    static SECRETS: LazyLock<[PoolSecret; 3]> = LazyLock::new(|| {
        let pool = Pool::new("octo-org/app").unwrap();
        let derive = |text: &[u8], rounds| {
            let secret = SharedSecret::new(text).unwrap();
            PoolSecret::derive(&secret, &pool, Cost::new(rounds).unwrap())
        };
        [
            derive(b"the secret of the members", 100_000),
            derive(b"the secret of some others", 100_000),
            derive(b"the secret of the members", 100_001),
        ]
    });
    SECRETS[which].clone()
}

type Order = Box<dyn FnOnce(&mut Swarm<Behaviour>) + Send>;

/// A running swarm.
pub(super) struct Node {
    pub(super) peer: PeerId,
    pub(super) identity: Identity,
    pub(super) address: Multiaddr,
    orders: mpsc::Sender<Order>,
    seen: mpsc::Receiver<Seen>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Node {
    pub(super) async fn start(plan: Plan) -> Self {
        let identity = plan.identity();
        let mut swarm = swarm(&plan, &identity);
        let listen = if plan.quic {
            "/ip4/127.0.0.1/udp/0/quic-v1"
        } else {
            "/ip4/127.0.0.1/tcp/0"
        };
        swarm.listen_on(listen.parse().unwrap()).unwrap();
        let (orders, mut to_do) = mpsc::channel::<Order>(64);
        let (tell, seen) = mpsc::channel(16_384);
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    order = to_do.recv() => match order {
                        Some(order) => order(&mut swarm),
                        None => return,
                    },
                    event = swarm.select_next_some() => {
                        if let Some(event) = note(&mut swarm, event, plan.greets) {
                            tell.try_send(event).expect("a story reads what is seen");
                        }
                    }
                }
            }
        });
        let mut node = Self {
            peer: identity.peer_id(),
            identity,
            address: Multiaddr::empty(),
            orders,
            seen,
            task,
        };
        node.address = node
            .wait(|seen| match seen {
                Seen::Listens(address) => Some(address.clone()),
                _ => None,
            })
            .await;
        node
    }

    /// Waits for something to be seen, and forgets what was seen before it.
    pub(super) async fn wait<T>(&mut self, is: impl Fn(&Seen) -> Option<T>) -> T {
        let mut before = Vec::new();
        let waiting = async {
            loop {
                let seen = self.seen.recv().await.expect("the swarm runs");
                if let Some(found) = is(&seen) {
                    return found;
                }
                before.push(seen);
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        found.unwrap_or_else(|_| panic!("saw nothing but {before:#?}"))
    }

    pub(super) async fn see(&mut self, what: Seen) {
        self.wait(|seen| (*seen == what).then_some(())).await;
    }

    /// What was seen since, without waiting.
    pub(super) fn seen(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }

    pub(super) async fn order(&self, order: impl FnOnce(&mut Swarm<Behaviour>) + Send + 'static) {
        let sent = self.orders.send(Box::new(order)).await;
        assert!(sent.is_ok(), "the swarm runs");
    }

    /// As [`Node::order`], for what is behind the gate.
    pub(super) async fn gate(&self, order: impl FnOnce(&mut Gate<Inner>) + Send + 'static) {
        let order = |swarm: &mut Swarm<Behaviour>| {
            order(swarm.behaviour_mut().gate.as_mut().expect("a member"));
        };
        self.order(order).await;
    }

    /// Dials, even if there is a connection already.
    pub(super) async fn dial(&self, other: &Self) {
        let to = DialOpts::peer_id(other.peer)
            .addresses(vec![other.address.clone()])
            .condition(PeerCondition::Always)
            .build();
        self.order(move |swarm| swarm.dial(to).expect("it can be dialled"))
            .await;
    }

    /// Gives `self` a ticket of `other`.
    pub(super) async fn hold_ticket_of(&self, other: &Self) {
        let ticket = other
            .identity
            .ticket(Clock::system().now().plus(Duration::from_secs(600)));
        self.hold(other.peer, ticket).await;
    }

    pub(super) async fn hold(&self, peer: PeerId, ticket: Ticket) {
        self.gate(move |gate| gate.set_ticket(peer, ticket)).await;
    }

    pub(super) async fn ask(&self, other: &Self, what: &'static [u8]) {
        let peer = other.peer;
        self.gate(move |gate| {
            let said = Said::at_once(what);
            gate.inner_mut().echo.send_request(&peer, said);
        })
        .await;
    }

    /// Says something as a stranger.
    pub(super) async fn say(&self, other: &Self, said: Said) {
        let peer = other.peer;
        self.order(move |swarm| {
            let talk = swarm.behaviour_mut().talk.as_mut().expect("a stranger");
            talk.send_request(&peer, said);
        })
        .await;
    }
}

fn swarm(plan: &Plan, identity: &Identity) -> Swarm<Behaviour> {
    let protocols = |names: &[&'static str]| {
        let of = |name: &&'static str| (StreamProtocol::new(name), rr::ProtocolSupport::Full);
        names.iter().map(of).collect::<Vec<_>>()
    };
    let patient = rr::Config::default().with_request_timeout(Duration::from_secs(60));
    let shown = identify::Config::new("ghswarm/1".into(), identity.keypair().public())
        .with_agent_version("ghswarm".into())
        .with_hide_listen_addrs(true);
    let gate = plan.tries.is_none().then(|| {
        let inner = Inner {
            spy: Spy::default(),
            echo: rr::Behaviour::with_codec(Words, protocols(&[ECHO]), patient.clone()),
        };
        let policy = Policy {
            identity: identity.clone(),
            pool: Pool::new(plan.pool).unwrap(),
            secret: plan.secret.clone(),
            tickets: true,
            share_private: plan.share_private,
            clock: plan.clock.clone(),
            deadline: plan.deadline,
        };
        Gate::new(inner, policy)
    });
    let behaviour = Behaviour {
        identify: identify::Behaviour::new(shown),
        ping: ping::Behaviour::default(),
        talk: plan
            .tries
            .map(|names| rr::Behaviour::with_codec(Words, protocols(names), patient.clone()))
            .into(),
        gate: gate.into(),
    };
    // A stranger holds on to a connection as long as it can; a member's would not last without the gate's word.
    let idle = Duration::from_secs(if plan.tries.is_some() { 3600 } else { 0 });
    SwarmBuilder::with_existing_identity(identity.keypair().clone())
        .with_tokio()
        .with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            yamux::Config::default,
        )
        .unwrap()
        .with_quic()
        .with_behaviour(|_| behaviour)
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(idle))
        .build()
}

/// What a story can see of an event. Requests are answered on the way.
fn note(
    swarm: &mut Swarm<Behaviour>,
    event: SwarmEvent<BehaviourEvent>,
    greets: bool,
) -> Option<Seen> {
    Some(match event {
        SwarmEvent::NewListenAddr { address, .. } => Seen::Listens(address),
        SwarmEvent::ConnectionEstablished { peer_id, .. } => Seen::Connected(peer_id),
        SwarmEvent::ConnectionClosed { peer_id, .. } => Seen::Closed(peer_id),
        SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
            info, ..
        })) => Seen::Identified {
            protocols: info.protocols.iter().map(ToString::to_string).collect(),
            listens: info.listen_addrs,
            agent: info.agent_version,
        },
        SwarmEvent::Behaviour(BehaviourEvent::Talk(event)) => talked(event, |_, _| ())?,
        SwarmEvent::Behaviour(BehaviourEvent::Gate(event)) => at_the_gate(swarm, event, greets)?,
        _ => return None,
    })
}

fn at_the_gate(
    swarm: &mut Swarm<Behaviour>,
    event: Event<InnerEvent>,
    greets: bool,
) -> Option<Seen> {
    let echo = &mut swarm.behaviour_mut().gate.as_mut()?.inner_mut().echo;
    Some(match event {
        Event::Admitted {
            peer,
            method,
            coverage,
            ..
        } => Seen::Admitted(peer, method, coverage),
        Event::Refused {
            peer,
            by_us,
            reason,
            ..
        } => Seen::Refused {
            peer,
            by_us,
            reason,
        },
        Event::Gone { peer, last, .. } => Seen::Gone { peer, last },
        Event::Inner(InnerEvent::Spy(Heard::Established(peer))) => {
            if greets {
                echo.send_request(&peer, Said::at_once(b"at once"));
            }
            Seen::Inner(peer, true)
        }
        Event::Inner(InnerEvent::Spy(Heard::Closed(peer))) => Seen::Inner(peer, false),
        Event::Inner(InnerEvent::Spy(Heard::DialFailure(peer))) => Seen::InnerDialFailure(peer),
        Event::Inner(InnerEvent::Spy(Heard::Speaks(name))) => Seen::Speaks(name),
        Event::Inner(InnerEvent::Echo(event)) => talked(event, |channel, said| {
            // Whoever asked may be gone by now.
            let _ = echo.send_response(channel, said);
        })?,
    })
}

fn talked(
    event: rr::Event<Said, Vec<u8>>,
    answer: impl FnOnce(rr::ResponseChannel<Vec<u8>>, Vec<u8>),
) -> Option<Seen> {
    Some(match event {
        rr::Event::Message {
            message: rr::Message::Request {
                request, channel, ..
            },
            ..
        } => {
            let said = request.0.concat();
            answer(channel, said.clone());
            Seen::Asked(said)
        }
        rr::Event::Message {
            message: rr::Message::Response { response, .. },
            ..
        } => Seen::Answered(response),
        rr::Event::OutboundFailure { error, .. } => Seen::Failed(error.to_string()),
        _ => return None,
    })
}
