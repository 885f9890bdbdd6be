//! Which addresses a client may make us connect to.
//!
//! Over the Unix socket clients name any host. Without a guard the daemon would be a way around the
//! network's own rules: to the metadata service of a cloud, to a port on loopback, to the intranet.
//! Literal addresses are judged at once. Names are judged by the addresses that are then connected to,
//! inside the resolver, so that a name that resolves differently a moment later gains nothing.
//! Through a proxy it is the proxy that resolves names: there literal addresses and private names are
//! refused here, and the rest is the proxy's to judge, as for every other program of its network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

use super::Refused;

/// Refuses an address that is not on the public internet.
pub(super) fn public(ip: IpAddr) -> Result<(), Refused> {
    let public = match ip {
        IpAddr::V4(ip) => public_v4(ip),
        IpAddr::V6(ip) => public_v6(ip),
    };
    if public {
        Ok(())
    } else {
        Err(Refused::Private)
    }
}

/// Whether a URL's host is this machine.
pub(super) fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(ip) => ip.is_loopback() || ip.is_unspecified(),
        Host::Ipv6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback())
        }
    }
}

/// Special-purpose IPv4 blocks: address and prefix length.
/// <https://www.iana.org/assignments/iana-ipv4-special-registry/>
const SPECIAL_V4: [([u8; 4], u32); 15] = [
    ([0, 0, 0, 0], 8),       // this network
    ([10, 0, 0, 0], 8),      // private
    ([100, 64, 0, 0], 10),   // shared by carriers (CGNAT)
    ([127, 0, 0, 0], 8),     // loopback
    ([169, 254, 0, 0], 16),  // link-local; cloud metadata
    ([172, 16, 0, 0], 12),   // private
    ([192, 0, 0, 0], 24),    // protocol assignments
    ([192, 0, 2, 0], 24),    // documentation
    ([192, 88, 99, 0], 24),  // 6to4 relays
    ([192, 168, 0, 0], 16),  // private
    ([198, 18, 0, 0], 15),   // benchmarks
    ([198, 51, 100, 0], 24), // documentation
    ([203, 0, 113, 0], 24),  // documentation
    ([224, 0, 0, 0], 4),     // multicast
    ([240, 0, 0, 0], 4),     // reserved; broadcast
];

fn public_v4(ip: Ipv4Addr) -> bool {
    SPECIAL_V4.iter().all(|&(network, prefix)| {
        let mask = u32::MAX << (32 - prefix);
        ip.to_bits() & mask != Ipv4Addr::from(network).to_bits()
    })
}

/// Blocks inside global unicast (`2000::/3`) that are not the public internet.
/// <https://www.iana.org/assignments/iana-ipv6-special-registry/>
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments; Teredo
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4, which embeds any IPv4 address
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

fn public_v6(ip: Ipv6Addr) -> bool {
    let within = |network: Ipv6Addr, prefix: u32| {
        let mask = u128::MAX << (128 - prefix);
        ip.to_bits() & mask == network.to_bits()
    };
    let [.., a, b, c, d] = ip.octets();
    let embedded = Ipv4Addr::new(a, b, c, d);
    // IPv4-mapped addresses, and NAT64 (RFC 6052), by which networks with IPv6 alone reach GitHub.
    if within(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96)
        || within(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96)
    {
        return public_v4(embedded);
    }
    within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
        && !SPECIAL_V6
            .iter()
            .any(|&(network, prefix)| within(network, prefix))
}

/// A name had no address that may be connected to.
#[derive(Debug, thiserror::Error)]
#[error("the name has no public address")]
pub(super) struct NotPublic;

/// Those of a name's addresses that may be connected to.
pub(super) fn keep_public(found: Vec<IpAddr>) -> Result<Vec<IpAddr>, NotPublic> {
    let public: Vec<_> = found.into_iter().filter(|&ip| public(ip).is_ok()).collect();
    if public.is_empty() {
        Err(NotPublic)
    } else {
        Ok(public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_internet_is_public() {
        for ip in [
            "140.82.121.6",
            "1.1.1.1",
            "172.15.255.255",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "223.255.255.255",
            "2606:50c0:8000::64",
            "2a00:1450::1",
            "::ffff:140.82.121.6",
            "64:ff9b::8c52:7906",
        ] {
            assert_eq!(public(ip.parse().unwrap()), Ok(()), "{ip}");
        }
    }

    #[test]
    fn of_a_names_addresses_only_the_public_ones_are_tried() {
        let addresses =
            |list: &[&str]| keep_public(list.iter().map(|ip| ip.parse().unwrap()).collect());
        let github = ["140.82.121.6".parse::<IpAddr>().unwrap()];
        let kept = addresses(&["10.0.0.1", "140.82.121.6", "::1"]).unwrap();
        assert_eq!(kept, github);
        assert!(addresses(&["10.0.0.1", "fe80::1"]).is_err());
    }

    #[test]
    fn an_address_inside_another_is_judged_by_itself() {
        for ip in [
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a00:1",
            "::127.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "2002:7f00:1::",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "100::1",
        ] {
            assert_eq!(public(ip.parse().unwrap()), Err(Refused::Private), "{ip}");
        }
    }
}
