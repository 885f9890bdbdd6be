//! The proxy variables: whether they swallow requests to the daemon, and where requests to GitHub go.

use url::{Host, Url};

use super::finding::{Area, Finding};
use crate::config::env;

/// A variable that is set.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: &'static str,
    pub(super) value: String,
}

#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// The proxy variables that are set, in both spellings.
    pub(super) proxies: Vec<Variable>,
    /// `NO_PROXY` and `no_proxy`, where they are set.
    pub(super) exempt: Vec<Variable>,
    /// Where clients find the daemon, if one runs.
    pub(super) api_url: Option<String>,
    /// The host that answers for GitHub.
    pub(super) origin: String,
    /// Whether that is on this machine, where no proxy is asked.
    pub(super) origin_is_local: bool,
}

/// What to set so that the daemon is reached without a proxy.
const EXEMPT: &str = "`eval \"$(ghswarm env)\"` and `ghswarm exec` do it; by hand:\n\
                      export NO_PROXY=\"${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost,::1\"\n\
                      export no_proxy=\"$NO_PROXY\"";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    if facts.proxies.is_empty() {
        return vec![Finding::ok(Area::Proxy, "no proxy variable is set")];
    }
    let mut findings: Vec<_> = facts.proxies.iter().filter_map(malformed).collect();
    findings.extend(pairs(&facts.proxies));
    findings.extend(swallowed(facts));
    findings.extend(upstream(facts));
    findings
}

/// A value that is not the address of a proxy that can be asked.
fn malformed(variable: &Variable) -> Option<Finding> {
    let name = variable.name;
    let Some(url) = address(&variable.value) else {
        let what = format!("{name} is not the URL of a proxy");
        let fix = format!("`export {name}=http://HOST:PORT`, or `unset {name}`");
        return Some(Finding::warning(Area::Proxy, what, fix));
    };
    if url.scheme().starts_with("socks") {
        let what = format!("{name} names a SOCKS proxy, which ghswarm does not speak");
        let fix = "name an HTTP proxy in HTTPS_PROXY for requests to GitHub";
        return Some(Finding::warning(Area::Proxy, what, fix));
    }
    None
}

/// Both spellings with different values: each program prefers another one.
fn pairs(proxies: &[Variable]) -> impl Iterator<Item = Finding> {
    let value = |name| {
        let variable = proxies.iter().find(|variable| variable.name == name);
        variable.map(|variable| variable.value.as_str())
    };
    env::PROXIES.into_iter().filter_map(move |[upper, lower]| {
        let (one, other) = (value(upper)?, value(lower)?);
        (one != other).then(|| {
            let what = format!("{upper} and {lower} differ, and each program prefers another one");
            let fix = format!("`export {lower}=\"${upper}\"`, or unset the wrong one");
            Finding::warning(Area::Proxy, what, fix)
        })
    })
}

/// Plain HTTP to the daemon that would go to a proxy instead.
fn swallowed(facts: &Facts) -> Option<Finding> {
    let plain = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    let proxy = facts
        .proxies
        .iter()
        .find(|variable| plain.contains(&variable.name))?;
    let daemon = facts.api_url.as_deref().unwrap_or("http://127.0.0.1");
    let open = |variable: &&Variable| !covers_loopback(&variable.value);
    match (facts.exempt.as_slice(), facts.exempt.iter().find(open)) {
        ([], _) => {
            let what = format!(
                "{} is set and NO_PROXY is not: programs ask {} for {daemon}, and not the daemon",
                proxy.name,
                shown(&proxy.value)
            );
            Some(Finding::problem(Area::Proxy, what, EXEMPT))
        }
        (_, Some(list)) => {
            let what = format!(
                "{} is set, and {} does not exempt 127.0.0.1: programs ask {} for {daemon}",
                proxy.name,
                list.name,
                shown(&proxy.value)
            );
            Some(Finding::problem(Area::Proxy, what, EXEMPT))
        }
        (_, None) => Some(Finding::ok(
            Area::Proxy,
            "the daemon is reached without a proxy",
        )),
    }
}

/// Where the daemon's own requests go.
fn upstream(facts: &Facts) -> Option<Finding> {
    let proxy = secure(facts)?;
    let origin = &facts.origin;
    let what = if facts.origin_is_local {
        format!(
            "{origin} is on this machine, so {} is not used for it",
            proxy.name
        )
    } else if exempt(facts) {
        format!(
            "NO_PROXY exempts {origin}, so {} is not used for it",
            proxy.name
        )
    } else {
        format!(
            "a daemon started here asks {origin} through {} ({})",
            shown(&proxy.value),
            proxy.name
        )
    };
    Some(Finding::note(Area::Proxy, what))
}

/// The proxy that requests to the origin go through, without its password.
pub(super) fn on_the_way(facts: &Facts) -> Option<String> {
    let direct = facts.origin_is_local || exempt(facts);
    secure(facts)
        .filter(|_| !direct)
        .map(|proxy| shown(&proxy.value))
}

/// The proxy for TLS.
fn secure(facts: &Facts) -> Option<&Variable> {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    facts
        .proxies
        .iter()
        .find(|variable| names.contains(&variable.name))
}

fn exempt(facts: &Facts) -> bool {
    let lists = &mut facts.exempt.iter();
    lists.any(|list| covers(&list.value, &facts.origin))
}

/// The address of a proxy: a URL, or `host:port` as many write it.
fn address(value: &str) -> Option<Url> {
    let value = value.trim();
    let url = if value.contains("://") {
        Url::parse(value)
    } else {
        Url::parse(&format!("http://{value}"))
    };
    let known = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
    url.ok().filter(|url| {
        known.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty())
    })
}

