//! What GitHub (or the origin that was configured) answers right now, and what each failure means.

use http::StatusCode;

use super::clock;
use super::finding::{Area, Finding};
use crate::time::Timestamp;

/// Why there was no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    Dns,
    Refused,
    Late,
    Certificate,
    /// Somebody answers, but does not speak TLS.
    NotTls,
    /// The proxy wants a user and a password.
    ProxyLogin,
    /// The proxy itself, or what it said.
    Proxy,
    /// The connection broke off.
    Broken,
    /// Our own guard or configuration.
    Configuration(String),
    Other(String),
}

/// The answer to `/rate_limit`, which is free.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Its `Date`.
    pub(super) date: Option<Timestamp>,
    /// What is left of the primary limit.
    pub(super) left: Option<Left>,
    /// Whether the body is JSON, as every answer of the API is.
    pub(super) json: bool,
    /// `message` of the body.
    pub(super) message: String,
    /// Whether `X-GitHub-SSO` asks for single sign-on.
    pub(super) sso: bool,
}

/// The primary limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) limit: u64,
    pub(super) remaining: u64,
    pub(super) reset: Timestamp,
}

/// What came of the formula on one real answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Formula {
    /// There was no answer to check it on: the status, or nothing.
    NotAsked(Option<StatusCode>),
    /// The answer has no validator of the hashed form.
    NoHash,
    /// GitHub's is another one.
    Differs,
    /// It is the same; what GitHub said to a question with it.
    Same(Option<StatusCode>),
}

#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// The host that was asked.
    pub(super) host: String,
    /// The proxy on the way, without its password.
    pub(super) proxy: Option<String>,
    /// The token in words; `None`: asked without one.
    pub(super) token: Option<String>,
    pub(super) answer: Result<Answer, Failure>,
    pub(super) now: Timestamp,
    /// What was asked for the formula, and what came of it.
    pub(super) formula: Option<(String, Formula)>,
    /// Requests sent, and those of them that count.
    pub(super) cost: (u32, u32),
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &facts.answer {
        Err(failure) => findings.push(unreachable(failure, facts)),
        Ok(answer) => {
            if let Some(date) = answer.date {
                findings.push(clock::skew(date, facts.now));
            }
            findings.push(answered(answer, facts));
            findings.extend(answer.left.map(|left| rate(left, facts.now)));
        }
    }
    if let Some((target, formula)) = &facts.formula {
        findings.push(formula_of(target, formula));
    }
    let (sent, counted) = facts.cost;
    let what = format!("this cost {sent} requests, {counted} of them counted");
    findings.push(Finding::note(Area::Probe, what));
    findings
}

fn unreachable(failure: &Failure, facts: &Facts) -> Finding {
    let host = &facts.host;
    let way = match &facts.proxy {
        Some(proxy) => format!(" through the proxy {proxy}"),
        None => String::new(),
    };
    let (what, fix) = match failure {
        Failure::Dns => (
            format!("the name {host} cannot be resolved"),
            "look at /etc/resolv.conf; in a network without DNS to the outside set HTTPS_PROXY".to_owned(),
        ),
        Failure::Refused => (
            format!("{host} refuses connections{way}"),
            "look at --origin (and its port), the proxy variables, and firewalls".to_owned(),
        ),
        Failure::Late => (
            format!("{host} does not answer in time{way}"),
            "a firewall drops packets: set HTTPS_PROXY if the network has a proxy; see \
             https://www.githubstatus.com"
                .to_owned(),
        ),
        Failure::Certificate => (
            format!("the certificate of {host} is not trusted{way}"),
            "something on the way ends TLS: install its CA in the system's store \
             (`update-ca-certificates`), or name it with SSL_CERT_FILE; a wrong clock has the same effect"
                .to_owned(),
        ),
        Failure::NotTls => (
            format!("{host} answers, but does not speak TLS{way}"),
            "look at --origin: is it http:// and not https://? A proxy that ends TLS badly does \
             this, too"
                .to_owned(),
        ),
        Failure::ProxyLogin => (
            format!("the proxy wants a user and a password (407){way}"),
            "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT".to_owned(),
        ),
        Failure::Proxy => (
            format!("the proxy does not let us through to {host}{way}"),
            format!("ask for {host}:443 to be allowed there, or exempt it with NO_PROXY"),
        ),
        Failure::Broken => (
            format!("the exchange with {host} broke off{way}"),
            "try again; a firewall that looks into TLS does this, too".to_owned(),
        ),
        Failure::Configuration(why) => (
            format!("{host} is not asked: {why}"),
            "look at --origin and --origin-for".to_owned(),
        ),
        Failure::Other(why) => (
            format!("{host} cannot be asked{way}: {why}"),
            "try `curl -v` to the same place".to_owned(),
        ),
    };
    Finding::problem(Area::Probe, what, fix)
}

