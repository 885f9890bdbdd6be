//! Asks GitHub three questions at most: its rate limits (free), one resource, and the same once more
//! with the validator that we compute.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use url::{Position, Url};

use super::super::api::token::Found;
use super::gather::Scene;
use super::probe::{Answer, Facts, Failure, Formula, Left, failure_in};
use super::{proxy, token};
use crate::api::limit::RateHeaders;
use crate::api::validator::{self, Etag, Vary};
use crate::clock::Clock;
use crate::config::env;
use crate::github::{self, Body, Call, Client, Error};
use crate::secret::TokenKind;
use crate::time::Timestamp;

/// What is asked at the origin, whatever its own name is.
const HOST: &str = "api.github.com";
const ACCEPT: &str = "*/*";
const API_VERSION: HeaderValue = HeaderValue::from_static("2022-11-28");
/// Nobody waits a minute for a doctor.
const CONNECT: Duration = Duration::from_secs(10);
const HEAD: Duration = Duration::from_secs(20);
/// The largest body that is read.
const BODY: usize = 4 << 20;

/// `config` with the patience of a person.
pub(super) fn patient(config: github::Config) -> github::Config {
    github::Config {
        connect_timeout: CONNECT,
        head_timeout: HEAD,
        idle_timeout: HEAD,
        ..config
    }
}

/// One whole answer.
struct Whole {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Who asks, and what it cost so far.
struct Asker<'a> {
    client: &'a Client,
    authorization: Option<HeaderValue>,
    sent: u32,
    counted: u32,
}

pub(super) async fn ask(
    client: &Client,
    scene: &Scene<'_>,
    found: Option<&Found>,
    proxies: &proxy::Facts,
) -> Facts {
    let known = found.map(|found| token::Found::of(&found.token, found.variable));
    let kind = known.as_ref().map(|known| known.kind);
    let authorization = found.and_then(|found| authorization(&found.token, kind));
    let named = known.filter(|_| authorization.is_some());
    let mut asker = Asker {
        client,
        authorization,
        sent: 0,
        counted: 0,
    };
    let first = asker.ask("/rate_limit", None).await;
    let now = Clock::system().now();
    let repository = scene.environment.get(env::GITHUB_REPOSITORY);
    let formula = match &first {
        Ok(first) if first.status.is_success() || first.status == StatusCode::NOT_FOUND => {
            let target = target(repository, kind);
            let formula = check(&mut asker, &target).await;
            Some((target, formula))
        }
        _ => None,
    };
    Facts {
        host: place(&scene.settings.github().origin),
        proxy: proxy::on_the_way(proxies),
        token: named.map(|known| known.name()),
        answer: first.map(answer),
        now,
        formula,
        cost: (asker.sent, asker.counted),
    }
}

/// The host of `origin`, with its port where that is not the usual one.
fn place(origin: &Url) -> String {
    origin[Position::BeforeHost..Position::AfterPort].to_owned()
}

/// The header, if the token can stand in one.
fn authorization(token: &str, kind: Option<TokenKind>) -> Option<HeaderValue> {
    let scheme = match kind {
        Some(TokenKind::AppJwt) => "Bearer",
        _ => "token",
    };
    let text = zeroize::Zeroizing::new(format!("{scheme} {token}"));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A small resource that this caller can read, and that has a validator.
fn target(repository: Option<&str>, kind: Option<TokenKind>) -> String {
    let name = |part: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !part.is_empty() && part.bytes().all(letter)
    };
    let repository = repository.and_then(|repository| repository.split_once('/'));
    match (repository, kind) {
        (_, Some(TokenKind::AppJwt)) => "/app".to_owned(),
        (Some((owner, repo)), _) if name(owner) && name(repo) => format!("/repos/{owner}/{repo}"),
        (
            _,
            Some(
                TokenKind::Classic
                | TokenKind::FineGrained
                | TokenKind::OAuth
                | TokenKind::UserToServer,
            ),
        ) => "/user".to_owned(),
        _ => "/meta".to_owned(),
    }
}

