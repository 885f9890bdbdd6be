//! A client as jobs have it: one token, one keep-alive connection, pages by `Link`.

use std::collections::HashMap;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use ghswarm::digest::Digest;
use ghswarm_lab::Token;
use reqwest::header::{ACCEPT, AUTHORIZATION, ETAG, IF_NONE_MATCH, LINK};
use reqwest::{RequestBuilder, Response, StatusCode};

/// What every request accepts.
const MEDIA_TYPE: &str = "application/vnd.github+json";

/// Where a client sends its requests.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// The address.
    pub(crate) url: String,
    /// What links to other pages begin with.
    pub(crate) links: String,
}

/// A body that a client got, and what for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sight {
    /// The target, or the query.
    pub(crate) asked: String,
    /// The body.
    pub(crate) digest: Digest,
}

/// One token's client.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    endpoint: Endpoint,
    authorization: String,
    /// A cache as ghproxy keeps one for every token: it asks GitHub each time, with the validator that
    /// this token was given, and has nothing for another token. All requests accept the same, so the
    /// target is the rest of the key.
    held: Option<HashMap<String, Held>>,
    seen: Vec<Sight>,
}

#[derive(Debug, Clone)]
struct Held {
    etag: String,
    page: Page,
}

#[derive(Debug, Clone)]
struct Page {
    body: Bytes,
    next: Option<String>,
}

impl Client {
    /// A client for `token`, with a cache of its own or without.
    pub(crate) fn new(endpoint: Endpoint, token: &Token, caching: bool) -> anyhow::Result<Self> {
        Ok(Self {
            // GitHub refuses who does not say its name.
            http: reqwest::Client::builder()
                .no_proxy()
                .user_agent("fleet")
                .build()?,
            endpoint,
            authorization: token.authorization(),
            held: caching.then(HashMap::new),
            seen: Vec::new(),
        })
    }

    /// Everything that was read since the last time, in order.
    pub(crate) fn take_seen(&mut self) -> Vec<Sight> {
        std::mem::take(&mut self.seen)
    }

    /// Reads one body.
    pub(crate) async fn read(&mut self, target: &str) -> anyhow::Result<()> {
        self.page(target).await.map(drop)
    }

    /// Reads a list to its end and returns how many pages it had.
    pub(crate) async fn list(&mut self, target: &str) -> anyhow::Result<u64> {
        let mut next = Some(target.to_owned());
        let mut pages = 0;
        while let Some(target) = next {
            next = self.page(&target).await?;
            pages += 1;
        }
        Ok(pages)
    }

    /// Asks a GraphQL query.
    pub(crate) async fn query(&mut self, query: &str) -> anyhow::Result<()> {
        let body = serde_json::json!({ "query": query }).to_string();
        let request = self.http.post(format!("{}/graphql", self.endpoint.url));
        let request = request
            .header("content-type", "application/json")
            .body(body);
        let response = self.send(request).await?;
        ensure!(
            response.status() == StatusCode::OK,
            "{query}: {}",
            response.status()
        );
        let body = response.bytes().await?;
        self.saw(query, &body);
        Ok(())
    }

    /// Reads one body and returns the target of the next page.
    async fn page(&mut self, target: &str) -> anyhow::Result<Option<String>> {
        let mut request = self.http.get(format!("{}{target}", self.endpoint.url));
        let held = self
            .held
            .as_ref()
            .and_then(|held| held.get(target).cloned());
        if let Some(held) = &held {
            request = request.header(IF_NONE_MATCH, &held.etag);
        }
        let response = self.send(request).await?;
        let page = match (response.status(), held) {
            (StatusCode::OK, _) => self.keep(target, response).await?,
            (StatusCode::NOT_MODIFIED, Some(held)) => held.page,
            (status, _) => bail!("{target}: {status}: {}", response.text().await?),
        };
        self.saw(target, &page.body);
        Ok(page.next)
    }

    async fn keep(&mut self, target: &str, response: Response) -> anyhow::Result<Page> {
        let header = |name| response.headers().get(name).and_then(|it| it.to_str().ok());
        let etag = header(ETAG).map(str::to_owned);
        let next = header(LINK)
            .and_then(next)
            .map(|url| self.inside(url))
            .transpose()
            .with_context(|| format!("the pages of {target}"))?;
        let body = response.bytes().await?;
        let page = Page { body, next };
        if let (Some(held), Some(etag)) = (&mut self.held, etag) {
            let page = page.clone();
            held.insert(target.to_owned(), Held { etag, page });
        }
        Ok(page)
    }

    /// The target of a link, which must lead to where the client sends its requests.
    fn inside(&self, url: &str) -> anyhow::Result<String> {
        let links = &self.endpoint.links;
        let target = url.strip_prefix(links.as_str());
        Ok(target
            .with_context(|| format!("{url} does not begin with {links}"))?
            .to_owned())
    }

    async fn send(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        request
            .header(AUTHORIZATION, &self.authorization)
            .header(ACCEPT, MEDIA_TYPE)
            .send()
            .await
    }

    fn saw(&mut self, asked: &str, body: &Bytes) {
        self.seen.push(Sight {
            asked: asked.to_owned(),
            digest: Digest::of([&body[..]]),
        });
    }
}

/// The address of the next page.
fn next(link: &str) -> Option<&str> {
    let next = link.split(", ").find(|one| one.ends_with("rel=\"next\""))?;
    next.strip_prefix('<')?.split_once('>').map(|(url, _)| url)
}
