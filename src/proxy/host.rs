//! Whom a request is for: which hosts and paths a client may name on which socket.
//!
//! A port on the loopback address is reachable by every program of the machine and, through a
//! browser, by every web page. So on TCP only our own address is answered (a page that rebinds its
//! DNS name to 127.0.0.1 still sends its own name as `Host`), and nothing that a page sent. The Unix
//! socket is protected by its directory; there any public host may be named, as `gh` does.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::StatusCode;

use super::admin::Access;
use super::failure::Refusal;
use super::head::Head;
use crate::github::{Client, Destination};

/// The API's host, which is what a path on our own address means.
pub(super) const API_HOST: &str = "api.github.com";
/// Where release assets are uploaded.
pub(super) const UPLOADS_HOST: &str = "uploads.github.com";
/// The admin interface's name on the Unix socket.
const ADMIN_HOST: &str = "ghswarm.internal";
/// Where clients expect the API on any host but github.com.
pub(super) const ENTERPRISE: &str = "/api/v3";
/// Where clients expect uploads on any host but github.com.
pub(super) const ENTERPRISE_UPLOADS: &str = "/api/uploads";

/// The socket that a connection came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// The client's port; the address is the connection's own.
    Tcp(SocketAddr),
    /// The admin port; the address is the connection's own.
    Admin(SocketAddr),
    /// The Unix socket, entered by our own user or by root.
    Unix,
    /// The Unix socket, entered by another user: its file's mode lets them connect.
    Guest,
}

/// What a request asks of us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Goal<'a> {
    /// Something of a host behind us.
    Origin(Place<'a>),
    /// Something of our own.
    Admin(Access),
}

/// A resource in the origin's terms.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// In lower case, without a default port.
    pub(super) host: Cow<'a, str>,
    /// Path and query, without a prefix of Enterprise Server.
    pub(super) target: Cow<'a, str>,
    pub(super) base: Base<'a>,
}

/// How the client addresses us, so that the addresses in its answers lead back here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base<'a> {
    scheme: &'static str,
    authority: Cow<'a, str>,
    /// Empty, or [`ENTERPRISE`].
    style: &'static str,
    /// Whether addresses of the API become ours.
    pub(super) rewrites: bool,
    /// Whether addresses of the uploads host become ours.
    pub(super) rewrites_uploads: bool,
}

impl Base<'_> {
    /// What stands before an API target, for instance `http://127.0.0.1:9/api/v3`.
    pub(super) fn api(&self) -> String {
        [self.scheme, "://", &self.authority, self.style].concat()
    }

    /// What stands before a target of the uploads host.
    pub(super) fn uploads(&self) -> String {
        [self.scheme, "://", &self.authority, ENTERPRISE_UPLOADS].concat()
    }

    /// Whether the client names `authority` (lower case) itself.
    pub(super) fn is(&self, authority: &str) -> bool {
        self.authority.eq_ignore_ascii_case(authority)
    }

    pub(super) fn into_owned(self) -> Base<'static> {
        Base {
            authority: Cow::Owned(self.authority.into_owned()),
            ..self
        }
    }
}

/// Judges a request by its host, its path and the socket it came in by.
pub(super) fn judge<'a>(
    door: Door,
    head: &Head<'a>,
    client: &'a Client,
) -> Result<Goal<'a>, Refusal> {
    if matches!(door, Door::Tcp(_) | Door::Admin(_)) && head.from_web_page {
        return Err(forbidden("a web page may not use this API"));
    }
    if head.method == "CONNECT" {
        return Err(Refusal::allowing(
            "GET, HEAD, POST, PUT, PATCH, DELETE",
            "CONNECT is not served: use this address as the API's base URL",
        ));
    }
    let host = Authority::read(head.host).ok_or_else(|| bad("Host is malformed"))?;
    let asked = Asked::read(head.target, &host)?;
    match door {
        Door::Unix => over_unix(asked, Access::Owner, client),
        Door::Guest => over_unix(asked, Access::Guest, client),
        Door::Tcp(own) if asked.authority.is(own) => Ok(Goal::Origin(on_base(
            asked,
            Cow::Borrowed(asked.authority.text),
        ))),
        Door::Tcp(own) if asked.authority.is_localhost() => Ok(Goal::Origin(on_base(
            asked,
            // With our port, or the addresses in the answer would lead to port 80.
            Cow::Owned(format!("localhost:{}", own.port())),
        ))),
        Door::Tcp(_) if asked.absolute => through_proxy(asked, client),
        Door::Admin(own) if asked.authority.is(own) || asked.authority.is_localhost() => {
            Ok(Goal::Admin(Access::Stranger))
        }
        Door::Tcp(_) | Door::Admin(_) => Err(forbidden("this host is not served here")),
    }
}

