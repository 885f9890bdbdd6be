//! Peers' addresses, pools and ways of admission as people write them.

use std::fmt;

use libp2p::multiaddr::Protocol;

use crate::swarm::{Multiaddr, Pool};

/// A pool: `octo-org/app`, or any other name.
pub fn pool(text: &str) -> Result<Pool, String> {
    Pool::new(text.trim()).map_err(|error| error.to_string())
}

/// Where peers can connect: an address of this machine with a TCP port, or a UDP port and QUIC.
pub fn listening(text: &str) -> Result<Multiaddr, String> {
    let address = address(text)?;
    let mut parts = address.iter();
    let ip = matches!(parts.next(), Some(Protocol::Ip4(_) | Protocol::Ip6(_)));
    let port = match parts.next() {
        Some(Protocol::Tcp(_)) => true,
        Some(Protocol::Udp(_)) => parts.next() == Some(Protocol::QuicV1),
        _ => false,
    };
    if ip && port && parts.next().is_none() {
        return Ok(address);
    }
    Err(format!(
        "{text:?} is no place to listen; write one like /ip4/0.0.0.0/tcp/9000, or \
         /ip4/0.0.0.0/udp/9000/quic-v1"
    ))
}

/// Where a peer is: an address or a name, with a TCP port, or a UDP port and QUIC, and perhaps its id.
pub fn dialable(text: &str) -> Result<Multiaddr, String> {
    let address = address(text)?;
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified(),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => true,
        _ => false,
    };
    let port = match parts.next() {
        Some(Protocol::Tcp(port)) => port > 0,
        Some(Protocol::Udp(port)) => port > 0 && parts.next() == Some(Protocol::QuicV1),
        _ => false,
    };
    let whose = matches!(parts.next(), None | Some(Protocol::P2p(_)));
    if host && port && whose && parts.next().is_none() {
        return Ok(address);
    }
    Err(format!(
        "{text:?} cannot be dialled; write one like /ip4/10.0.0.1/tcp/9000, \
         /dns4/runner-1/udp/9000/quic-v1, or either with /p2p/PEER_ID behind it"
    ))
}

fn address(text: &str) -> Result<Multiaddr, String> {
    text.trim().parse().map_err(|_| {
        format!("{text:?} is not a multiaddress; write one like /ip4/10.0.0.1/tcp/9000")
    })
}

/// The name of a variable. What looks like the secret itself is not repeated.
pub fn variable(text: &str) -> Result<String, String> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let digit_first = text.starts_with(|letter: char| letter.is_ascii_digit());
    if text.is_empty() || digit_first || !text.bytes().all(letter) {
        return Err("not the name of a variable: the secret itself must not stand here".to_owned());
    }
    Ok(text.to_owned())
}

/// How peers are admitted: at least one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// By the ticket of a record.
    pub ticket: bool,
    /// By the secret of the pool.
    pub secret: bool,
}

impl Admission {
    /// In any way.
    pub const BOTH: Self = Self {
        ticket: true,
        secret: true,
    };
}

impl fmt::Display for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.ticket, self.secret) {
            (true, true) => "ticket,secret",
            (true, false) => "ticket",
            (false, _) => "secret",
        })
    }
}

/// Ways of admission with commas between them.
pub fn admission(text: &str) -> Result<Admission, String> {
    let mut ways = Admission {
        ticket: false,
        secret: false,
    };
    for way in text.split(',').map(str::trim) {
        match way.to_ascii_lowercase().as_str() {
            "ticket" => ways.ticket = true,
            "secret" => ways.secret = true,
            "oidc" => {
                return Err("admission by oidc is not built yet; write ticket, secret".to_owned());
            }
            _ => return Err(format!("{way:?} is not ticket or secret")),
        }
    }
    Ok(ways)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_for_its_purpose() {
        for (text, listens, dials) in [
            ("/ip4/0.0.0.0/tcp/9000", true, false),
            ("/ip4/10.0.0.1/tcp/0", true, false),
            ("/ip4/10.0.0.1/tcp/9000", true, true),
            ("/ip6/::/udp/9000/quic-v1", true, false),
            ("/ip6/fd00::1/udp/9000/quic-v1", true, true),
            ("/dns4/runner-1/tcp/9000", false, true),
            (
                "/ip4/10.0.0.1/tcp/9000/p2p/12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5",
                false,
                true,
            ),
            ("/ip4/10.0.0.1/udp/9000", false, false),
            ("/ip4/10.0.0.1/tcp/9000/ws", false, false),
            ("/unix/x", false, false),
            ("10.0.0.1:9000", false, false),
            ("", false, false),
        ] {
            assert_eq!(listening(text).is_ok(), listens, "{text}");
            assert_eq!(dialable(text).is_ok(), dials, "{text}");
        }
        for told in [listening("x"), dialable("10.0.0.1:9000")] {
            assert!(told.unwrap_err().contains("/ip4/"));
        }
    }

    #[test]
    fn ways_of_admission_are_named_and_what_is_not_built_is_said() {
        assert_eq!(admission("ticket, Secret"), Ok(Admission::BOTH));
        assert_eq!(admission("secret").unwrap().to_string(), "secret");
        assert!(admission("oidc").unwrap_err().contains("not built"));
        assert!(admission("").is_err() && admission("tickets").is_err());
    }

    #[test]
    fn a_secret_in_the_place_of_its_variable_is_not_repeated() {
        assert_eq!(variable("POOL_SECRET").as_deref(), Ok("POOL_SECRET"));
        for secret in ["hunter2-hunter2!", "", "9lives", "a b"] {
            assert!(!variable(secret).unwrap_err().contains("hunter2"));
        }
    }
}
