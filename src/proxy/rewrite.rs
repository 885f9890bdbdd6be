//! Addresses in answers: what leads to the API leads back to us.
//!
//! Clients follow `Link` and `Location` as they are. An address of the API would take them past us,
//! with their token. Signed addresses of other hosts stay untouched: the signature covers the host.

mod alive;
mod body;

use http::header::{HeaderMap, HeaderValue, LINK, LOCATION};

use super::RewriteBodies;
use super::host::{self, Base};
use crate::github::Client;

pub(super) use alive::Alive;
pub(super) use body::{Held, hold, rejoin};

/// PyGithub raises an error for a body URL of another host than its base URL.
const CHECKS_BODIES: &[u8] = b"PyGithub/Python";

/// Whether bodies for this client are rewritten.
pub(super) fn wants_bodies(mode: RewriteBodies, base: &Base<'_>, user_agent: &[u8]) -> bool {
    base.rewrites_uploads
        && match mode {
            RewriteBodies::Auto => user_agent.starts_with(CHECKS_BODIES),
            RewriteBodies::Always => true,
            RewriteBodies::Never => false,
        }
}

/// Whether a body of this type may hold addresses to rewrite.
pub(super) fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type
        .split(|&byte| byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    essence.eq_ignore_ascii_case(b"application/json")
        || (essence.len() > 5 && essence[essence.len() - 5..].eq_ignore_ascii_case(b"+json"))
}

/// Rewrites the addresses of one answer.
pub(super) struct Rewriter<'a> {
    client: &'a Client,
    base: &'a Base<'a>,
    /// Authorities seen, and whether they are the API: a body repeats few of them many times.
    known: Vec<(String, Kind)>,
}

/// What an authority is to a client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Api,
    Uploads,
    /// The API and uploads are paths of it.
    Enterprise,
    Other,
}

/// Authorities remembered for one answer.
const KNOWN: usize = 16;

impl<'a> Rewriter<'a> {
    pub(super) fn new(client: &'a Client, base: &'a Base<'a>) -> Self {
        Self {
            client,
            base,
            known: Vec::new(),
        }
    }

    /// Rewrites `Link` and `Location`.
    pub(super) fn headers(&mut self, headers: &mut HeaderMap) {
        if !self.base.rewrites {
            return;
        }
        let links: Vec<_> = headers
            .get_all(LINK)
            .iter()
            .map(|value| self.link(value))
            .collect();
        if !links.is_empty() {
            headers.remove(LINK);
            for value in links {
                headers.append(LINK, value);
            }
        }
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
        if let Some(moved) = location.and_then(|url| self.url(url))
            && let Ok(value) = HeaderValue::try_from(moved)
        {
            headers.insert(LOCATION, value);
        }
    }

    /// One `Link` line: every `<URL>` of the API becomes ours (RFC 8288, section 3).
    fn link(&mut self, value: &HeaderValue) -> HeaderValue {
        let Ok(text) = value.to_str() else {
            return value.clone();
        };
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<')
            && let Some((url, after)) = after.split_once('>')
        {
            out.push_str(before);
            out.push('<');
            match self.url(url) {
                Some(moved) => out.push_str(&moved),
                None => out.push_str(url),
            }
            out.push('>');
            rest = after;
        }
        out.push_str(rest);
        HeaderValue::try_from(out).unwrap_or_else(|_| value.clone())
    }

    /// `url` as an address of ours, if it is one of the API.
    fn url(&mut self, url: &str) -> Option<String> {
        let (prefix, used) = self.moved(url)?;
        Some([&prefix, &url[used..]].concat())
    }

    /// What takes the place of the first bytes of `url`, and of how many.
    fn moved(&mut self, url: &str) -> Option<(String, usize)> {
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"))?;
        let scheme = url.len() - rest.len();
        let end = rest
            .find(['/', '?', '#', '{', '"', '\\'])
            .unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority_end = scheme + end;
        match self.kind(authority) {
            Kind::Api => Some((self.base.api(), authority_end)),
            Kind::Uploads => Some((self.base.uploads(), authority_end)),
            // Its prefixes give way to the ones that this client uses; its other paths are web pages.
            Kind::Enterprise if host::under(path, host::ENTERPRISE).is_some() => {
                Some((self.base.api(), authority_end + host::ENTERPRISE.len()))
            }
            Kind::Enterprise
                if self.base.rewrites_uploads
                    && host::under(path, host::ENTERPRISE_UPLOADS).is_some() =>
            {
                Some((
                    self.base.uploads(),
                    authority_end + host::ENTERPRISE_UPLOADS.len(),
                ))
            }
            Kind::Enterprise | Kind::Other => None,
        }
    }

    fn kind(&mut self, authority: &str) -> Kind {
        if let Some((_, kind)) = self.known.iter().find(|(name, _)| name == authority) {
            return *kind;
        }
        let lower = authority.to_ascii_lowercase();
        let kind = match self.client.enterprise(&lower) {
            // One that this client is not using is not ours to move.
            Some(names) if names.api == host::API_HOST || self.base.is(&lower) => Kind::Enterprise,
            None if lower == host::UPLOADS_HOST && self.base.rewrites_uploads => Kind::Uploads,
            None if !lower.is_empty() && host::is_api(self.client, &lower) => Kind::Api,
            Some(_) | None => Kind::Other,
        };
        if self.known.len() < KNOWN {
            self.known.push((authority.to_owned(), kind));
        }
        kind
    }
}

#[cfg(test)]
mod tests;
