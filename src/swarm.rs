//! The swarm: how runners share what they hold.
//!
//! # Flow
//!
//! One task, the event loop, owns the libp2p `Swarm`; everybody else holds a [`Client`]. A connection is
//! nothing but encrypted until both of its ends are *admitted* (`gate`, [`admission`]): before that no other
//! protocol exists on it. Admitted peers ask one another for entries ([`Client::lookup`]), hand them to
//! their owners ([`Client::store`]) and tell one another of writes ([`Client::invalidate`]). What peers want of
//! us arrives as an [`Event`].
//!
//! # Invariants
//!
//! * What a peer says is a candidate. Nothing here grants anything to anybody.
//! * Nothing is spoken with a peer that is not admitted, and a peer gets only what its admission covers.
//! * Whatever a peer does costs a bounded amount of memory and time, and at most a miss.
//!
//! # Not here
//!
//! What is stored and who may see it ([`crate::tiered`]); how peers hear of one another in the first place
//! ([`crate::discovery`]); files.

pub mod admission;
pub mod conduct;
pub mod gate;
pub mod wire;

mod announced;
mod behaviour;
mod book;
mod client;
mod config;
mod contact;
mod desk;
mod event_loop;
mod exchange;
mod frame;
mod gossip;
mod hand_over;
mod identity;
mod introductions;
mod invalidation;
mod lease;
mod listen;
mod lookup;
mod pool;
mod ring;
mod roster;
mod sequence;
mod serve;
mod shared;

pub use client::{Acquaintance, Client, Event, Found, Nothing, Source, Told};
pub use config::{Config, Secret, Times};
pub use contact::Contact;
pub use event_loop::{EventLoop, start};
pub use identity::{Identity, NotAnIdentity, Ticket};
pub use libp2p::{Multiaddr, PeerId};
pub use listen::PORTS;
pub use lookup::Lease;
pub use pool::{BadName, Names, Pool, PoolSecret, WireKey};
pub use roster::{Coverage, Peer, PeerRow, Roster, Standing};
pub use shared::{AskError, Counts};
pub use wire::offer::{Audience, Offer};