const fn bad(why: &'static str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, why)
}

const fn forbidden(why: &'static str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, why)
}

/// The request target, cut (RFC 9112, section 3.2).
#[derive(Clone, Copy)]
struct Asked<'a> {
    absolute: bool,
    authority: Authority<'a>,
    target: &'a str,
}

impl<'a> Asked<'a> {
    fn read(target: &'a str, host: &Authority<'a>) -> Result<Self, Refusal> {
        if target.contains('#') {
            return Err(bad("a request target has no fragment"));
        }
        if target.starts_with('/') {
            return Ok(Self {
                absolute: false,
                authority: *host,
                target,
            });
        }
        let scheme = |name: &str| {
            let (start, rest) = target.split_at_checked(name.len())?;
            start.eq_ignore_ascii_case(name).then_some(rest)
        };
        let rest = scheme("http://")
            .or_else(|| scheme("https://"))
            .ok_or_else(|| bad("the request target is neither a path nor a URL"))?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let authority = Authority::read(&rest[..end]).ok_or_else(|| bad("the URL is malformed"))?;
        if !authority.same(host) {
            // RFC 9112, section 3.2.2 lets a proxy ignore Host here. What is behind us might not.
            return Err(bad("Host is not the host of the URL"));
        }
        let target = match &rest[end..] {
            "" => "/",
            query if query.starts_with('?') => return Err(bad("the URL has no path")),
            path => path,
        };
        Ok(Self {
            absolute: true,
            authority,
            target,
        })
    }
}

fn over_unix<'a>(
    asked: Asked<'a>,
    access: Access,
    client: &'a Client,
) -> Result<Goal<'a>, Refusal> {
    if asked.authority.name.eq_ignore_ascii_case(ADMIN_HOST) {
        return Ok(Goal::Admin(access));
    }
    let named = asked.authority.normal();
    let base = Base {
        scheme: "https",
        authority: named.clone(),
        style: "",
        rewrites: is_api(client, &named),
        rewrites_uploads: false,
    };
    if base.rewrites {
        return Ok(Goal::Origin(Place {
            host: named,
            target: Cow::Borrowed(asked.target),
            base,
        }));
    }
    if let Destination::Refused(refused) = client.destination(&named) {
        return Err(Refusal::owned(StatusCode::FORBIDDEN, refused.to_string()));
    }
    // Addresses in its answers name the very host that this client named.
    Ok(Goal::Origin(of_enterprise(
        named,
        asked.target,
        base,
        client,
    )))
}

/// A host that may be an Enterprise Server: what it has under the paths of one, or anything else.
fn of_enterprise<'a>(
    named: Cow<'a, str>,
    target: &'a str,
    base: Base<'a>,
    client: &'a Client,
) -> Place<'a> {
    let cut = client
        .enterprise(&named)
        .and_then(|parts| Some((parts, cut_style(target)?)));
    let Some((parts, (part, target))) = cut else {
        return Place {
            host: named,
            target: Cow::Borrowed(target),
            base,
        };
    };
    Place {
        host: Cow::Borrowed(match part {
            Part::Api => &parts.api,
            Part::Uploads => &parts.uploads,
        }),
        target,
        base: Base {
            style: ENTERPRISE,
            ..base
        },
    }
}

/// A client whose base URL is our address.
fn on_base<'a>(asked: Asked<'a>, authority: Cow<'a, str>) -> Place<'a> {
    let base = Base {
        scheme: "http",
        authority,
        style: "",
        rewrites: true,
        rewrites_uploads: true,
    };
    of_api(Cow::Borrowed(API_HOST), asked.target, base)
}

/// The API, which clients also look for under the paths of Enterprise Server.
fn of_api<'a>(host: Cow<'a, str>, target: &'a str, base: Base<'a>) -> Place<'a> {
    match cut_style(target) {
        None => Place {
            host,
            target: Cow::Borrowed(target),
            base,
        },
        Some((part, target)) => Place {
            host: match part {
                Part::Api => host,
                Part::Uploads => Cow::Borrowed(UPLOADS_HOST),
            },
            target,
            base: Base {
                style: ENTERPRISE,
                ..base
            },
        },
    }
}