fn answered(answer: &Answer, facts: &Facts) -> Finding {
    let host = &facts.host;
    let whose = facts.token.as_deref().unwrap_or("no token");
    let said = if answer.message.is_empty() {
        String::new()
    } else {
        format!(": {}", answer.message)
    };
    let problem = |what: String, fix: &str| Finding::problem(Area::Probe, what, fix);
    match answer.status {
        status if status.is_success() && !answer.json => problem(
            format!("{host} answers, but not as GitHub's API does"),
            "a login page of the network, or --origin without /api/v3: open the address in a browser",
        ),
        status if status.is_success() => {
            let way = facts
                .proxy
                .as_ref()
                .map(|proxy| format!(" through {proxy}"));
            let what = format!(
                "{host} answers{} and accepts {whose}",
                way.unwrap_or_default()
            );
            Finding::ok(Area::Probe, what)
        }
        // GitHub Enterprise Server, with rate limits switched off.
        StatusCode::NOT_FOUND if answer.json && answer.message.contains("not enabled") => {
            Finding::ok(
                Area::Probe,
                format!("{host} answers; it has no rate limits"),
            )
        }
        StatusCode::UNAUTHORIZED => problem(
            format!("{host} does not accept {whose}{said}"),
            "it is revoked, expired or of another host: make a new one; a job's token ends with its job",
        ),
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => unreachable(&Failure::ProxyLogin, facts),
        StatusCode::FORBIDDEN if answer.sso => problem(
            format!("the organisation wants single sign-on for {whose}"),
            "authorise the token: https://github.com/settings/tokens, Configure SSO",
        ),
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
            if answer.left.is_some_and(|left| left.remaining == 0) || limited(&answer.message) =>
        {
            let what = format!("{host} says that {whose} has used up its rate limit{said}");
            let fix = "wait; with --on-exhausted stale the daemon answers from the cache meanwhile";
            Finding::warning(Area::Probe, what, fix)
        }
        StatusCode::FORBIDDEN => problem(
            format!("{host} forbids this to {whose}{said}"),
            "an allow list of addresses, a suspended App, or a policy of the organisation or enterprise",
        ),
        status if status.is_redirection() => problem(
            format!("{host} redirects to another place ({})", status.as_u16()),
            "look at --origin: the scheme or the path is not that of the API",
        ),
        status if status.is_server_error() => Finding::warning(
            Area::Probe,
            format!("{host} has trouble ({}){said}", status.as_u16()),
            "https://www.githubstatus.com; what is cached is served meanwhile",
        ),
        status => problem(
            format!("{host} answers {}{said}", status.as_u16()),
            "look at --origin: GitHub Enterprise Server has its API under /api/v3",
        ),
    }
}

/// GitHub's words for both kinds of limits.
fn limited(message: &str) -> bool {
    message.to_ascii_lowercase().contains("rate limit")
}

fn rate(left: Left, now: Timestamp) -> Finding {
    let Left {
        limit,
        remaining,
        reset,
    } = left;
    let again = clock::span(reset.since(now));
    let what = format!("{remaining} of {limit} calls left, all again in {again}");
    if remaining < limit.div_ceil(10) {
        let fix = "wait, or take the token of another user or App";
        return Finding::warning(Area::Budget, what, fix);
    }
    Finding::ok(Area::Budget, what)
}

fn formula_of(target: &str, formula: &Formula) -> Finding {
    let cold = "nothing breaks, but each new token starts with a cold cache; a proxy on the way that \
                changes bodies has this effect, too";
    match formula {
        Formula::NotAsked(status) => {
            let answered =
                status.map(|status| format!(" (GET {target} was answered {})", status.as_u16()));
            let what = format!("could not be checked{}", answered.unwrap_or_default());
            Finding::note(Area::Formula, what)
                .fixed_by("it is checked with every answer that the daemon gets, too")
        }
        Formula::NoHash => {
            let what = format!(
                "the answer to GET {target} has no validator of the form that can be computed"
            );
            Finding::warning(Area::Formula, what, cold)
        }
        Formula::Differs => {
            let what = format!("the validator of GET {target} is not the one that we compute");
            Finding::warning(Area::Formula, what, cold)
        }
        Formula::Same(Some(StatusCode::NOT_MODIFIED)) => {
            let what = format!(
                "holds: GET {target} has the computed validator, and a question with it is answered 304"
            );
            Finding::ok(Area::Formula, what)
        }
        Formula::Same(Some(StatusCode::OK)) => {
            let what = format!(
                "GET {target} has the computed validator, but changed before it was asked again"
            );
            Finding::note(Area::Formula, what).fixed_by("ask again")
        }
        Formula::Same(status) => {
            let said = status.map_or("not at all".to_owned(), |status| {
                status.as_u16().to_string()
            });
            let what = format!(
                "GET {target} has the computed validator, but a question with it is answered {said}"
            );
            Finding::warning(Area::Formula, what, "ask again")
        }
    }
}

