//! `ghswarm api`: what `gh api` does, through the daemon.
//!
//! The fast path is one connection to the daemon's socket: no TLS, no second thread, nothing read but
//! `ready.json`.

mod endpoint;
mod fields;
mod filter;
mod output;
mod pages;
mod repository;
pub(super) mod token;
mod transport;
pub(super) mod warm;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Map, Value};

use super::context::Context;
use super::print;
use crate::cli::Api;
use crate::github;
use endpoint::{Endpoint, Host};
use filter::Filter;
use output::Printer;
use transport::{Call, Transport};

/// No token, as `gh` has it.
const NO_TOKEN: u8 = 4;
/// The version that `gh` asks for: both then share what is cached.
const API_VERSION: HeaderValue = HeaderValue::from_static("2022-11-28");

pub(super) async fn run(api: Api, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let Some(plan) = Plan::of(&api, context)? else {
        return Ok(no_token(&api.hostname));
    };
    let filter = api.jq.as_deref().map(Filter::compile).transpose()?;
    let printer = Printer::new(&api, filter);
    let github = context.github(&api.target)?;
    let transport = Transport::new(context.daemon(&api.target).ok(), github);
    pages::run(plan, &transport, &printer).await
}

/// What is asked, before the first page.
struct Plan {
    method: Method,
    endpoint: Endpoint,
    headers: HeaderMap,
    body: Payload,
    paginate: bool,
}

/// What a request carries.
enum Payload {
    Nothing,
    /// `--input`.
    Input(Bytes),
    /// Fields in a JSON object; for GraphQL they are asked again with another cursor.
    Json(Map<String, Value>),
}

impl Plan {
    /// `None`: there is no token.
    fn of(api: &Api, context: &Context<'_>) -> anyhow::Result<Option<Self>> {
        let repository = repository::Repository::new(context);
        let fields = fields::parse(&api.raw_fields, &api.fields, &repository)?;
        let host = Host::new(&api.hostname)?;
        let mut endpoint = Endpoint::parse(&repository.fill(&api.path)?, host)?;
        let input = api.input.as_deref();
        if api.paginate && input.is_some() {
            bail!("--paginate and --input exclude each other");
        }
        let posts = !fields.is_empty() || input.is_some();
        let method = match &api.method {
            Some(method) => Method::from_bytes(method.to_uppercase().as_bytes())
                .with_context(|| format!("{method:?} is not a method"))?,
            None if posts => Method::POST,
            None => Method::GET,
        };
        if api.paginate && method != Method::GET && !endpoint.is_graphql() {
            bail!("--paginate goes with GET requests and with graphql");
        }
        let body = match input {
            Some(path) => {
                endpoint.add_query(&fields);
                Payload::Input(read_input(path)?)
            }
            None if method == Method::GET || method == Method::HEAD => {
                endpoint.add_query(&fields);
                Payload::Nothing
            }
            None if fields.is_empty() => Payload::Nothing,
            None if endpoint.is_graphql() => Payload::Json(pages::graphql_request(fields)),
            None => Payload::Json(fields),
        };
        if api.paginate && !endpoint.is_graphql() {
            endpoint.fill_pages();
        }
        let Some(headers) = headers(api, &body, &endpoint, context)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            method,
            endpoint,
            headers,
            body,
            paginate: api.paginate,
        }))
    }

    /// The request for `endpoint`, which is that of the plan or that of a further page.
    fn call(&self, endpoint: &Endpoint) -> Call {
        let body = match &self.body {
            Payload::Nothing => Bytes::new(),
            Payload::Input(bytes) => bytes.clone(),
            Payload::Json(fields) => serde_json::to_vec(fields).unwrap_or_default().into(),
        };
        Call {
            method: self.method.clone(),
            endpoint: endpoint.clone(),
            headers: self.headers.clone(),
            body,
        }
    }
}

fn headers(
    api: &Api,
    body: &Payload,
    endpoint: &Endpoint,
    context: &Context<'_>,
) -> anyhow::Result<Option<HeaderMap>> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(github::USER_AGENT),
    );
    headers.insert(HeaderName::from_static("x-github-api-version"), API_VERSION);
    if !matches!(body, Payload::Nothing) {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, json);
    }
    if let Some(age) = api.cache {
        headers.insert(
            header::CACHE_CONTROL,
            format!("max-age={}", age.as_secs()).parse()?,
        );
    }
    for given in &api.headers {
        let (name, value) = given
            .split_once(':')
            .with_context(|| format!("-H {given:?}: a header is NAME: VALUE"))?;
        let name: HeaderName = name.trim().parse().context("-H: not a header's name")?;
        headers.insert(
            name,
            value.trim().parse().context("-H: not a header's value")?,
        );
    }
    if endpoint.takes_token() && !headers.contains_key(header::AUTHORIZATION) {
        let Some(token) = token::find(&api.hostname, context.environment()) else {
            return Ok(None);
        };
        let mut value = HeaderValue::from_str(&format!("token {}", *token))
            .context("the token holds bytes that no header can carry")?;
        value.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, value);
    }
    Ok(Some(headers))
}

fn read_input(path: &Path) -> anyhow::Result<Bytes> {
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.with_context(|| format!("cannot read --input {}", path.display()))?;
    Ok(bytes.into())
}

fn no_token(host: &str) -> ExitCode {
    let variable = if host == endpoint::GITHUB {
        "GH_TOKEN"
    } else {
        "GH_ENTERPRISE_TOKEN"
    };
    print::complaint(&format!(
        "no token for {host}: set {variable}, or run `gh auth login`. In a workflow:\n  \
         env:\n    {variable}: ${{{{ github.token }}}}"
    ));
    ExitCode::from(NO_TOKEN)
}