impl Asker<'_> {
    async fn ask(&mut self, target: &str, validator: Option<&str>) -> Result<Whole, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPT));
        headers.insert(HeaderName::from_static("x-github-api-version"), API_VERSION);
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        if let Some(validator) = validator.and_then(|value| value.parse().ok()) {
            headers.insert(header::IF_NONE_MATCH, validator);
        }
        let call = Call {
            method: Method::GET,
            host: HOST.to_owned(),
            target: target.to_owned(),
            headers,
            body: Body::default(),
        };
        self.sent += 1;
        let answer = self
            .client
            .send(call)
            .await
            .map_err(|error| failure(&error))?;
        // A 304 is free for who shows a token, and the rate limits themselves are for everybody.
        let free = target == "/rate_limit"
            || (answer.status() == StatusCode::NOT_MODIFIED && self.authorization.is_some());
        self.counted += u32::from(!free);
        whole(answer).await
    }
}

async fn whole(answer: Response<Body>) -> Result<Whole, Failure> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, BODY).collect().await;
    let body = body.map_err(|_| Failure::Broken)?;
    Ok(Whole {
        status: head.status,
        headers: head.headers,
        body: body.to_bytes(),
    })
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::Refused(refused) => Failure::Configuration(refused.to_string()),
        Error::Timeout(_) => Failure::Late,
        Error::Switched(_) => Failure::Broken,
        Error::Connect(fault) | Error::Broken(fault) => {
            let first: Option<&(dyn std::error::Error + 'static)> = Some(&fault.source);
            let causes: Vec<_> = std::iter::successors(first, |&error| error.source())
                .map(ToString::to_string)
                .collect();
            match failure_in(&causes.join("\n")) {
                Failure::Other(_) if matches!(error, Error::Broken(_)) => Failure::Broken,
                failure => failure,
            }
        }
    }
}

fn answer(whole: Whole) -> Answer {
    let Whole {
        status,
        headers,
        body,
    } = whole;
    let json: Option<Value> = serde_json::from_slice(&body).ok();
    let message = json.as_ref().and_then(|json| json.get("message")?.as_str());
    let date = headers
        .get(header::DATE)
        .and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok())
        .and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok())
        .map(|since| Timestamp::EPOCH.plus(since));
    let core = json
        .as_ref()
        .and_then(|json| left(json.pointer("/resources/core")?));
    let told = || {
        RateHeaders::parse(&headers).map(|rate| Left {
            limit: rate.limit,
            remaining: rate.remaining,
            reset: rate.reset,
        })
    };
    Answer {
        status,
        date,
        left: core.or_else(told),
        json: json.is_some(),
        message: message.unwrap_or_default().chars().take(200).collect(),
        sso: headers.contains_key("x-github-sso"),
    }
}

fn left(core: &Value) -> Option<Left> {
    let number = |name: &str| core.get(name)?.as_u64();
    Some(Left {
        limit: number("limit")?,
        remaining: number("remaining")?,
        reset: Timestamp::from_secs(number("reset")?),
    })
}

/// Checks the formula on `target`, and that a question with the computed validator is answered 304.
async fn check(asker: &mut Asker<'_>, target: &str) -> Formula {
    let whole = match asker.ask(target, None).await {
        Ok(whole) if whole.status == StatusCode::OK => whole,
        Ok(whole) => return Formula::NotAsked(Some(whole.status)),
        Err(_) => return Formula::NotAsked(None),
    };
    let etag = whole.headers.get(header::ETAG);
    let etag = etag.and_then(|etag| Etag::parse(etag.as_bytes()));
    let lines = whole.headers.get_all(header::VARY).iter();
    let vary = Vary::parse(lines.map(HeaderValue::as_bytes));
    let (Some(Etag::Hashed(theirs)), Some(vary)) = (etag, vary) else {
        return Formula::NoHash;
    };
    let authorization = asker.authorization.as_ref().map(HeaderValue::as_bytes);
    let ours = validator::computed(vary, ACCEPT.as_bytes(), authorization, &whole.body);
    if ours != theirs {
        return Formula::Differs;
    }
    let again = asker.ask(target, Some(&validator::quoted(&ours))).await;
    Formula::Same(again.ok().map(|again| again.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_is_asked_about_what_it_can_read() {
        let job = Some("octo-org/hello");
        assert_eq!(
            target(job, Some(TokenKind::Installation)),
            "/repos/octo-org/hello"
        );
        assert_eq!(target(job, Some(TokenKind::AppJwt)), "/app");
        assert_eq!(target(None, Some(TokenKind::Classic)), "/user");
        assert_eq!(target(None, Some(TokenKind::Installation)), "/meta");
        assert_eq!(target(None, None), "/meta");
        assert_eq!(target(Some("o/r?x=1"), None), "/meta");
        assert_eq!(target(Some("o/r/../../user"), None), "/meta");
    }
}
