//! A peer on plain rust-libp2p that was admitted and says whatever it likes: bytes, not messages.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use futures_util::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use ghswarm::clock::Clock;
use ghswarm::digest::Digest;
use ghswarm::swarm::gate::{self, Gate, Policy};
use ghswarm::swarm::wire::EXCHANGE;
use ghswarm::swarm::{Config, Identity, Names, PoolSecret, Secret};
use libp2p::request_response::{self as exchange, Message, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, gossipsub, identify, identity, noise,
    ping, tcp, yamux,
};

/// What is said on one stream.
#[derive(Debug, Clone)]
pub(super) enum Said {
    /// These bytes, and the end.
    Bytes(Vec<u8>),
    /// These bytes, and then zeros until somebody ends it; 256 MiB at most.
    Endless(Vec<u8>),
    /// These bytes, and then nothing, without an end.
    Unended(Vec<u8>),
    /// These bytes over gossip, which nobody answers.
    ToEverybody(Vec<u8>),
}

/// Bytes as they are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bytes;

async fn write(io: &mut (impl AsyncWrite + Unpin), said: Said) -> io::Result<()> {
    match said {
        Said::Bytes(bytes) => io.write_all(&bytes).await?,
        Said::Endless(bytes) => {
            io.write_all(&bytes).await?;
            let zeros = vec![0; 64 << 10];
            for _ in 0..4096 {
                io.write_all(&zeros).await?;
            }
        }
        Said::Unended(bytes) => {
            io.write_all(&bytes).await?;
            io.flush().await?;
            std::future::pending::<()>().await;
        }
        Said::ToEverybody(_) => return Err(io::ErrorKind::Unsupported.into()),
    }
    io.close().await
}

async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Said> {
    let mut bytes = Vec::new();
    io.take(16 << 20).read_to_end(&mut bytes).await?;
    Ok(Said::Bytes(bytes))
}

impl exchange::Codec for Bytes {
    type Protocol = StreamProtocol;
    type Request = Said;
    type Response = Said;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Said>
    where
        T: AsyncRead + Unpin + Send,
    {
        read(io).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Said>
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
        write(io, said).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        said: Said,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, said).await
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    gate: Gate<Spoken>,
}

/// What is spoken when both are admitted.
#[derive(NetworkBehaviour)]
struct Spoken {
    exchange: exchange::Behaviour<Bytes>,
    gossip: gossipsub::Behaviour,
}

/// How the bytes of a lookup begin: an array of two, the first of them its number.
const LOOKUP: &[u8] = &[0x82, 1];
/// "Too many questions at once".
const BUSY: [u8; 3] = [0x82, 10, 0xa0];

/// A peer that lies to one other.
pub(super) struct Liar {
    swarm: Swarm<Behaviour>,
    victim: PeerId,
    /// What it answers to a lookup; it is too busy for everything else.
    pub(super) answer: Said,
    pub(super) keys: Keys,
    /// What is still to be said to everybody.
    unsaid: VecDeque<Vec<u8>>,
}

/// What an admitted peer knows.
pub(super) struct Keys {
    pub(super) pool: Digest,
    pub(super) names: Names,
    pub(super) secret: PoolSecret,
}

impl Keys {
    fn of(config: &Config) -> Self {
        let Some(Secret::Derived(secret)) = &config.secret else {
            panic!("a pool with a secret");
        };
        Self {
            pool: config.pool.tag(),
            names: Names::of(&config.pool, Some(secret)),
            secret: secret.clone(),
        }
    }
}

fn swarm(identity: &Identity, config: &Config) -> Swarm<Behaviour> {
    let keys = Keys::of(config);
    let protocols = [(StreamProtocol::new(EXCHANGE), ProtocolSupport::Full)];
    let patient = exchange::Config::default()
        .with_request_timeout(Duration::from_secs(60))
        .with_max_concurrent_streams(400);
    let policy = Policy {
        identity: identity.clone(),
        pool: config.pool.clone(),
        secret: Some(keys.secret.clone()),
        tickets: false,
        share_private: false,
        clock: Clock::system(),
        deadline: Duration::from_secs(10),
    };
    let keypair = identity.keypair();
    let behaviour = Behaviour {
        identify: identify::Behaviour::new(identify::Config::new("x".into(), keypair.public())),
        ping: ping::Behaviour::default(),
        gate: Gate::new(
            Spoken {
                exchange: exchange::Behaviour::with_codec(Bytes, protocols, patient),
                gossip: gossip(keypair, &keys.names),
            },
            policy,
        ),
    };
    SwarmBuilder::with_existing_identity(keypair.clone())
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )
        .unwrap()
        .with_behaviour(|_| behaviour)
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(60)))
        .build()
}

