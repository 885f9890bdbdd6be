//! Entries as they leave, and as they arrive: pure.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::reason::Reason;
use crate::api::answer::{self, Shareable};
use crate::api::key::canonical_target;
use crate::api::page::{Link, Tail, tail};
use crate::api::path::Path;
use crate::api::{Key, Links, Namespace, Operation, Reach};
use crate::digest::Digest;
use crate::http_cache::FieldBlock;
use crate::store::snapshot::{is_date, is_json};
use crate::store::{Entry, Scheme, Variant};
use crate::swarm::{Audience, Coverage, Offer};
use crate::tiered::Trust;
use crate::time::Timestamp;

/// What GitHub gives answers that say nothing else, and what every body of a peer gets: a longer lifetime is nothing
/// that a 304 confirms.
const ORIGIN_LIFETIME: Duration = Duration::from_secs(60);
const API_VERSION: &str = "x-github-api-version-selected";
/// The age of what must not be taken for fresh, whatever its real one: longer than anything is believed. What is older
/// has this age, too; the wire has none over a year.
pub(in crate::tiered) const AGED: Duration = Duration::from_secs(364 * 86_400);

/// What an entry is about, as its label says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tiered) struct About {
    pub(in crate::tiered) host: Box<str>,
    pub(in crate::tiered) operation: Operation,
    pub(in crate::tiered) namespace: Namespace,
    /// Path and query.
    pub(in crate::tiered) target: Box<str>,
}

impl About {
    /// `None` for what is no answer to a plain read.
    pub(in crate::tiered) fn of(entry: &Entry) -> Option<Self> {
        let place = entry.label.strip_prefix("GET ")?;
        let (host, target) = place.split_at(place.find('/')?);
        Some(Self {
            host: host.into(),
            operation: Operation::parse(entry.operation)?,
            namespace: Namespace::of(target),
            target: target.into(),
        })
    }
}

/// What else decides about an offer.
#[derive(Debug, Clone, Copy)]
pub(in crate::tiered) struct Terms {
    /// What the peer may be given.
    pub(in crate::tiered) coverage: Coverage,
    /// Whose word is enough here, and so likely in all of the pool.
    pub(in crate::tiered) trust: Trust,
    /// What was asked before this event may be the past of a write.
    pub(in crate::tiered) floor: u64,
    /// Whether anybody was shown it a short time ago. What once was public may be told to everybody for ever, and passes
    /// for public no longer than anything else does.
    pub(in crate::tiered) is_public_now: bool,
    /// Now.
    pub(in crate::tiered) now: Timestamp,
}

/// Why an answer stays on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tiered) enum Kept {
    /// Something in it was made for one caller: a token, a signed URL.
    MadeForOne,
    /// It came from elsewhere and GitHub has not said it to us.
    NotOurs,
    /// Who sees it depends on who asks.
    OfCaller,
    /// Nobody could ask GitHub about it, since its validator is not one that is computed.
    Unprovable,
    /// Only readers of a repository may see it, and the peers are not known to be some.
    OfReaders,
}

impl Kept {
    /// The name among the counters.
    pub(in crate::tiered) const fn name(self) -> &'static str {
        match self {
            Self::MadeForOne => "not-shared-made-for-one",
            Self::NotOurs => "not-shared-not-ours",
            Self::OfCaller => "not-shared-of-caller",
            Self::Unprovable => "not-shared-unprovable",
            Self::OfReaders => "not-shared-private",
        }
    }
}

/// Why `variant` is offered to no peer, if it is not.
pub(in crate::tiered) fn kept(about: &About, variant: &Variant, terms: &Terms) -> Option<Kept> {
    audience(about, variant, terms).err()
}

