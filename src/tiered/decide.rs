//! The decision at the heart of the request path, as a pure function: what is held, who asks and what
//! is known go in, one of three outcomes comes out.
//!
//! Three questions are kept apart. *Is this body current?* is answered by the variant's age against its
//! lifetime and by the epochs. *May this caller see it?* is answered by a grant. *Is it authentic?* is
//! answered by where bodies come from: only GitHub's own answers are ever stored.

use std::sync::Arc;
use std::time::Duration;

use crate::api::Operation;
use crate::api::answer::Shareable;
use crate::http_cache::{CacheControl, Forward, Freshness, Validity, freshness};
use crate::secret::{CredentialId, TokenKind};
use crate::store::{Entry, Grant, Scheme, Variant};
use crate::time::Timestamp;

/// A changing thing asked for again this soon after it was validated is answered from the cache even
/// for a poller; later, a free question decides.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// Who asks, as far as the decision needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    /// The credential.
    pub credential: CredentialId,
    /// Its kind.
    pub kind: TokenKind,
    /// Grants asked for before this event number were revoked.
    pub revoked_before: u64,
}

/// What is known about the thing asked for, beside what is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The operation.
    pub operation: Operation,
    /// Anything asked before this event number may predate a write.
    pub floor: u64,
    /// How long a body of this operation stays fresh; `None` leaves it to GitHub's `Cache-Control`.
    pub lifetime: Option<Duration>,
    /// What the budget multiplies lifetimes with, and no grant.
    pub stretch: u32,
    /// Whether computed validators are trusted for this host and operation.
    pub trusted: bool,
    /// Whether the repository was proven public a short time ago.
    pub repository_public: bool,
    /// The longest a grant is good for.
    pub grant_ttl: Duration,
    /// A body validated at or after this moment is fresh whatever its lifetime: the caller waited for
    /// exactly that answer.
    pub waited_since: Option<Timestamp>,
}

/// What to do.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    /// Serve it; nobody needs to be asked.
    Hit {
        /// The body.
        variant: Arc<Variant>,
        /// The caller's grant; `None` when the body is public.
        grant: Option<Arc<Grant>>,
        /// Freshness left.
        ttl: Duration,
    },
    /// Ask GitHub one conditional question about this candidate.
    Revalidate {
        /// The body that a 304 would confirm.
        candidate: Candidate,
        /// Why it is not a hit.
        why: Forward,
    },
    /// Ask GitHub for the body.
    Fetch {
        /// Why it is not a hit.
        why: Forward,
    },
}

/// A body and the one validator that would prove it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// The body.
    pub variant: Arc<Variant>,
    /// What to ask with.
    pub validator: Validator,
}

/// What a 304 to it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Validator {
    /// Computed by us over the bytes we are about to serve: a 304 is a proof, for anybody.
    Computed,
    /// Given to this very credential with this very body: a 304 only prolongs what it already has.
    Own(Arc<str>),
}

/// Decides what to do about a cacheable request.
pub(super) fn decide(
    entry: Option<&Entry>,
    asker: Asker,
    known: &Known,
    request: &CacheControl,
    now: Timestamp,
) -> Verdict {
    let Some(entry) = entry.filter(|entry| !entry.variants.is_empty()) else {
        return Verdict::Fetch {
            why: Forward::UriMiss,
        };
    };
    // Run out or revoked, it still says what this credential received: a receipt.
    let receipt = entry.grant(asker.credential);
    let why = match shown(entry, receipt, asker, known, now) {
        Some((variant, grant)) => {
            let askable = grant.is_some() && validator(variant, receipt, known).is_some();
            let proven = Proven::to(variant, grant, known.operation);
            match freshness(variant, proven, askable, known, request, now) {
                Freshness::Fresh(ttl) => {
                    let (variant, grant) = (Arc::clone(variant), grant.cloned());
                    return Verdict::Hit {
                        variant,
                        grant,
                        ttl,
                    };
                }
                Freshness::Stale(why) => why,
            }
        }
        None if entry
            .variants
            .iter()
            .any(|variant| offered(variant, receipt)) =>
        {
            Forward::Stale
        }
        None => Forward::VaryMiss,
    };
    match candidate(entry, receipt, asker.kind, known) {
        Some(candidate) => Verdict::Revalidate { candidate, why },
        None => Verdict::Fetch { why },
    }
}