fn gossip(keypair: &identity::Keypair, names: &Names) -> gossipsub::Behaviour {
    let signed = gossipsub::MessageAuthenticity::Signed(keypair.clone());
    let config = gossipsub::ConfigBuilder::default()
        .flood_publish(true)
        .build()
        .unwrap();
    let mut gossip = gossipsub::Behaviour::new(signed, config).unwrap();
    gossip.subscribe(&topic(names)).unwrap();
    gossip
}

fn topic(names: &Names) -> gossipsub::IdentTopic {
    gossipsub::IdentTopic::new(names.topic())
}

/// What became of something that was said.
#[derive(Debug)]
pub(super) enum Heard {
    /// An answer.
    Answer,
    /// The stream ended without one.
    Nothing,
    /// The victim has hung up.
    Gone,
}

impl Liar {
    /// A member with this identity, admitted by `victim`.
    pub(super) async fn admitted(
        identity: &Identity,
        config: &Config,
        victim: PeerId,
        address: Multiaddr,
    ) -> Self {
        let mut swarm = swarm(identity, config);
        swarm.dial(address.with_p2p(victim).unwrap()).unwrap();
        loop {
            let event = swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(BehaviourEvent::Gate(gate::Event::Admitted { .. })) = event
            {
                break;
            }
        }
        Self {
            swarm,
            victim,
            answer: Said::Bytes(BUSY.to_vec()),
            keys: Keys::of(config),
            unsaid: VecDeque::new(),
        }
    }

    /// Says something on a stream of its own, or to everybody.
    pub(super) fn say(&mut self, said: Said) {
        if let Said::ToEverybody(bytes) = said {
            self.unsaid.push_back(bytes);
            return;
        }
        let exchange = &mut self.swarm.behaviour_mut().gate.inner_mut().exchange;
        exchange.send_request(&self.victim, said);
    }

    /// Whether everything has been said to everybody, as far as they take it now.
    fn says_to_everybody(&mut self) -> bool {
        let topic = topic(&self.keys.names);
        while let Some(bytes) = self.unsaid.front() {
            let gossip = &mut self.swarm.behaviour_mut().gate.inner_mut().gossip;
            if gossip.publish(topic.clone(), bytes.clone()).is_err() {
                // Nobody has subscribed yet, or they have not read the last ones.
                return false;
            }
            self.unsaid.pop_front();
        }
        true
    }

    /// Waits for what comes of one thing that was said, and answers what is asked meanwhile.
    pub(super) async fn hear(&mut self) -> Heard {
        let mut again = tokio::time::interval(Duration::from_millis(1));
        loop {
            let all = self.says_to_everybody();
            let event = tokio::select! {
                event = self.swarm.select_next_some() => event,
                _ = again.tick(), if !all => continue,
            };
            let event = match event {
                SwarmEvent::ConnectionClosed {
                    num_established: 0, ..
                } => return Heard::Gone,
                SwarmEvent::Behaviour(BehaviourEvent::Gate(gate::Event::Inner(
                    SpokenEvent::Exchange(event),
                ))) => event,
                _ => continue,
            };
            match event {
                exchange::Event::Message { message, .. } => match message {
                    Message::Request {
                        request, channel, ..
                    } => {
                        let answer = match request {
                            Said::Bytes(asked) if asked.starts_with(LOOKUP) => &self.answer,
                            _ => &Said::Bytes(BUSY.to_vec()),
                        };
                        let answer = answer.clone();
                        let exchange = &mut self.swarm.behaviour_mut().gate.inner_mut().exchange;
                        let _ = exchange.send_response(channel, answer);
                    }
                    Message::Response { .. } => return Heard::Answer,
                },
                exchange::Event::OutboundFailure { .. } => return Heard::Nothing,
                _ => {}
            }
        }
    }
}
