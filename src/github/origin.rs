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
pub(super) const ENTERPRISE: &str = "/api/v3";
/// The path of its GraphQL.
const ENTERPRISE_GRAPHQL: &str = "/api/graphql";
/// The path under which it takes uploads.
pub(super) const ENTERPRISE_UPLOADS: &str = "/api/uploads";
/// Whose hosts are GitHub's own, and no Enterprise Server.
const GITHUB_NAMES: [&str; 4] = [
    "github.com",
    "githubusercontent.com",
    "githubassets.com",
    "ghe.com",
];

/// The hosts that are sent to a base URL instead of being looked up.
#[derive(Debug)]
pub(super) struct Origins {
    mapped: HashMap<String, Mapping>,
}

#[derive(Debug)]
struct Mapping {
    base: Base,
    part: Part,
}

/// What stands at a mapped host.
#[derive(Debug)]
enum Part {
    /// The API, as a host of its own.
    Api,
    /// The API of an Enterprise Server, whose REST and GraphQL have one path each.
    EnterpriseApi,
    /// Where an Enterprise Server takes uploads.
    EnterpriseUploads,
    /// An Enterprise Server with all that it has: its API is called on under another name.
    Enterprise(Enterprise),
    /// Anything else.
    Other,
}

/// The names under which the parts of an Enterprise Server are called on.
///
/// On its own host the API is a path among others, and `/x` of the API must not be mistaken for `/x`
/// of the web site. So each part gets a name that [`Client::send`](super::Client::send) knows. Where
/// no other name stands for it, it is made of host and path, and no client can name it as a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enterprise {
    /// Of REST and GraphQL.
    pub api: String,
    /// Of uploads.
    pub uploads: String,
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
        let (base, enterprise) = Base::new(origin)?;
        let mut table = Self {
            mapped: HashMap::new(),
        };
        let authority = base.authority.clone();
        let origin = Enterprise {
            api: API_HOST.to_owned(),
            uploads: UPLOADS_HOST.to_owned(),
        };
        let origin = enterprise.then(|| (base.clone(), origin));
        if let Some((base, names)) = &origin {
            table.enterprise(authority, base, names.clone());
        } else {
            table.map(authority, base.clone(), Part::Api);
            table.map(API_HOST.to_owned(), base, Part::Api);
        }
        for (host, url) in origin_for {
            let (base, enterprise) = Base::new(url)?;
            let host = normal(host).ok_or_else(|| format!("{host:?} is not a host"))?;
            let before = table.mapped.get(&host).map(|before| &before.part);
            let was_api = matches!(before, Some(Part::Api | Part::EnterpriseApi));
            let is_api = was_api || is_api(&host) || (enterprise && host.starts_with("api."));
            match enterprise {
                true if is_api => table.map(host, base, Part::EnterpriseApi),
                true if host == UPLOADS_HOST => table.map(host, base, Part::EnterpriseUploads),
                false if is_api => table.map(host, base, Part::Api),
                false if is_of_github(&host) => table.map(host, base, Part::Other),
                // Another name of the origin, perhaps the one that it calls itself by.
                _ if let Some((_, names)) = origin.as_ref().filter(|(same, _)| *same == base) => {
                    table.map(host, base, Part::Enterprise(names.clone()));
                }
                // Any other host may be an Enterprise Server. If it is not, nobody asks for `/api/v3`.
                _ => {
                    let names = Enterprise {
                        api: [&host, ENTERPRISE].concat(),
                        uploads: [&host, ENTERPRISE_UPLOADS].concat(),
                    };
                    table.enterprise(host, &base, names);
                }
            }
        }
        Ok(table)
    }

    fn map(&mut self, host: String, base: Base, part: Part) {
        self.mapped.insert(host, Mapping { base, part });
    }

    fn enterprise(&mut self, host: String, base: &Base, names: Enterprise) {
        self.map(names.api.clone(), base.clone(), Part::EnterpriseApi);
        self.map(names.uploads.clone(), base.clone(), Part::EnterpriseUploads);
        self.map(host, base.clone(), Part::Enterprise(names));
    }

    fn get(&self, host: &str) -> Option<&Mapping> {
        let found = self.mapped.get(host);
        found.or_else(|| self.mapped.get(&normal(host)?))
    }

    /// The names of the parts of `host`, if it may be an Enterprise Server that the operator mapped.
    pub(super) fn names(&self, host: &str) -> Option<&Enterprise> {
        match &self.get(host)?.part {
            Part::Enterprise(names) => Some(names),
            _ => None,
        }
    }

    /// What kind of place `host` is, without asking anybody.
    pub(super) fn destination(&self, host: &str) -> Destination {
        if let Some(mapping) = self.get(host) {
            return match mapping.part {
                Part::Api | Part::EnterpriseApi => Destination::Api,
                Part::EnterpriseUploads | Part::Enterprise(_) | Part::Other => Destination::Mapped,
            };
        }
        let Some(host) = normal(host) else {
            return Destination::Refused(Refused::Host);
        };
        match public(&host) {
            Ok(()) => Destination::Public,
            Err(refused) => Destination::Refused(refused),
        }
    }

    /// The URL for `target` of `host`.
    pub(super) fn place(&self, host: &str, target: &str) -> Result<Place, Refused> {
        if let Some(mapping) = self.get(host) {
            let base = &mapping.base;
            let path = [&base.path, mapping.part.path(target), target].concat();
            let lenient = matches!(mapping.part, Part::Api | Part::EnterpriseApi);
            let url = faithful(&base.scheme, &base.authority, &path, lenient)?;
            return Ok(Place {
                url,
                mapped: true,
                local: base.local,
            });
        }
        let host = normal(host).ok_or(Refused::Host)?;
        public(&host)?;
        let url = faithful("https", &host, target, false)?;
        Ok(Place {
            url,
            mapped: false,
            local: false,
        })
    }
}

