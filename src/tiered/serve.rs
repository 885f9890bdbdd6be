//! Making an answer of what is held.

use std::sync::Arc;

use http::StatusCode;

use super::ask::resource_of;
use super::decide::{Asker, Known};
use super::{Caller, Inner, Served};
use crate::api::{Head, Namespace, Question, RateHeaders, key, validator};
use crate::github::budget::Pressure;
use crate::http_cache::precondition::{self, Precondition};
use crate::http_cache::{CacheStatus, Tier};
use crate::store::{Grant, Scheme, Variant};
use crate::time::Timestamp;

/// What the decision needs beside the entry.
pub(super) struct Facts {
    pub asker: Asker,
    pub known: Known,
    pub pressure: Pressure,
}

impl Inner {
    /// What is known about a question and the caller who puts it.
    pub(super) fn facts(
        &self,
        (host, target): (&str, &str),
        question: &Question,
        caller: &Caller,
        now: Timestamp,
    ) -> Facts {
        let resource = resource_of(target);
        self.hear(now);
        let mut floor = self.epochs.floor(&question.namespace, now);
        if self.is_out_of_contact() {
            // Others may write without our knowledge: nothing that was asked before counts, neither for
            // who waits for another's answer nor when GitHub cannot answer.
            floor.event = u64::MAX;
        }
        let pressure = match self.gate.pressure(caller.id, caller.kind, resource, now) {
            // Others may have spent what was left when this caller was last told.
            Pressure::None
                if self.is_scarce_among_peers(|| self.gate.rate(caller.id, resource), now) =>
            {
                Pressure::Warning
            }
            pressure => pressure,
        };
        let lifetime = self.config.lifetimes.of(question.operation);
        let readers_agree = question.operation.is_same_for_every_reader()
            && matches!(
                question.namespace,
                Namespace::Repo(_) | Namespace::RepoId(_)
            );
        Facts {
            asker: Asker {
                credential: caller.id,
                kind: caller.kind,
                revoked_before: self.revoked.before(caller.id, host, &question.namespace),
            },
            known: Known {
                operation: question.operation,
                floor: floor.event,
                lifetime: if floor.settling {
                    Some(std::time::Duration::ZERO)
                } else {
                    lifetime
                },
                stretch: if pressure == Pressure::None { 1 } else { 2 },
                trusted: self.config.validators
                    && self.trust.in_validators(host, question.operation, now),
                repository_public: readers_agree
                    && self
                        .trust
                        .is_public(host, &question.namespace, floor.event, now),
                grant_ttl: self.config.grant_ttl,
                waited_since: None,
            },
            pressure,
        }
    }

    /// The answer to this caller, made of a body it may see. The client's own conditions are judged
    /// here, against the caller's own validator (RFC 9110, section 13.2.2).
    pub(super) fn serve(
        &self,
        head: &Head<'_>,
        caller: &Caller,
        variant: &Variant,
        grant: Option<&Grant>,
        cache: CacheStatus,
        now: Timestamp,
    ) -> Served {
        let fields = grant.map_or(&variant.shared, |grant| &grant.fields).clone();
        let etag = grant
            .and_then(|grant| grant.etag.clone())
            .or_else(|| computed_etag(head, caller, variant));
        let verdict = precondition::evaluate(
            head.fields.if_none_match,
            head.fields.if_modified_since,
            etag.as_deref().map(str::as_bytes),
            // Searched for by those who ask about it alone: the fields are lines, not a map.
            (head.fields.if_modified_since).and_then(|_| fields.get("last-modified")),
        );
        let unchanged = verdict == Precondition::NotModified;
        Served {
            status: if unchanged {
                StatusCode::NOT_MODIFIED
            } else {
                StatusCode::OK
            },
            fields,
            etag,
            links: grant
                .and_then(|grant| grant.links.clone())
                .or_else(|| variant.links.clone()),
            body: if unchanged {
                bytes::Bytes::new()
            } else {
                variant.body.clone()
            },
            age: now.since(variant.validated_at),
            cache,
            rate: self.rate(caller, head.target),
        }
    }

    /// What GitHub last told this caller about the budget that `target` falls under.
    pub(super) fn rate(&self, caller: &Caller, target: &str) -> Option<Arc<RateHeaders>> {
        self.gate.rate(caller.id, resource_of(target))
    }

    /// The same, marked as stale.
    pub(super) fn serve_stale(
        &self,
        head: &Head<'_>,
        caller: &Caller,
        (variant, grant): (&Variant, Option<&Grant>),
        now: Timestamp,
    ) -> Served {
        let age = i64::try_from(now.since(variant.validated_at).as_secs()).unwrap_or(i64::MAX);
        let lifetime = i64::try_from(variant.origin_lifetime.as_secs()).unwrap_or(i64::MAX);
        let ttl = (lifetime - age).min(-1);
        let cache = CacheStatus::Hit {
            ttl,
            tier: Tier::Stale,
        };
        self.serve(head, caller, variant, grant, cache, now)
    }
}

/// The validator that GitHub would give this caller with this body.
pub(super) fn computed_etag(
    head: &Head<'_>,
    caller: &Caller,
    variant: &Variant,
) -> Option<Arc<str>> {
    let Scheme::Hashed(vary) = variant.scheme else {
        return None;
    };
    let accept = key::sent_accept(head.fields.accept);
    let digest = validator::computed(vary, accept, caller.authorization.expose(), &variant.body);
    Some(validator::quoted(&digest).into())
}
