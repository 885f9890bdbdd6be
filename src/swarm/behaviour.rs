//! What runs on a connection, and the bounds of it.
//!
//! Outside: what a stranger meets (identify and ping) and what keeps strangers few (limits). Inside: what only
//! admitted peers speak.

use std::time::Duration;

use libp2p::core::upgrade::Version;
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{
    PeerId, StreamProtocol, allow_block_list, connection_limits, gossipsub, identify, kad, mdns,
    memory_connection_limits, noise, ping, request_response, tcp, yamux,
};
use libp2p::{Swarm, SwarmBuilder};

use super::config::Config;
use super::frame::Frames;
use super::gate::{Gate, Policy};
use super::gossip;
use super::identity::Identity;
use super::pool::{Names, PoolSecret};
use super::wire::{EXCHANGE, KADEMLIA};

/// Streams of a connection, both directions together. Each may hold a window of 256 KiB.
const STREAMS: usize = 512;
/// A question and its answer take no longer: a body of 10 MiB over a slow line, or a wait for a lease.
pub(super) const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(15);
/// Connections to one peer: two when both dial at once, on two transports at worst.
const CONNECTIONS_PER_PEER: u32 = 3;
/// Dials, and handshakes of strangers, at once.
const PENDING: u32 = 64;
/// No new connection is taken beyond so many bytes of resident memory.
const MEMORY: usize = 1 << 30;
/// What can be in flight on a QUIC connection and on one stream of it, in bytes.
const QUIC_CONNECTION: u32 = 8 << 20;
const QUIC_STREAM: u32 = 2 << 20;
/// How often the table is asked for members that are not known yet, and how long a question may take.
const KADEMLIA_INTERVAL: Duration = Duration::from_mins(5);
const KADEMLIA_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection that nobody uses ends after this. What is admitted is used until it ends.
const IDLE: Duration = Duration::from_secs(10);

/// Everything that runs on a connection.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    limits: connection_limits::Behaviour,
    memory: memory_connection_limits::Behaviour,
    pub(super) blocked: allow_block_list::Behaviour<allow_block_list::BlockedPeers>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    mdns: Toggle<mdns::tokio::Behaviour>,
    pub(super) gate: Gate<Inner>,
}

/// What admitted peers speak.
#[derive(NetworkBehaviour)]
pub(super) struct Inner {
    pub(super) exchange: request_response::Behaviour<Frames>,
    pub(super) gossip: gossipsub::Behaviour,
    pub(super) kad: kad::Behaviour<MemoryStore>,
}

/// The swarm could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unmade(String);

/// A swarm that listens nowhere yet.
pub(super) fn swarm(
    identity: &Identity,
    secret: Option<&PoolSecret>,
    config: &Config,
) -> Result<Swarm<Behaviour>, Unmade> {
    let unmade = |what: &str, error: &dyn std::error::Error| Unmade(format!("{what}: {error}"));
    let keypair = identity.keypair();
    let behaviour = behaviour(identity, secret, config)?;
    let swarm = SwarmBuilder::with_existing_identity(keypair.clone())
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            multiplexer,
        )
        .map_err(|error| unmade("Noise", &error))?
        .with_quic_config(|mut quic| {
            quic.max_concurrent_stream_limit = u32::try_from(STREAMS / 2).unwrap_or(u32::MAX);
            quic.max_connection_data = QUIC_CONNECTION;
            quic.max_stream_data = QUIC_STREAM;
            quic
        })
        .with_dns()
        .map_err(|error| unmade("name resolution", &error))?
        .with_behaviour(|_| behaviour)
        .map_err(|error| Unmade(error.to_string()))?
        .with_swarm_config(|swarm| {
            // A question travels together with the name of its protocol, so that the way there and back is gone once
            // and not twice. What is sent is the same, and who does not know the protocol says so instead of an answer.
            swarm
                .with_substream_upgrade_protocol_override(Version::V1Lazy)
                .with_idle_connection_timeout(IDLE)
        })
        .build();
    Ok(swarm)
}

fn multiplexer() -> yamux::Config {
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS);
    yamux
}

fn behaviour(
    identity: &Identity,
    secret: Option<&PoolSecret>,
    config: &Config,
) -> Result<Behaviour, Unmade> {
    let keypair = identity.keypair();
    let policy = Policy {
        identity: identity.clone(),
        pool: config.pool.clone(),
        secret: secret.cloned(),
        tickets: config.tickets,
        share_private: config.share_private,
        clock: config.clock.clone(),
        deadline: config.times.admission,
    };
    let inner = Inner {
        exchange: exchange(config),
        gossip: gossip::behaviour(keypair, &Names::of(&config.pool, secret)).map_err(Unmade)?,
        kad: kademlia(identity.peer_id(), secret.is_some()),
    };
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_established(Some(config.connections))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER))
        .with_max_pending_incoming(Some(PENDING))
        .with_max_pending_outgoing(Some(PENDING));
    // Whoever has a port open here need not be told what else there is, nor what software it is.
    let shown = identify::Config::new("/ghswarm/1".to_owned(), keypair.public())
        .with_agent_version("ghswarm".to_owned())
        .with_hide_listen_addrs(true)
        .with_cache_size(0);
    Ok(Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        memory: memory_connection_limits::Behaviour::with_max_bytes(MEMORY),
        blocked: allow_block_list::Behaviour::default(),
        identify: identify::Behaviour::new(shown),
        ping: ping::Behaviour::default(),
        mdns: multicast(identity.peer_id(), config.mdns),
        gate: Gate::new(inner, policy),
    })
}

/// Where multicast is not possible, the others are found in other ways.
fn multicast(me: PeerId, wanted: bool) -> Toggle<mdns::tokio::Behaviour> {
    let made = wanted.then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), me));
    let made = made.transpose().unwrap_or_else(|error| {
        tracing::warn!(%error, "no multicast here; peers on this network are not found by themselves");
        None
    });
    Toggle::from(made)
}

fn exchange(config: &Config) -> request_response::Behaviour<Frames> {
    let timing = request_response::Config::default()
        .with_request_timeout(EXCHANGE_TIMEOUT)
        .with_max_concurrent_streams(STREAMS);
    let protocol = StreamProtocol::new(EXCHANGE);
    request_response::Behaviour::with_codec(
        Frames::new(config.body_limit),
        [(protocol, request_response::ProtocolSupport::Full)],
        timing,
    )
}

/// Peers are all that is kept in it; the values of others have no place. Without a secret it answers and does not
/// ask: whom it finds would not let us in.
fn kademlia(me: PeerId, asks: bool) -> kad::Behaviour<MemoryStore> {
    let store = MemoryStoreConfig {
        max_records: 0,
        max_value_bytes: 0,
        max_provided_keys: 0,
        max_providers_per_key: 0,
    };
    let mut config = kad::Config::new(StreamProtocol::new(KADEMLIA));
    config
        .set_periodic_bootstrap_interval(asks.then_some(KADEMLIA_INTERVAL))
        .set_query_timeout(KADEMLIA_TIMEOUT)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_kbucket_inserts(kad::BucketInserts::Manual);
    let mut behaviour =
        kad::Behaviour::with_config(me, MemoryStore::with_config(me, store), config);
    behaviour.set_mode(Some(kad::Mode::Server));
    behaviour
}
