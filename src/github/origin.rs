//! Where a call goes: from the host that a client names, and its target, to a URL.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use http::uri::Authority;
use url::{Host, Position, Url};

use super::{Destination, Refused, guard};

/// The host that clients name when they mean GitHub's REST and GraphQL API.
const API_HOST: &str = "api.github.com";
/// The host that clients name when they upload release assets.
const UPLOADS_HOST: &str = "uploads.github.com";
/// The path under which GitHub Enterprise Server has its API.
const ENTERPRISE: &str = "/api/v3";

/// The hosts that are sent to a base URL instead of being looked up.
#[derive(Debug)]
pub(super) struct Origins {
    mapped: HashMap<String, Mapping>,
}

#[derive(Debug)]
struct Mapping {
    base: Base,
    api: bool,
}

/// A URL to send to, and which of the connection pools may do it.
#[derive(Debug)]
pub(super) struct Place {
    pub url: Url,
    /// Whether the operator named this origin: its addresses are not questioned.
    pub mapped: bool,
    /// Whether it is on this machine, where no proxy of the environment can reach.
    pub local: bool,
}

impl Origins {
    /// The table for `origin` and the `HOST=URL` mappings; a later mapping replaces an earlier one.
    pub(super) fn new(origin: &Url, origin_for: &[(String, Url)]) -> Result<Self, String> {
        let base = Base::new(origin)?;
        let mut mapped = HashMap::new();
        if base.enterprise {
            let uploads = Mapping {
                base: base.clone(),
                api: false,
            };
            mapped.insert(UPLOADS_HOST.to_owned(), uploads);
        }
        for host in [API_HOST, &base.authority] {
            mapped.insert(
                host.to_owned(),
                Mapping {
                    base: base.clone(),
                    api: true,
                },
            );
        }
        for (host, url) in origin_for {
            let base = Base::new(url)?;
            let host = normal(host).ok_or_else(|| format!("{host:?} is not a host"))?;
            let api = mapped.get(&host).is_some_and(|before| before.api) || is_api(&host, &base);
            mapped.insert(host, Mapping { base, api });
        }
        Ok(Self { mapped })
    }

    /// What kind of place `host` is, without asking anybody.
    pub(super) fn destination(&self, host: &str) -> Destination {
        let Some(host) = normal(host) else {
            return Destination::Refused(Refused::Host);
        };
        match self.mapped.get(&host) {
            Some(Mapping { api: true, .. }) => Destination::Api,
            Some(_) => Destination::Mapped,
            None => match public(&host) {
                Ok(()) => Destination::Public,
                Err(refused) => Destination::Refused(refused),
            },
        }
    }

    /// The URL for `target` of `host`.
    pub(super) fn place(&self, host: &str, target: &str) -> Result<Place, Refused> {
        let host = normal(host).ok_or(Refused::Host)?;
        if let Some(Mapping { base, api }) = self.mapped.get(&host) {
            let uploads = host == UPLOADS_HOST;
            let path = base.path(target, uploads);
            let url = faithful(
                &base.scheme,
                &base.authority,
                &format!("{path}{target}"),
                *api,
            )?;
            return Ok(Place {
                url,
                mapped: true,
                local: base.local,
            });
        }
        public(&host)?;
        let url = faithful("https", &host, target, false)?;
        Ok(Place {
            url,
            mapped: false,
            local: false,
        })
    }
}

/// Where a mapped host is.
#[derive(Debug, Clone)]
struct Base {
    scheme: String,
    authority: String,
    /// Without a slash at its end.
    path: String,
    local: bool,
    enterprise: bool,
}

