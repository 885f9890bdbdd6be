//! The proxies that a network demands, as its environment variables name them.
//!
//! The rules are curl's: the lower-case variable wins over the upper-case one, `ALL_PROXY` stands in
//! for what the scheme's own does not say, and `NO_PROXY` lists hosts, domains, addresses and blocks of
//! addresses that are reached without. What is on loopback never goes through a proxy: it could not
//! reach it. A URL can hold a password, so nothing here is ever printed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, NoProxy, Proxy};
use url::{Host, Url};

use super::BuildError;

/// What the variables say; the default is no proxy.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    https: Option<Named>,
    http: Option<Named>,
    no: String,
}

/// A proxy's URL, and the variable that it comes from.
#[derive(Clone, PartialEq, Eq)]
struct Named {
    variable: &'static str,
    url: String,
}

/// What a proxy variable says makes no sense. The value is not repeated: it can hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0} is not the URL of a proxy; write one like http://proxy.example:3128 (http, https, socks4, \
     socks4a, socks5 or socks5h)"
)]
pub struct Unusable(pub &'static str);

/// In the order in which they are looked for.
const HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const HTTP: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
const NO: [&str; 2] = ["no_proxy", "NO_PROXY"];

impl Proxies {
    /// The proxies of an environment; `variable` gives the value of a name.
    pub fn of<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Self {
        let value = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let first = |names: [&'static str; 4]| {
            names.into_iter().find_map(|variable| {
                let url = value(variable)?.trim().to_owned();
                Some(Named { variable, url })
            })
        };
        Self {
            https: first(HTTPS),
            http: first(HTTP),
            no: NO
                .into_iter()
                .find_map(value)
                .unwrap_or_default()
                .to_owned(),
        }
    }

    /// Without the proxies that are `own`, the address of our own listener: through one of them we
    /// would ask ourselves for ever. Also the variables that named it.
    #[must_use]
    pub fn without_own(self, own: SocketAddr) -> (Self, Vec<&'static str>) {
        let mut named = Vec::new();
        let mut other = |proxy: Option<Named>| {
            proxy.filter(|proxy| {
                let is_own = parse(&proxy.url).is_some_and(|url| leads_to(&url, own));
                if is_own && !named.contains(&proxy.variable) {
                    named.push(proxy.variable);
                }
                !is_own
            })
        };
        let (https, http) = (other(self.https), other(self.http));
        (
            Self {
                https,
                http,
                ..self
            },
            named,
        )
    }

    /// `builder` with these proxies: for the client of another service than the API.
    pub fn applied(&self, builder: ClientBuilder) -> Result<ClientBuilder, BuildError> {
        let [https, http] = self.urls()?;
        let except = NoProxy::from_string(&format!("localhost,127.0.0.0/8,::1,{}", self.no));
        // The variables were read once, in the configuration.
        let mut builder = builder.no_proxy();
        if let Some(url) = https {
            let proxy = Proxy::https(url).map_err(BuildError::Client)?;
            builder = builder.proxy(proxy.no_proxy(except.clone()));
        }
        if let Some(url) = http {
            let proxy = Proxy::http(url).map_err(BuildError::Client)?;
            builder = builder.proxy(proxy.no_proxy(except));
        }
        Ok(builder)
    }

    /// The URLs for `https` and for `http`.
    pub(super) fn urls(&self) -> Result<[Option<Url>; 2], Unusable> {
        let read = |proxy: &Option<Named>| {
            let read = |proxy: &Named| parse(&proxy.url).ok_or(Unusable(proxy.variable));
            proxy.as_ref().map(read).transpose()
        };
        Ok([read(&self.https)?, read(&self.http)?])
    }

    /// Which of the hosts elsewhere are reached through a proxy.
    pub(super) fn matcher(&self) -> Matcher {
        let url = |proxy: &Option<Named>| proxy.as_ref().map(|proxy| proxy.url.clone());
        Matcher::builder()
            .https(url(&self.https).unwrap_or_default())
            .http(url(&self.http).unwrap_or_default())
            .no(self.no.clone())
            .build()
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variable = |proxy: &Option<Named>| proxy.as_ref().map(|proxy| proxy.variable);
        f.debug_struct("Proxies")
            .field("https", &variable(&self.https))
            .field("http", &variable(&self.http))
            .field("no", &self.no)
            .finish()
    }
}

const SCHEMES: [&str; 6] = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];

/// A proxy's URL; without a scheme it is an HTTP proxy.
fn parse(text: &str) -> Option<Url> {
    let url = if text.contains("://") {
        Url::parse(text)
    } else {
        Url::parse(&format!("http://{text}"))
    };
    url.ok()
        .filter(|url| SCHEMES.contains(&url.scheme()) && url.has_host())
}