/// Who beyond this machine may be given a body, and whether it may pass for fresh there.
fn audience(about: &About, variant: &Variant, terms: &Terms) -> Result<(Audience, bool), Kept> {
    let is_ours = variant.kinds != 0 && !variant.is_hearsay();
    // What was made for one caller travels to nobody, nor does what GitHub has not said to us.
    if variant.shareable != Shareable::Everyone {
        return Err(Kept::MadeForOne);
    }
    if !is_ours {
        return Err(Kept::NotOurs);
    }
    // A clock that went back says nothing about an age.
    let is_current = variant.asked_at >= terms.floor && variant.validated_at <= terms.now;
    // Nobody can ask GitHub about another form of validator, so it is of use only where a member's word is enough.
    let is_provable = matches!(variant.scheme, Scheme::Hashed(_));
    let is_of_repository = matches!(about.namespace, Namespace::Repo(_) | Namespace::RepoId(_));
    let reach = Reach::of(about.operation, &about.target, &variant.body);
    if reach == Reach::Nobody {
        return Err(Kept::OfCaller);
    }
    if !(is_provable || terms.trust == Trust::Swarm) {
        return Err(Kept::Unprovable);
    }
    if variant.was_public && terms.is_public_now {
        return Ok((Audience::Public, is_current));
    }
    // Only GitHub's answer to their own token shows it to its readers.
    let for_readers = reach == Reach::Repository && is_of_repository && is_provable;
    if for_readers && terms.coverage.covers(Audience::Repository) {
        return Ok((Audience::Repository, is_current));
    }
    if variant.was_public {
        return Ok((Audience::Public, false));
    }
    Err(match reach {
        Reach::Repository if is_of_repository && is_provable => Kept::OfReaders,
        Reach::Repository if is_of_repository => Kept::Unprovable,
        _ => Kept::OfCaller,
    })
}

/// The offer of `variant` to a peer, if there is one for it.
pub(in crate::tiered) fn of(
    key: Key,
    about: &About,
    variant: &Variant,
    terms: &Terms,
) -> Option<Offer> {
    let (audience, is_current) = audience(about, variant, terms).ok()?;
    let text = |name| {
        Some(
            std::str::from_utf8(variant.shared.get(name)?)
                .ok()?
                .to_owned(),
        )
    };
    let age = terms.now.since(variant.validated_at);
    Some(Offer {
        key,
        body: variant.body.clone(),
        content_type: text(CONTENT_TYPE.as_str()),
        api_version: text(API_VERSION),
        links: variant.links.as_deref().cloned(),
        vary: match variant.scheme {
            Scheme::Hashed(vary) => Some(vary),
            Scheme::Opaque => None,
        },
        audience,
        age: if is_current { age.min(AGED) } else { AGED },
        origin_lifetime: variant.origin_lifetime,
        kinds: variant.kinds,
    })
}

/// What was asked, for judging what came.
#[derive(Debug, Clone, Copy)]
pub(in crate::tiered) struct Asked<'a> {
    pub(in crate::tiered) key: Key,
    pub(in crate::tiered) operation: Operation,
    /// Path and query.
    pub(in crate::tiered) target: &'a str,
    /// The number of the repository, if it is known.
    pub(in crate::tiered) repository: Option<u64>,
}

/// The candidate in an offer, or why there is none. Only what a 304 confirms is taken over, and of the rest what
/// cannot mislead: a JSON content type, a version's date, and from members who know the secret the links of this very
/// list. `proved_at`: when GitHub is said to have confirmed it.
pub(in crate::tiered) fn candidate(
    offer: &Offer,
    by_secret: bool,
    asked: Asked<'_>,
    body_limit: usize,
    proved_at: Timestamp,
) -> Result<Variant, Reason> {
    if offer.key != asked.key {
        return Err(Reason::CandidateOtherKey);
    }
    if offer.body.len() > body_limit {
        return Err(Reason::CandidateTooLarge);
    }
    let kind = offer.content_type.as_deref().unwrap_or_default();
    let version = offer.api_version.as_deref();
    if !is_json(kind) || !version.is_none_or(is_date) {
        return Err(Reason::CandidateFields);
    }
    let value = HeaderValue::from_str(kind).map_err(|_| Reason::CandidateFields)?;
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, value)]);
    let judged = answer::storable(
        asked.operation,
        StatusCode::OK,
        &headers,
        &offer.body,
        body_limit,
    );
    if judged != Ok(Shareable::Everyone) {
        return Err(Reason::CandidateNotShareable);
    }
    if let Some(links) = &offer.links
        && !(by_secret && are_pages(links, asked, &offer.body))
    {
        return Err(Reason::CandidateLinks);
    }
    let has_next = offer.links.as_ref().is_some_and(Links::has_next);
    let fields = [
        Some((CONTENT_TYPE.as_str(), kind.as_bytes())),
        version.map(|version| (API_VERSION, version.as_bytes())),
    ];
    Ok(Variant {
        digest: Digest::of([&offer.body[..]]),
        // A copy of its own: what came is a piece of a larger message, which would stay as long.
        body: Bytes::copy_from_slice(&offer.body),
        shared: FieldBlock::from_pairs(fields.into_iter().flatten()),
        links: offer.links.clone().map(Arc::new),
        tail: Arc::new(tail(asked.target, &offer.body, has_next)),
        scheme: offer.vary.map_or(Scheme::Opaque, Scheme::Hashed),
        shareable: Shareable::Everyone,
        origin_lifetime: ORIGIN_LIFETIME.min(offer.origin_lifetime),
        validated_at: proved_at,
        asked_at: 0,
        kinds: 0,
        public: None,
        was_public: false,
    })
}