/// What the causes of a failed connection say, in their own words. Text, because the libraries for TLS
/// and proxies show nothing else of their errors.
pub(super) fn failure_in(causes: &str) -> Failure {
    let causes = causes.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| causes.contains(word));
    match () {
        () if says(&["proxy auth", "407"]) => Failure::ProxyLogin,
        () if says(&["dns error", "failed to lookup", "name resolution"]) => Failure::Dns,
        () if says(&["certificate", "unknownissuer", "notvalidforname"]) => Failure::Certificate,
        () if says(&["corrupt message", "invalidcontenttype"]) => Failure::NotTls,
        () if says(&["tunnel", "proxy"]) => Failure::Proxy,
        () if says(&["connection refused"]) => Failure::Refused,
        () if says(&["timed out", "deadline"]) => Failure::Late,
        () if says(&["reset by peer", "broken pipe", "unexpected eof", "closed"]) => {
            Failure::Broken
        }
        () => Failure::Other(causes.lines().next_back().unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::finding::Level;
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn answer(status: u16) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            date: Some(NOW),
            left: None,
            json: true,
            message: String::new(),
            sso: false,
        }
    }

    fn facts(answer: Result<Answer, Failure>) -> Facts {
        Facts {
            host: "api.github.com".to_owned(),
            proxy: None,
            token: Some("installation token (GITHUB_TOKEN)".to_owned()),
            answer,
            now: NOW,
            formula: None,
            cost: (1, 0),
        }
    }

    #[test]
    fn every_answer_is_explained() {
        let judge = |answer| check(&facts(Ok(answer)));
        Finding::assert_fine(&judge(answer(200)));
        let without_limits = Answer {
            message: "Rate limiting is not enabled.".to_owned(),
            ..answer(404)
        };
        Finding::assert_fine(&judge(without_limits));
        let page = Answer {
            json: false,
            ..answer(200)
        };
        Finding::assert_one(&judge(page), Level::Problem, "login page");
        let sso = Answer {
            sso: true,
            ..answer(403)
        };
        Finding::assert_one(&judge(sso), Level::Problem, "SSO");
        let limited = Answer {
            message: "You have exceeded a secondary rate limit.".to_owned(),
            ..answer(403)
        };
        Finding::assert_one(&judge(limited), Level::Warning, "used up");
        for (status, level, word) in [
            (401, Level::Problem, "revoked"),
            (403, Level::Problem, "allow list"),
            (301, Level::Problem, "redirects"),
            (404, Level::Problem, "/api/v3"),
            (407, Level::Problem, "USER:PASSWORD"),
            (502, Level::Warning, "githubstatus"),
        ] {
            Finding::assert_one(&judge(answer(status)), level, word);
        }
    }

    #[test]
    fn every_failure_to_connect_is_explained() {
        for (causes, word) in [
            (
                "error sending request\nclient error (Connect)\ndns error\nfailed to lookup address",
                "resolv.conf",
            ),
            (
                "connect\ntcp connect error\nConnection refused (os error 111)",
                "--origin",
            ),
            (
                "connect\ninvalid peer certificate: UnknownIssuer",
                "update-ca-certificates",
            ),
            (
                "connect\ntunnel error: proxy authorization required",
                "USER:PASSWORD",
            ),
            (
                "connect\nreceived corrupt message of type InvalidContentType",
                "http://",
            ),
            ("connect\ntunnel error: unsuccessful", "allowed"),
            ("connect\noperation timed out", "firewall"),
            ("connect\nConnection reset by peer", "broke off"),
            ("connect\nsomething new", "something new"),
        ] {
            let found = check(&facts(Err(failure_in(causes))));
            Finding::assert_one(&found, Level::Problem, word);
        }
    }

    #[test]
    fn clock_and_budget_come_from_the_answer() {
        let late = Answer {
            date: Some(NOW.plus(Duration::from_hours(1))),
            ..answer(200)
        };
        Finding::assert_one(&check(&facts(Ok(late))), Level::Problem, "timedatectl");
        let scarce = Answer {
            left: Some(Left {
                limit: 1000,
                remaining: 99,
                reset: NOW.plus(Duration::from_secs(60)),
            }),
            ..answer(200)
        };
        Finding::assert_one(&check(&facts(Ok(scarce))), Level::Warning, "99 of 1000");
    }

    #[test]
    fn the_formula_holds_only_with_a_304() {
        let judge = |formula| {
            check(&Facts {
                formula: Some(("/user".to_owned(), formula)),
                ..facts(Ok(answer(200)))
            })
        };
        Finding::assert_fine(&judge(Formula::Same(Some(StatusCode::NOT_MODIFIED))));
        Finding::assert_fine(&judge(Formula::Same(Some(StatusCode::OK))));
        Finding::assert_fine(&judge(Formula::NotAsked(Some(StatusCode::NOT_FOUND))));
        for formula in [Formula::Differs, Formula::NoHash, Formula::Same(None)] {
            let found = judge(formula);
            assert_eq!(
                found
                    .iter()
                    .filter(|found| found.level == Level::Warning)
                    .count(),
                1
            );
        }
    }
}