/// What this caller may be shown although it is not known to be current: the body that GitHub showed
/// to this very credential within `longest`, or a public one. For when GitHub cannot answer.
pub(super) fn stale_on_error(
    entry: &Entry,
    asker: Asker,
    known: &Known,
    longest: Duration,
    now: Timestamp,
) -> Option<(Arc<Variant>, Option<Arc<Grant>>)> {
    let known = Known {
        grant_ttl: longest,
        ..*known
    };
    shown(entry, entry.grant(asker.credential), asker, &known, now)
        // A peer's word is enough for what is fresh, not for an hour.
        .filter(|(variant, grant)| grant.is_some() || !variant.is_hearsay())
        // An error is better than the past of a write that the caller saw answered.
        .filter(|(variant, grant)| {
            Proven::to(variant, *grant, known.operation).asked_at >= known.floor
        })
        .map(|(variant, grant)| (Arc::clone(variant), grant.cloned()))
}

/// The body that this caller may be shown without asking, fresh or not, and the grant that says so
/// unless it is public.
fn shown<'a>(
    entry: &'a Entry,
    receipt: Option<&'a Arc<Grant>>,
    asker: Asker,
    known: &Known,
    now: Timestamp,
) -> Option<(&'a Arc<Variant>, Option<&'a Arc<Grant>>)> {
    if let Some(grant) = receipt.filter(|grant| is_valid(grant, asker, known, now))
        && let Some(variant) = entry.variant(grant.digest)
    {
        return Some((variant, Some(grant)));
    }
    let reader_independent = known.repository_public && known.operation.is_same_for_every_reader();
    newest(entry, |variant| {
        variant.shareable == Shareable::Everyone
            && variant.known_to(asker.kind)
            && (reader_independent || is_public(variant, asker, known, now))
    })
    .map(|variant| (variant, None))
}

/// Whether GitHub showed this body to everybody a short time ago, and neither a write nor a refusal of
/// this caller came after.
fn is_public(variant: &Variant, asker: Asker, known: &Known, now: Timestamp) -> bool {
    variant.public.is_some_and(|shown| {
        shown.asked_at >= known.floor.max(asker.revoked_before)
            && shown.at <= now
            && now.since(shown.at) < known.grant_ttl
    })
}

/// Whether GitHub's word that this caller may see this body still holds.
fn is_valid(grant: &Grant, asker: Asker, known: &Known, now: Timestamp) -> bool {
    // A grant from the future comes from a clock that went back: it could last for ever.
    grant.asked_at >= asker.revoked_before
        && grant.granted_at <= now
        && now.since(grant.granted_at) < known.grant_ttl
}

/// When GitHub last said that a body is what a caller sees.
#[derive(Debug, Clone, Copy)]
struct Proven {
    asked_at: u64,
    at: Timestamp,
}

impl Proven {
    /// Where every reader sees the same, anybody's proof will do. Elsewhere the same bytes can be what
    /// another caller sees by now and this one does no more: an empty list of one's own, a permission.
    fn to(variant: &Variant, grant: Option<&Arc<Grant>>, operation: Operation) -> Self {
        match grant {
            Some(grant) if !operation.is_same_for_every_reader() => Self {
                asked_at: grant.asked_at,
                at: grant.granted_at,
            },
            _ => Self {
                asked_at: variant.asked_at,
                at: variant.validated_at,
            },
        }
    }
}

/// Whether a body is current: by the epochs, by its lifetime, and for a poller. `askable`: this very
/// credential asked before, and GitHub can be asked for free.
fn freshness(
    variant: &Variant,
    proven: Proven,
    askable: bool,
    known: &Known,
    request: &CacheControl,
    now: Timestamp,
) -> Freshness {
    if proven.asked_at < known.floor {
        return Freshness::Stale(Forward::Stale);
    }
    let age = now.since(proven.at);
    let waited_for = known
        .waited_since
        .is_some_and(|since| (since..=now).contains(&proven.at));
    if waited_for {
        return Freshness::Fresh(Duration::ZERO);
    }
    let is_polled = askable && known.operation.is_polled() && age > POLL_INTERVAL;
    let lifetime = known.lifetime.unwrap_or(variant.origin_lifetime) * known.stretch;
    let stored = Validity {
        validated_at: proven.at,
        lifetime: if is_polled { Duration::ZERO } else { lifetime },
    };
    freshness::judge(stored, request, now)
}