/// Whether all links lead to other pages of what was asked for. GitHub's 304 says nothing about them.
fn are_pages(links: &Links, asked: Asked<'_>, body: &[u8]) -> bool {
    let here = canonical_target(asked.target);
    let (Some(path), query) = (Path::of(&here), query_of(&here)) else {
        return false;
    };
    // A list that does not fill its page has no next one.
    if links.has_next() && !matches!(tail(asked.target, body, false), Tail::Full { .. }) {
        return false;
    }
    !links.links().is_empty()
        && links.links().iter().all(|link| {
            let there = canonical_target(&link.target);
            let is_page = link.rel.len() == 1 && link.parameters.is_empty();
            is_page
                && Path::of(&there).is_some_and(|other| {
                    is_same(other.segments(), path.segments(), asked.repository, body)
                })
                && turns(link, query, query_of(&there))
        })
}

/// Whether two paths name the same list. GitHub's own links say the number of a repository, not its name, and may do so
/// with a workflow, whose number its runs tell in `body`.
fn is_same(there: &[&str], here: &[&str], repository: Option<u64>, body: &[u8]) -> bool {
    let (there, here) = match (there, here) {
        _ if there == here => return true,
        (["repositories", id, there @ ..], ["repos", _, _, here @ ..])
            if repository.is_some_and(|number| number.to_string() == *id) =>
        {
            (there, here)
        }
        _ => return false,
    };
    match (there, here) {
        (["actions", "workflows", id, "runs"], ["actions", "workflows", name, "runs"])
            if id != name =>
        {
            // A name may be another workflow's number, of which GitHub would have said nothing else.
            name.parse::<u64>().is_err() && is_workflow(id, body)
        }
        _ => there == here,
    }
}

/// Whether all runs in `body` are of the workflow with this number.
fn is_workflow(id: &str, body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Runs {
        workflow_runs: Vec<Run>,
    }
    #[derive(serde::Deserialize)]
    struct Run {
        workflow_id: u64,
    }
    serde_json::from_slice::<Runs>(body).is_ok_and(|body| {
        let runs = body.workflow_runs;
        !runs.is_empty() && runs.iter().all(|run| run.workflow_id.to_string() == id)
    })
}

/// What says which page: GitHub pages by number, or by a cursor.
const PAGING: [&str; 4] = ["page", "after", "before", "since"];

/// Whether `there` asks for the page of the list `here` that the relation names. A number too large for `last` is the
/// one thing that cannot be told.
fn turns(link: &Link, here: &str, there: &str) -> bool {
    let rest = |query: &str| {
        let mut parameters: Vec<_> = parameters(query)
            .filter(|(name, _)| !PAGING.contains(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        parameters.sort_unstable();
        parameters
    };
    if rest(here) != rest(there) {
        return false;
    }
    let number = |query: &str| {
        let mut pages = parameters(query).filter(|(name, _)| *name == "page");
        match (pages.next(), pages.next()) {
            (None, _) => Some(None),
            (Some((_, page)), None) => page.parse::<u32>().ok().map(Some),
            (Some(_), Some(_)) => None,
        }
    };
    let (Some(at), Some(to)) = (number(here), number(there)) else {
        return false;
    };
    let at = at.unwrap_or(1);
    let rel = link.rel.first().map(String::as_str);
    match (rel, to) {
        (Some("next"), Some(to)) => Some(to) == at.checked_add(1),
        (Some("prev"), Some(to)) => to.checked_add(1) == Some(at),
        (Some("first"), Some(to)) => to == 1 && at > 1,
        (Some("last"), Some(to)) => to > at,
        // By a cursor, which nobody can foretell: taken from nobody but GitHub.
        _ => false,
    }
}

fn query_of(target: &str) -> &str {
    target.split_once('?').map_or("", |(_, query)| query)
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    parameters.map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
}

#[cfg(test)]
mod tests;