/// The address of a proxy without the user and the password that it may hold.
pub(super) fn shown(value: &str) -> String {
    match address(value) {
        None => "what is not a URL".to_owned(),
        Some(url) => {
            let host = url.host_str().unwrap_or_default();
            let user = if url.username().is_empty() && url.password().is_none() {
                ""
            } else {
                "***@"
            };
            match url.port_or_known_default() {
                Some(port) => format!("{}://{user}{host}:{port}", url.scheme()),
                None => format!("{}://{user}{host}", url.scheme()),
            }
        }
    }
}

/// Whether the list takes 127.0.0.1 out: by address, by network, or with everything.
fn covers_loopback(list: &str) -> bool {
    entries(list).any(|entry| {
        let host = entry.split_once(':').map_or(entry, |(host, _)| host);
        // A prefix of 8 to 32 bits: networks that reach beyond loopback are nobody's exemption.
        let network = host.split_once('/').is_some_and(|(start, bits)| {
            start.starts_with("127.0.0.")
                && bits.parse().is_ok_and(|bits: u8| (8..=32).contains(&bits))
        });
        entry == "*" || host == "127.0.0.1" || network
    })
}

/// Whether the list takes `host` out: itself, or a domain that it is in.
fn covers(list: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    entries(list).any(|entry| {
        let entry = entry
            .trim_start_matches("*.")
            .trim_start_matches('.')
            .to_ascii_lowercase();
        entry == "*"
            || host == entry
            || host
                .strip_suffix(&entry)
                .is_some_and(|rest| rest.ends_with('.'))
    })
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    let blank = |letter: char| letter == ',' || letter.is_whitespace();
    list.split(blank).filter(|entry| !entry.is_empty())
}

/// Whether a URL's host is this machine.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn facts(proxies: &[(&'static str, &str)], exempt: &[(&'static str, &str)]) -> Facts {
        let variables = |pairs: &[(&'static str, &str)]| {
            let variable = |&(name, value): &(&'static str, &str)| Variable {
                name,
                value: value.to_owned(),
            };
            pairs.iter().map(variable).collect()
        };
        Facts {
            proxies: variables(proxies),
            exempt: variables(exempt),
            api_url: Some("http://127.0.0.1:4000".to_owned()),
            origin: "api.github.com".to_owned(),
            origin_is_local: false,
        }
    }

    const PROXY: (&str, &str) = ("HTTP_PROXY", "http://u:s3cret@proxy.example:3128");

    #[test]
    fn a_proxy_that_swallows_loopback_is_a_problem() {
        let judge = |exempt: &[_]| check(&facts(&[PROXY], exempt));
        Finding::assert_one(&judge(&[]), Level::Problem, "http://127.0.0.1:4000");
        for list in ["example.com", "localhost", "127.0.0.10", "::1"] {
            Finding::assert_one(&judge(&[("NO_PROXY", list)]), Level::Problem, "no_proxy=");
        }
        for list in ["*", "a.example, 127.0.0.1", "127.0.0.0/8", "127.0.0.1:4000"] {
            Finding::assert_fine(&judge(&[("NO_PROXY", list)]));
        }
        let two = [("NO_PROXY", "127.0.0.1"), ("no_proxy", "example.com")];
        Finding::assert_one(&judge(&two), Level::Problem, "no_proxy does not exempt");
        Finding::assert_fine(&check(&facts(&[], &[])));
        // HTTPS_PROXY alone is not asked for plain HTTP.
        Finding::assert_fine(&check(&facts(&[("HTTPS_PROXY", PROXY.1)], &[])));
    }

    #[test]
    fn a_password_is_never_shown() {
        for value in [
            PROXY.1,
            "u:s3cret@proxy.example:3128",
            "http://u:s3cret@:x",
            "://s3cret",
        ] {
            let all = facts(&[("HTTP_PROXY", value), ("HTTPS_PROXY", value)], &[]);
            let shown = format!("{:?}", check(&all));
            assert!(!shown.contains("s3cret"), "{shown}");
        }
        assert_eq!(shown(PROXY.1), "http://***@proxy.example:3128");
    }

    #[test]
    fn what_is_no_proxy_and_spellings_that_differ_are_warnings() {
        let judge = |proxies: &[_]| check(&facts(proxies, &[("NO_PROXY", "*")]));
        Finding::assert_fine(&judge(&[("HTTPS_PROXY", "proxy.example:3128")]));
        for value in ["http://", "ftp://proxy.example", "http://pro xy"] {
            Finding::assert_one(&judge(&[("HTTPS_PROXY", value)]), Level::Warning, "unset");
        }
        let socks = judge(&[("ALL_PROXY", "socks5://proxy.example")]);
        Finding::assert_one(&socks, Level::Warning, "SOCKS");
        let two = judge(&[
            ("HTTP_PROXY", "http://a.example"),
            ("http_proxy", "http://b.example"),
        ]);
        Finding::assert_one(&two, Level::Warning, "differ");
    }

    #[test]
    fn where_requests_to_github_go_is_said() {
        let proxy = [("https_proxy", "http://proxy.example:3128")];
        let judge = |exempt: &[_]| check(&facts(&proxy, exempt));
        Finding::assert_one(
            &judge(&[]),
            Level::Note,
            "through http://proxy.example:3128",
        );
        let exempt = judge(&[("NO_PROXY", ".github.com")]);
        Finding::assert_one(&exempt, Level::Note, "NO_PROXY exempts");
        let other = judge(&[("NO_PROXY", "hub.com")]);
        Finding::assert_one(&other, Level::Note, "through");
    }
}
