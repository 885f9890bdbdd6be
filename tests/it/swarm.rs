//! Swarms in one process, on real sockets of the loopback interface.

mod foreign;
mod member;
mod pair;