/// The best body to ask about. What this caller has seen is the likeliest to be what it would see;
/// then what callers of its kind see; then anything. A wrong guess costs no more than asking without
/// a condition.
fn candidate(
    entry: &Entry,
    receipt: Option<&Arc<Grant>>,
    kind: TokenKind,
    known: &Known,
) -> Option<Candidate> {
    let question = |variant: &Arc<Variant>| {
        let validator = validator(variant, receipt, known)?;
        Some(Candidate {
            variant: Arc::clone(variant),
            validator,
        })
    };
    let own = receipt
        .and_then(|receipt| entry.variant(receipt.digest))
        .and_then(question);
    let kin = || {
        newest(entry, |variant| {
            offered(variant, receipt) && variant.known_to(kind)
        })
    };
    let any = || newest(entry, |variant| offered(variant, receipt));
    own.or_else(|| kin().and_then(question))
        .or_else(|| any().and_then(question))
}

/// Whether a body may be a candidate for the holder of `receipt` at all. What was made for one caller
/// holds tokens and signed URLs that run out: once it is no longer fresh it is fetched again.
fn offered(variant: &Variant, receipt: Option<&Arc<Grant>>) -> bool {
    let is_own = || receipt.is_some_and(|held| held.received && held.digest == variant.digest);
    variant.shareable == Shareable::Everyone
        && (matches!(variant.scheme, Scheme::Hashed(_)) || is_own())
}

/// The one validator that asks about `variant` for this caller, if there is one.
fn validator(variant: &Variant, receipt: Option<&Arc<Grant>>, known: &Known) -> Option<Validator> {
    if !offered(variant, receipt) {
        return None;
    }
    if known.trusted && matches!(variant.scheme, Scheme::Hashed(_)) {
        return Some(Validator::Computed);
    }
    let receipt = receipt.filter(|held| held.received && held.digest == variant.digest)?;
    receipt.etag.clone().map(Validator::Own)
}