impl Part {
    /// What stands before `target`. Enterprise Server has REST, GraphQL and uploads under three paths,
    /// and a client that names api.github.com may have written them already.
    /// <https://docs.github.com/en/enterprise-server@latest/graphql/guides/managing-enterprise-accounts>
    fn path(&self, target: &str) -> &'static str {
        let path = target.split('?').next().unwrap_or(target);
        let under = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let parts = [ENTERPRISE, ENTERPRISE_GRAPHQL, ENTERPRISE_UPLOADS];
        match self {
            Self::Api | Self::Enterprise(_) | Self::Other => "",
            Self::EnterpriseApi | Self::EnterpriseUploads if parts.into_iter().any(under) => "",
            Self::EnterpriseApi if path == "/graphql" => "/api",
            Self::EnterpriseApi => ENTERPRISE,
            Self::EnterpriseUploads => ENTERPRISE_UPLOADS,
        }
    }
}

/// Where a mapped host is.
#[derive(Debug, Clone, PartialEq)]
struct Base {
    scheme: String,
    authority: String,
    /// Without a slash at its end, and without the path of Enterprise Server's API.
    path: String,
    local: bool,
}

impl Base {
    /// Reads `url`, and whether it is the API of an Enterprise Server.
    fn new(url: &Url) -> Result<(Self, bool), String> {
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
        let path = url.path().trim_end_matches('/');
        let root = path.strip_suffix(ENTERPRISE);
        let base = Self {
            scheme: url.scheme().to_owned(),
            authority: url[Position::BeforeHost..Position::AfterPort].to_owned(),
            local: guard::is_loopback(&host),
            path: root.unwrap_or(path).to_owned(),
        };
        Ok((base, root.is_some()))
    }
}

/// Whether `host` has GitHub's API for itself, by its name.
fn is_api(host: &str) -> bool {
    let tenant = host
        .strip_prefix("api.")
        .is_some_and(|rest| rest.ends_with(".ghe.com"));
    host == API_HOST || tenant
}

/// Whether `host` is one of github.com's or of a tenant's.
fn is_of_github(host: &str) -> bool {
    GITHUB_NAMES.iter().any(|name| {
        host.strip_suffix(name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
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
