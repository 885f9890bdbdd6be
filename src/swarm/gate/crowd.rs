//! How many strangers may be at the gate at once.

use std::net::IpAddr;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Connections that others opened and that are not admitted yet, at once.
const PENDING_MAX: usize = 64;
/// The same from one address. Not counted on loopback, where many daemons of one machine meet.
const PENDING_PER_ADDRESS_MAX: usize = 4;

/// Whether a connection from `address` would be one too many beside those from `pending`.
pub(super) fn is_crowded<'a>(
    pending: impl Iterator<Item = &'a Multiaddr>,
    address: &Multiaddr,
) -> bool {
    let ip = ip_of(address);
    let (mut all, mut same) = (0, 0);
    for other in pending {
        all += 1;
        same += usize::from(ip.is_some() && ip_of(other) == ip);
    }
    let local = ip.is_some_and(|ip| ip.is_loopback());
    all >= PENDING_MAX || (same >= PENDING_PER_ADDRESS_MAX && !local)
}

fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(IpAddr::V4(ip)),
        Protocol::Ip6(ip) => Some(ip.to_canonical()),
        _ => None,
    })
}