impl Base {
    fn new(url: &Url) -> Result<Self, String> {
        let host = url
            .host()
            .ok_or_else(|| format!("{} has no host", url.scheme()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("the scheme of {host} is neither http nor https"));
        }
        let plain = url.query().is_none() && url.fragment().is_none();
        if !plain || !url.username().is_empty() || url.password().is_some() {
            return Err(format!(
                "the URL of {host} has more than a host, a port and a path"
            ));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        Ok(Self {
            scheme: url.scheme().to_owned(),
            authority: url[Position::BeforeHost..Position::AfterPort].to_owned(),
            local: guard::is_loopback(&host),
            enterprise: path == ENTERPRISE,
            path,
        })
    }

    /// What stands before `target`. Enterprise Server has REST, GraphQL and uploads under three paths,
    /// and a client that was configured for one may have written them already.
    /// <https://docs.github.com/en/enterprise-server@latest/graphql/guides/managing-enterprise-accounts>
    fn path(&self, target: &str, uploads: bool) -> &str {
        let path_only = target.split('?').next().unwrap_or(target);
        let under = |prefix: &str| {
            path_only
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !self.enterprise {
            return &self.path;
        }
        match () {
            () if under("/api/v3") || under("/api/graphql") || under("/api/uploads") => "",
            () if path_only == "/graphql" => "/api",
            () if uploads => "/api/uploads",
            () => &self.path,
        }
    }
}

/// Whether `host` speaks GitHub's API, by its name or by where it was sent.
fn is_api(host: &str, base: &Base) -> bool {
    let tenant = host
        .strip_prefix("api.")
        .is_some_and(|rest| rest.ends_with(".ghe.com"));
    host == API_HOST || tenant || base.enterprise
}

/// Lower-case, without the port of TLS and without the root's dot.
fn normal(host: &str) -> Option<String> {
    let authority: Authority = host.parse().ok().filter(|_| !host.contains('@'))?;
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    match host.strip_prefix(authority.host())? {
        _ if name.is_empty() => None,
        "" | ":443" => Some(name),
        port => Some(format!(
            "{name}:{}",
            port.strip_prefix(':')?.parse::<u16>().ok()?
        )),
    }
}

/// Names that never mean a public host (RFC 6761, RFC 6762, RFC 8375, RFC 9476, ICANN's `.internal`).
const PRIVATE_NAMES: [&str; 8] = [
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home.arpa",
    "alt",
    "onion",
];

/// Refuses what is not a public host by its spelling alone. A name that is public by its spelling is
/// still judged by its addresses, in [`guard`].
fn public(host: &str) -> Result<(), Refused> {
    let url = Url::parse(&format!("https://{host}/")).map_err(|_| Refused::Host)?;
    match url.host() {
        None => Err(Refused::Host),
        Some(Host::Ipv4(ip)) => guard::public(ip.into()),
        Some(Host::Ipv6(ip)) => guard::public(ip.into()),
        Some(Host::Domain(name)) => {
            let under = |suffix: &&str| {
                name.strip_suffix(*suffix)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            };
            if !name.contains('.') || PRIVATE_NAMES.iter().any(under) {
                return Err(Refused::Private);
            }
            Ok(())
        }
    }
}

/// The URL whose path and query are `path`, byte for byte.
///
/// [`Url`] resolves dot segments, turns `\` into `/` and encodes what may not stand in a URL. A signed
/// URL would no longer be the one that was signed, so such targets are refused. Only towards the API,
/// where nothing is signed, may `lenient` encode bytes that RFC 3986 forbids, and `'` in a query:
/// what every browser and `fetch` do, too.
fn faithful(scheme: &str, authority: &str, path: &str, lenient: bool) -> Result<Url, Refused> {
    if !path.starts_with('/') || path.contains('#') {
        return Err(Refused::Target);
    }
    let url = Url::parse(&format!("{scheme}://{authority}{path}")).map_err(|_| Refused::Target)?;
    let sent = &url[Position::BeforePath..Position::AfterQuery];
    if sent == path || (lenient && only_encoded(path.as_bytes(), sent.as_bytes())) {
        Ok(url)
    } else {
        Err(Refused::Target)
    }
}

/// Whether `sent` is `raw` with nothing but percent-encoding added.
fn only_encoded(raw: &[u8], mut sent: &[u8]) -> bool {
    for &byte in raw {
        let encoded = format!("%{byte:02X}");
        let may = byte >= 0x80 || b" \"'<>^`{|}".contains(&byte);
        let used = match sent.first() {
            Some(&first) if first == byte => 1,
            Some(_) if may && sent.starts_with(encoded.as_bytes()) => 3,
            _ => return false,
        };
        sent = &sent[used..];
    }
    sent.is_empty()
}