fn leads_to(proxy: &Url, own: SocketAddr) -> bool {
    let port = proxy.port_or_known_default().unwrap_or(1080);
    let same = |ip: IpAddr| ip == own.ip() || ip.is_unspecified();
    port == own.port()
        && match proxy.host() {
            Some(Host::Domain(name)) => match name.parse() {
                // The hosts of schemes that are not the web's are not parsed any further.
                Ok(ip) => same(ip),
                Err(_) => name.eq_ignore_ascii_case("localhost") && own.ip().is_loopback(),
            },
            Some(Host::Ipv4(ip)) => same(ip.into()),
            Some(Host::Ipv6(ip)) => same(IpAddr::V6(ip).to_canonical()),
            None => false,
        }
        && own.ip() != IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        && own.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED)
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::*;

    fn proxies(pairs: &'static [(&'static str, &'static str)]) -> Proxies {
        Proxies::of(|name| {
            let pair = pairs.iter().find(|(known, _)| *known == name);
            pair.map(|&(_, value)| value)
        })
    }

    /// The host of the proxy through which `url` is reached.
    fn through(proxies: &Proxies, url: &str) -> Option<String> {
        let url: Uri = url.parse().unwrap();
        let proxy = proxies.matcher().intercept(&url)?;
        proxy.uri().host().map(str::to_owned)
    }

    #[test]
    fn the_variables_mean_what_they_mean_to_curl() {
        let github = "https://api.github.com/";
        for (pairs, url, expected) in [
            (&[][..], github, None),
            (&[("HTTPS_PROXY", "http://up:1")], github, Some("up")),
            (&[("https_proxy", "http://low:1")], github, Some("low")),
            (
                &[("HTTPS_PROXY", "http://up:1"), ("https_proxy", "low:1")],
                github,
                Some("low"),
            ),
            (&[("HTTP_PROXY", "http://up:1")], github, None),
            (
                &[("http_proxy", "plain:1")],
                "http://ghes.example/",
                Some("plain"),
            ),
            (&[("ALL_PROXY", "http://all:1")], github, Some("all")),
            (
                &[("all_proxy", "http://all:1"), ("HTTPS_PROXY", "own:1")],
                github,
                Some("own"),
            ),
            (
                &[
                    ("HTTPS_PROXY", "p:1"),
                    ("NO_PROXY", "example.org, github.com"),
                ],
                github,
                None,
            ),
            (
                &[("HTTPS_PROXY", "p:1"), ("no_proxy", "hub.com")],
                github,
                Some("p"),
            ),
            (
                &[("HTTPS_PROXY", "p:1"), ("no_proxy", ".github.com")],
                github,
                None,
            ),
            (&[("HTTPS_PROXY", "p:1"), ("no_proxy", "*")], github, None),
            (
                &[("HTTPS_PROXY", "p:1"), ("no_proxy", "140.82.0.0/16")],
                "https://140.82.1.1/",
                None,
            ),
        ] {
            let found = through(&proxies(pairs), url);
            assert_eq!(found.as_deref(), expected, "{pairs:?} {url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_said_without_its_value() {
        for value in ["ftp://user:secret@p:1", "http://user:secret@", "::secret::"] {
            let value: &'static str = value;
            let pairs: &'static [_] = Box::leak(Box::new([("HTTPS_PROXY", value)]));
            let error = proxies(pairs).urls().unwrap_err();
            assert_eq!(error, Unusable("HTTPS_PROXY"), "{value}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let fine = proxies(&[("ALL_PROXY", "socks5h://u:secret@127.0.0.1:1080")]);
        assert!(fine.urls().is_ok() && !format!("{fine:?}").contains("secret"));
    }

    #[test]
    fn our_own_address_is_no_proxy() {
        let own: SocketAddr = "127.0.0.1:8080".parse().unwrap();
        for (url, is_own) in [
            ("http://127.0.0.1:8080", true),
            ("http://user:pw@localhost:8080/", true),
            ("127.0.0.1:8080", true),
            ("http://[::ffff:127.0.0.1]:8080", true),
            ("socks5://127.0.0.1:8080", true),
            ("http://127.0.0.1:8081", false),
            ("http://proxy.example:8080", false),
        ] {
            let pairs: &'static [_] = Box::leak(Box::new([("ALL_PROXY", url)]));
            let (left, named) = proxies(pairs).without_own(own);
            assert_eq!(
                named,
                if is_own { vec!["ALL_PROXY"] } else { vec![] },
                "{url}"
            );
            assert_eq!(left == Proxies::default(), is_own, "{url}");
        }
    }
}