/// A client that has us as its `HTTP_PROXY`.
fn through_proxy<'a>(asked: Asked<'a>, client: &'a Client) -> Result<Goal<'a>, Refusal> {
    let named = asked.authority.normal();
    let api = is_api(client, &named);
    let other = named == UPLOADS_HOST || matches!(client.destination(&named), Destination::Mapped);
    if !api && !other {
        return Err(forbidden(
            "only the API's hosts are reached through this proxy",
        ));
    }
    let rewrites = api || client.enterprise(&named).is_some();
    let base = Base {
        scheme: "http",
        authority: Cow::Borrowed(asked.authority.text),
        style: "",
        rewrites,
        rewrites_uploads: rewrites,
    };
    Ok(Goal::Origin(if api {
        of_api(named, asked.target, base)
    } else {
        of_enterprise(named, asked.target, base, client)
    }))
}

/// Whether `host` (lower case) is the API, and not merely mapped or public.
pub(super) fn is_api(client: &Client, host: &str) -> bool {
    host == API_HOST || matches!(client.destination(host), Destination::Api)
}

/// What Enterprise Server has on one host, and github.com on two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Api,
    Uploads,
}

/// The target without a prefix of Enterprise Server, and what the prefix stands for.
fn cut_style(target: &str) -> Option<(Part, Cow<'_, str>)> {
    if !target.starts_with("/api/") {
        return None;
    }
    if let Some(rest) = under(target, ENTERPRISE) {
        return Some((Part::Api, rooted(rest)));
    }
    if let Some(rest) = under(target, "/api/graphql") {
        return Some((Part::Api, Cow::Owned(["/graphql", rest].concat())));
    }
    let rest = under(target, ENTERPRISE_UPLOADS)?;
    Some((Part::Uploads, rooted(rest)))
}

/// What follows `prefix`, if it ends at the end of a path segment.
pub(super) fn under<'a>(target: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = target.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
}

fn rooted(rest: &str) -> Cow<'_, str> {
    if rest.starts_with('/') {
        Cow::Borrowed(rest)
    } else {
        Cow::Owned(["/", rest].concat())
    }
}

/// `host [":" port]` (RFC 3986, section 3.2), without user information.
#[derive(Debug, Clone, Copy)]
struct Authority<'a> {
    text: &'a str,
    name: &'a str,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (name, port) = match text.rfind(':') {
            Some(colon) if !text.ends_with(']') => (&text[..colon], Some(&text[colon + 1..])),
            _ => (text, None),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let valid = match name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
        {
            Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !name.is_empty() && name.bytes().all(plain),
        };
        let port = match port {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
            None => None,
        };
        valid.then_some(Self { text, name, port })
    }

    /// Whether two spellings mean one place.
    fn same(&self, other: &Self) -> bool {
        let port = |authority: &Self| authority.port.filter(|port| !matches!(port, 80 | 443));
        self.name.eq_ignore_ascii_case(other.name) && port(self) == port(other)
    }

    /// Whether this is the address that a connection was made to, or a name of the loopback at its
    /// port.
    fn is(&self, own: SocketAddr) -> bool {
        if self.port.unwrap_or(80) != own.port() {
            return false;
        }
        let bare = self.name.trim_start_matches('[').trim_end_matches(']');
        self.name.eq_ignore_ascii_case("localhost")
            || bare.parse().is_ok_and(|ip: IpAddr| {
                let ip = ip.to_canonical();
                ip == own.ip().to_canonical() || LOOPBACKS.contains(&ip)
            })
    }

    /// Lower case, without a default port: as the origin's client knows hosts.
    fn normal(&self) -> Cow<'a, str> {
        let lower = |text: &'a str| {
            if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                Cow::Owned(text.to_ascii_lowercase())
            } else {
                Cow::Borrowed(text)
            }
        };
        match self.port {
            None | Some(80 | 443) => lower(self.name),
            Some(_) => lower(self.text),
        }
    }

    /// `localhost` and no port: this machine, whichever port the client connected to.
    fn is_localhost(&self) -> bool {
        self.port.is_none() && self.name.eq_ignore_ascii_case("localhost")
    }
}

/// The loopback addresses that clients write. Others of 127.0.0.0/8 count when the listener has them.
const LOOPBACKS: [IpAddr; 2] = [
    IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
];

#[cfg(test)]
mod tests;
