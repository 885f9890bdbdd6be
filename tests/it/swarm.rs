//! Swarms in one process, on real sockets of the loopback interface.

mod audience;
mod foreign;
mod gossip;
mod hearer;
mod herd;
mod invalidation;
mod liar;
mod long;
mod member;
mod mesh;
mod moment;
mod owners;
mod pair;
mod runner;