/// The variant asked about last among those that `allowed` lets pass. Events are writes and the like: hours can pass
/// between two, and then time tells.
fn newest(entry: &Entry, allowed: impl Fn(&Variant) -> bool) -> Option<&Arc<Variant>> {
    entry
        .variants
        .iter()
        .rev()
        .filter(|variant| allowed(variant))
        .max_by_key(|variant| (variant.asked_at, variant.validated_at))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::api::page::Tail;
    use crate::api::validator::Vary;
    use crate::digest::Digest;
    use crate::http_cache::FieldBlock;
    use crate::secret::{Authorization, LocalSecret};
    use crate::store::Proof;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);
    const HASHED: Scheme = Scheme::Hashed(Vary {
        accept: true,
        authorization: true,
        cookie: true,
    });

    fn ago(seconds: u64) -> Timestamp {
        NOW.minus(Duration::from_secs(seconds))
    }

    fn someone(token: &str) -> Asker {
        let authorization = Authorization::new(Some(format!("Bearer {token}").as_bytes()));
        Asker {
            credential: LocalSecret::new([1; 32]).identify(&authorization),
            kind: authorization.kind(),
            revoked_before: 0,
        }
    }

    /// A repository's runs, kept 120 s, polled.
    fn known() -> Known {
        Known {
            operation: Operation::GetWorkflowRuns,
            floor: 0,
            lifetime: Some(Duration::from_secs(120)),
            stretch: 1,
            trusted: true,
            repository_public: false,
            grant_ttl: Duration::from_secs(300),
            waited_since: None,
        }
    }

    fn body(text: &str, validated_at: Timestamp) -> Variant {
        Variant {
            digest: Digest::of([text.as_bytes()]),
            body: Bytes::copy_from_slice(text.as_bytes()),
            shared: FieldBlock::default(),
            links: None,
            tail: Arc::new(Tail::NotAList),
            scheme: HASHED,
            shareable: Shareable::Everyone,
            origin_lifetime: Duration::from_secs(60),
            validated_at,
            asked_at: 10,
            kinds: TokenKind::Installation.bit(),
            public: None,
            was_public: false,
        }
    }

    fn shown_to(asker: Asker, variant: &Variant, granted_at: Timestamp) -> Grant {
        Grant {
            credential: asker.credential,
            digest: variant.digest,
            granted_at,
            asked_at: 10,
            received: true,
            etag: Some("\"own\"".into()),
            fields: FieldBlock::default(),
            links: None,
        }
    }

    fn entry(variant: Variant, grants: impl IntoIterator<Item = Grant>) -> Entry {
        let entry = Entry::default().with_variant(variant);
        grants.into_iter().fold(entry, Entry::with_grant)
    }

    fn verdict(entry: &Entry, asker: Asker, known: &Known) -> Verdict {
        decide(Some(entry), asker, known, &CacheControl::default(), NOW)
    }

    fn asks_with(verdict: &Verdict) -> Option<&Validator> {
        match verdict {
            Verdict::Revalidate { candidate, .. } => Some(&candidate.validator),
            Verdict::Hit { .. } | Verdict::Fetch { .. } => None,
        }
    }

    #[test]
    fn without_a_write_between_the_later_of_two_bodies_is_asked_about() {
        let (before, after) = (body("before", ago(900)), body("after", ago(600)));
        for bodies in [[&before, &after], [&after, &before]] {
            let held = bodies.into_iter().cloned();
            let held = held.fold(Entry::default(), Entry::with_variant);
            let Verdict::Revalidate { candidate, .. } = verdict(&held, someone("ghs_me"), &known())
            else {
                panic!("a question")
            };
            assert_eq!(candidate.variant.digest, after.digest);
        }
    }

    #[test]
    fn a_fresh_body_is_a_hit_for_whom_it_was_shown_to_and_a_question_for_others() {
        let (me, other) = (someone("ghs_me"), someone("ghs_other"));
        let variant = body("runs", ago(3));
        let held = entry(variant.clone(), [shown_to(me, &variant, ago(3))]);
        let Verdict::Hit { ttl, .. } = verdict(&held, me, &known()) else {
            panic!("a hit")
        };
        assert_eq!(ttl, Duration::from_secs(117));
        assert_eq!(
            asks_with(&verdict(&held, other, &known())),
            Some(&Validator::Computed)
        );
        assert!(matches!(
            decide(None, me, &known(), &CacheControl::default(), NOW),
            Verdict::Fetch {
                why: Forward::UriMiss
            }
        ));
    }

    #[test]
    fn a_grant_runs_out_is_revoked_and_does_not_come_from_the_future() {
        let me = someone("ghs_me");
        let mut known = known();
        known.operation = Operation::GetRepoInfo;
        known.lifetime = Some(Duration::from_secs(3600));
        let variant = body("repo", ago(299));
        let hit = |granted_at, asker| {
            let held = entry(variant.clone(), [shown_to(me, &variant, granted_at)]);
            matches!(verdict(&held, asker, &known), Verdict::Hit { .. })
        };
        assert!(hit(ago(299), me));
        assert!(!hit(ago(300), me));
        assert!(!hit(NOW.plus(Duration::from_secs(1)), me));
        assert!(!hit(
            ago(1),
            Asker {
                revoked_before: 11,
                ..me
            }
        ));
    }

    #[test]
    fn what_was_asked_before_a_write_is_asked_again() {
        let me = someone("ghs_me");
        let variant = body("runs", ago(1));
        let held = entry(variant.clone(), [shown_to(me, &variant, ago(1))]);
        let after_write = Known {
            floor: 11,
            ..known()
        };
        assert_eq!(
            asks_with(&verdict(&held, me, &after_write)),
            Some(&Validator::Computed)
        );
        let settling = Known {
            lifetime: Some(Duration::ZERO),
            ..known()
        };
        assert!(asks_with(&verdict(&held, me, &settling)).is_some());
    }

    #[test]
    fn a_poller_asks_again_after_five_seconds_if_asking_is_free() {
        let me = someone("ghs_me");
        let polled = |age, known: &Known| {
            let variant = body("runs", ago(age));
            let held = entry(variant.clone(), [shown_to(me, &variant, ago(age))]);
            asks_with(&verdict(&held, me, known)).is_some()
        };
        assert!(!polled(5, &known()));
        assert!(polled(6, &known()));
        let labels = Known {
            operation: Operation::Labels,
            ..known()
        };
        assert!(!polled(6, &labels), "labels are not polled");
    }

    #[test]
    fn the_request_can_ask_for_less_but_not_for_more() {
        let me = someone("ghs_me");
        let variant = body("runs", ago(4));
        let held = entry(variant.clone(), [shown_to(me, &variant, ago(4))]);
        let hit = |value: &str| {
            let control = CacheControl::parse([value.as_bytes()].into_iter());
            matches!(
                decide(Some(&held), me, &known(), &control, NOW),
                Verdict::Hit { .. }
            )
        };
        assert!(hit("max-age=4") && !hit("max-age=3") && !hit("no-cache"));
        assert!(hit("min-fresh=116") && !hit("min-fresh=117"));
        let stale = Known {
            floor: 11,
            ..known()
        };
        let control = CacheControl::parse([b"max-stale=9999".as_slice()].into_iter());
        assert!(!matches!(
            decide(Some(&held), me, &stale, &control, NOW),
            Verdict::Hit { .. }
        ));
    }

    #[test]
    fn an_opaque_validator_is_only_for_the_credential_that_got_it() {
        let (me, other) = (someone("ghs_me"), someone("ghs_other"));
        let variant = Variant {
            scheme: Scheme::Opaque,
            ..body("file", ago(500))
        };
        let held = entry(variant.clone(), [shown_to(me, &variant, ago(500))]);
        let own = Validator::Own("\"own\"".into());
        assert_eq!(asks_with(&verdict(&held, me, &known())), Some(&own));
        assert!(matches!(
            verdict(&held, other, &known()),
            Verdict::Fetch {
                why: Forward::VaryMiss
            }
        ));
        let mut proven = shown_to(me, &variant, ago(500));
        proven.received = false;
        let held = entry(variant, [proven]);
        assert!(asks_with(&verdict(&held, me, &known())).is_none());
    }

    #[test]
    fn where_the_formula_fails_everybody_asks_with_what_it_was_given() {
        let (me, other) = (someone("ghs_me"), someone("ghs_other"));
        let variant = body("runs", ago(500));
        let held = entry(variant.clone(), [shown_to(me, &variant, ago(500))]);
        let distrust = Known {
            trusted: false,
            ..known()
        };
        let own = Validator::Own("\"own\"".into());
        assert_eq!(asks_with(&verdict(&held, me, &distrust)), Some(&own));
        assert_eq!(asks_with(&verdict(&held, other, &distrust)), None);
    }

    #[test]
    fn what_was_made_for_one_caller_is_offered_to_nobody_and_not_prolonged() {
        let (me, other) = (someone("ghs_me"), someone("ghs_other"));
        let made_for_me = |validated_at| {
            let variant = Variant {
                shareable: Shareable::OnlyReceiver,
                ..body("url", validated_at)
            };
            entry(variant.clone(), [shown_to(me, &variant, validated_at)])
        };
        assert!(matches!(
            verdict(&made_for_me(ago(3)), me, &known()),
            Verdict::Hit { .. }
        ));
        assert!(matches!(
            verdict(&made_for_me(ago(200)), me, &known()),
            Verdict::Fetch { .. }
        ));
        assert!(matches!(
            verdict(&made_for_me(ago(3)), other, &known()),
            Verdict::Fetch { .. }
        ));
    }

    #[test]
    fn public_is_a_hit_for_the_same_kind_and_only_where_readers_agree() {
        let (other, pat) = (someone("ghs_other"), someone("ghp_pat"));
        let hit = |variant: &Variant, asker, known: &Known| {
            let held = entry(variant.clone(), []);
            matches!(verdict(&held, asker, known), Verdict::Hit { .. })
        };
        let public = Variant {
            public: Some(Proof {
                asked_at: 10,
                at: ago(3),
                hearsay: false,
            }),
            ..body("labels", ago(3))
        };
        assert!(hit(&public, other, &known()));
        assert!(
            !hit(&public, pat, &known()),
            "bodies can differ by kind of token"
        );
        let private = body("labels", ago(3));
        let open = |operation| Known {
            operation,
            repository_public: true,
            ..known()
        };
        assert!(hit(&private, other, &open(Operation::Labels)));
        assert!(!hit(&private, other, &open(Operation::GetRepoInfo)));
        assert!(!hit(&private, other, &known()));
    }

    #[test]
    fn when_github_cannot_answer_an_hour_old_grant_will_do_and_a_write_ends_it() {
        let (me, other) = (someone("ghs_me"), someone("ghs_other"));
        let longest = Duration::from_secs(3600);
        let variant = body("runs", ago(3000));
        let held = entry(variant.clone(), [shown_to(me, &variant, ago(3000))]);
        let stale =
            |asker, known: &Known| stale_on_error(&held, asker, known, longest, NOW).is_some();
        assert!(stale(me, &known()));
        assert!(!stale(other, &known()));
        assert!(!stale(
            Asker {
                revoked_before: 11,
                ..me
            },
            &known()
        ));
        assert!(
            !stale(
                me,
                &Known {
                    floor: 11,
                    ..known()
                }
            ),
            "it would show the past of a write"
        );
    }
}
