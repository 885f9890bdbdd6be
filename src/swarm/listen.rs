//! Where we listen for peers.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, Swarm, TransportError};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use tracing::{debug, info, warn};

use super::behaviour::Behaviour;

/// The port that firewalls are opened for, and the ones that other daemons of the machine take after it.
pub const PORTS: RangeInclusive<u16> = 9000..=9010;
const FIRST: u16 = *PORTS.start();

/// Listens at `wanted`, or where everybody expects us; at another port where that is taken. What cannot be is said, and
/// everything else goes on: whoever cannot be reached can still reach others.
pub(super) fn listen(swarm: &mut Swarm<Behaviour>, wanted: &[Multiaddr]) {
    for address in wanted {
        let Err(error) = listen_at(swarm, address.clone()) else {
            continue;
        };
        if listen_at(swarm, at_any_port(address)).is_ok() {
            warn!(
                %address, %error,
                "cannot listen for peers here, so they reach this daemon at another port; choose one with --p2p-listen"
            );
        } else {
            warn!(%address, %error, "cannot listen for peers here; choose another address with --p2p-listen");
        }
    }
    if wanted.is_empty() {
        match choose(|port| listen_on_port(swarm, port)) {
            Some(FIRST) => {}
            Some(port) => info!(
                "port {FIRST} is taken; listening for peers on another one (asked for: {port})"
            ),
            None => warn!(
                "cannot listen for peers on any port; others cannot reach this daemon, but it can reach them"
            ),
        }
    }
}

/// The first port that `bind` can have: from 9000 to 9010, else any (0).
fn choose(mut bind: impl FnMut(u16) -> bool) -> Option<u16> {
    PORTS.chain([0]).find(|port| bind(*port))
}

/// Both transports, on all interfaces. IPv6 is a gift where there is one.
fn listen_on_port(swarm: &mut Swarm<Behaviour>, port: u16) -> bool {
    let v4 = Multiaddr::from(Ipv4Addr::UNSPECIFIED);
    let port = if port == 0 { free_port() } else { port };
    // QUIC first: of two daemons that start at the same moment, one has the UDP port.
    let Ok(udp) = swarm.listen_on(quic(&v4, port)) else {
        return false;
    };
    if listen_at(swarm, tcp(&v4, port)).is_err() {
        swarm.remove_listener(udp);
        return false;
    }
    let v6 = Multiaddr::from(Ipv6Addr::UNSPECIFIED);
    for address in [quic(&v6, port), tcp(&v6, port)] {
        if let Err(error) = listen_at(swarm, address) {
            debug!(%error, "no peers over IPv6");
        }
    }
    true
}

/// A port that is free now, for both transports to try; 0 if there is none: then each takes what it gets.
fn free_port() -> u16 {
    let free = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0));
    free.and_then(|free| free.local_addr())
        .map_or(0, |free| free.port())
}

/// The same interface and transport, with a port of the system's choice.
fn at_any_port(address: &Multiaddr) -> Multiaddr {
    let parts = address.iter().map(|part| match part {
        Protocol::Tcp(_) => Protocol::Tcp(0),
        Protocol::Udp(_) => Protocol::Udp(0),
        part => part,
    });
    parts.collect()
}

fn tcp(ip: &Multiaddr, port: u16) -> Multiaddr {
    ip.clone().with(Protocol::Tcp(port))
}

fn quic(ip: &Multiaddr, port: u16) -> Multiaddr {
    ip.clone().with(Protocol::Udp(port)).with(Protocol::QuicV1)
}

/// libp2p shares TCP ports (`SO_REUSEPORT`), so that two daemons of one user would have the same one, and each
/// a part of the connections. Whoever binds it without sharing hears that it is taken.
fn listen_at(swarm: &mut Swarm<Behaviour>, address: Multiaddr) -> Result<(), Taken> {
    if let Some(socket) = tcp_socket(&address) {
        try_alone(socket).map_err(io::Error::from)?;
    }
    swarm.listen_on(address)?;
    Ok(())
}

/// Why there is no listening at an address.
#[derive(Debug, thiserror::Error)]
enum Taken {
    #[error(transparent)]
    Bound(#[from] io::Error),
    #[error(transparent)]
    Transport(#[from] TransportError<io::Error>),
}

/// Binds a TCP socket as libp2p would, but for sharing, and lets go of it.
fn try_alone(address: SocketAddr) -> Result<(), rustix::io::Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    if address.is_ipv6() {
        net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    // Connections of the daemon before us that are not quite over do not matter.
    net::sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &address)
}

fn tcp_socket(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let ip = match parts.next()? {
        Protocol::Ip4(ip) => IpAddr::V4(ip),
        Protocol::Ip6(ip) => IpAddr::V6(ip),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) if port != 0 => Some(SocketAddr::new(ip, port)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_port_is_taken_and_any_if_none_of_them_is_free() {
        assert_eq!(choose(|_| true), Some(9000));
        assert_eq!(choose(|port| port > 9003 || port == 0), Some(9004));
        let mut tried = Vec::new();
        let any = choose(|port| {
            tried.push(port);
            port == 0
        });
        assert_eq!(any, Some(0));
        assert_eq!(tried.len(), 12);
        assert_eq!(choose(|_| false), None);
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_taken() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(try_alone(address), Err(rustix::io::Errno::ADDRINUSE));
        drop(listener);
        assert_eq!(try_alone(address), Ok(()));
    }
}
