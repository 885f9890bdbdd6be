//! What a daemon needs of the outside: GitHub, and the port at which other runners expect it. Both are looked at once, when
//! the job begins, so that what is wrong is said then and not by each request that fails.

use std::collections::BTreeSet;
use std::time::Duration;

use libp2p::multiaddr::Protocol;

use crate::config::Settings;
use crate::swarm::{self, Multiaddr};

/// A job does not wait longer to learn that there is no network.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why GitHub is not reached; `None` if it is. It is connected to and not asked anything.
pub(super) async fn github(settings: &Settings) -> Option<String> {
    let config = settings.github();
    let error = config.connects(PATIENCE).await.err()?;
    let host = config.origin.host_str().unwrap_or_default();
    Some(format!(
        "GitHub is not reached at {host}, so nothing can be asked before it is: {error}"
    ))
}

/// What there is to say of the ports at which we are reached, if none of them is one where we should be: firewalls are
/// opened for those.
pub(super) fn port(wanted: &[Multiaddr], listening: &[Multiaddr]) -> Option<String> {
    let ports = |addresses: &[Multiaddr]| -> BTreeSet<u16> {
        let parts = addresses.iter().flat_map(Multiaddr::iter);
        parts.filter_map(|part| number(&part)).collect()
    };
    let (wanted, ours) = (ports(wanted), ports(listening));
    let expected = |port: &u16| {
        if wanted.is_empty() {
            swarm::PORTS.contains(port)
        } else {
            // 0 stands for any.
            wanted.contains(port) || wanted.contains(&0)
        }
    };
    if ours.is_empty() || ours.iter().any(expected) {
        return None;
    }
    let ours: Vec<_> = ours.iter().map(u16::to_string).collect();
    let ours = ours.join(", ");
    let (first, last) = (swarm::PORTS.start(), swarm::PORTS.end());
    let theirs = wanted.first().map_or_else(
        || format!("ports {first} to {last} are"),
        |port| format!("port {port} is"),
    );
    Some(format!(
        "{theirs} taken, so other runners reach this one at {ours}, if no firewall is in the way"
    ))
}

const fn number(part: &Protocol<'_>) -> Option<u16> {
    match part {
        Protocol::Tcp(number) | Protocol::Udp(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(wanted: &[&str], listening: &[&str]) -> Option<String> {
        let read = |texts: &[&str]| -> Vec<Multiaddr> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        port(&read(wanted), &read(listening))
    }

    #[test]
    fn only_a_port_that_nobody_expects_is_worth_a_word() {
        assert_eq!(said(&[], &["/ip4/10.0.0.1/tcp/9000"]), None);
        assert_eq!(said(&[], &["/ip4/10.0.0.1/udp/9010/quic-v1"]), None);
        assert_eq!(said(&[], &[]), None, "it does not listen at all");
        let other = said(&[], &["/ip4/10.0.0.1/tcp/40000"]).unwrap();
        assert!(other.starts_with("ports 9000 to 9010 are taken"), "{other}");
        assert!(other.contains("at 40000,"), "{other}");
        let asked = ["/ip4/0.0.0.0/udp/9500/quic-v1", "/ip4/0.0.0.0/tcp/9500"];
        assert_eq!(said(&asked, &["/ip4/10.0.0.1/tcp/9500"]), None);
        let other = said(&asked, &["/ip4/10.0.0.1/tcp/40000"]).unwrap();
        assert!(other.starts_with("port 9500 is taken"), "{other}");
        assert_eq!(said(&["/ip4/0.0.0.0/tcp/0"], &["/ip4/1.2.3.4/tcp/7"]), None);
    }
}
