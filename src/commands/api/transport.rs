//! How a request leaves: to the daemon's socket, or without a daemon to GitHub itself.

use std::cell::OnceCell;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response};

use super::super::print;
use super::endpoint::Endpoint;
use crate::config;
use crate::daemon::{AskError, Living};
use crate::github::{self, Body};

/// Redirects that are followed, as many as `gh` follows.
const REDIRECTS: usize = 10;

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) endpoint: Endpoint,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Where requests go.
pub(super) struct Transport {
    /// `None`: nothing says where one would be.
    daemon: Option<Living>,
    /// An error if it is not certain where GitHub is.
    github: Result<github::Config, config::Error>,
    /// Made when there turns out to be no daemon: TLS takes its time.
    direct: OnceCell<github::Client>,
}

impl Transport {
    pub(super) fn new(
        daemon: Option<Living>,
        github: Result<github::Config, config::Error>,
    ) -> Self {
        Self {
            daemon,
            github,
            direct: OnceCell::new(),
        }
    }

    /// Sends `call`, and follows where the answer to a safe one leads. A token goes to no other host.
    pub(super) async fn send(&self, mut call: Call) -> anyhow::Result<Response<Body>> {
        let safe = call.method.is_safe();
        for _ in 0..REDIRECTS {
            let response = self.send_once(&call).await?;
            let location = response.headers().get(header::LOCATION);
            let leads = response
                .status()
                .is_redirection()
                .then_some(location)
                .flatten();
            let Some(location) = leads.filter(|_| safe) else {
                return Ok(response);
            };
            call.endpoint = call
                .endpoint
                .follow(location.to_str().context("Location")?)?;
            if !call.endpoint.takes_token() {
                call.headers.remove(header::AUTHORIZATION);
            }
        }
        anyhow::bail!("more than {REDIRECTS} redirects")
    }

    async fn send_once(&self, call: &Call) -> anyhow::Result<Response<Body>> {
        if self.direct.get().is_none()
            && let Some(response) = self.through_daemon(call).await?
        {
            return Ok(response);
        }
        directly(self.client()?, call).await
    }

    /// The client that asks GitHub directly, after a notice when it is first needed.
    fn client(&self) -> anyhow::Result<&github::Client> {
        if let Some(client) = self.direct.get() {
            return Ok(client);
        }
        let github = self.github.as_ref().map_err(|error| {
            anyhow!("no daemon is running, and where GitHub is cannot be told: {error}")
        })?;
        print::complaint("no daemon is running, so GitHub is asked directly");
        let client = github::Client::new(github.clone())?;
        Ok(self.direct.get_or_init(|| client))
    }

    /// `None`: there is no daemon.
    async fn through_daemon(&self, call: &Call) -> anyhow::Result<Option<Response<Body>>> {
        let Some(daemon) = &self.daemon else {
            return Ok(None);
        };
        let mut answer = daemon.send(to_socket(call)?).await;
        if matches!(answer, Err(AskError::Broken(_))) && call.method.is_safe() {
            // The daemon died; its keeper starts another behind the same socket.
            answer = daemon.send(to_socket(call)?).await;
        }
        match answer {
            Ok(response) => Ok(Some(response.map(Body::wrap))),
            Err(AskError::Nobody { .. } | AskError::Connect { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn to_socket(call: &Call) -> anyhow::Result<Request<Body>> {
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(&call.endpoint.target)
        .body(Body::from(call.body.clone()))?;
    *request.headers_mut() = call.headers.clone();
    let host = HeaderValue::from_str(&call.endpoint.host)?;
    request.headers_mut().insert(header::HOST, host);
    Ok(request)
}

async fn directly(client: &github::Client, call: &Call) -> anyhow::Result<Response<Body>> {
    let call = github::Call {
        method: call.method.clone(),
        host: call.endpoint.host.clone(),
        target: call.endpoint.target.clone(),
        headers: call.headers.clone(),
        body: call.body.clone().into(),
    };
    Ok(client.send(call).await?)
}
