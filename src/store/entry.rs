//! What is held under one key: bodies, and who was shown which of them.
//!
//! Values only. An entry is never changed in place: whoever learns something makes the next one, so a
//! reader always sees one consistent state.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::api::answer::Shareable;
use crate::api::page::{Links, Tail};
use crate::api::validator::Vary;
use crate::digest::Digest;
use crate::http_cache::FieldBlock;
use crate::secret::{CredentialId, TokenKind};
use crate::time::Timestamp;

/// Bodies that differ per viewer live side by side; a fifth displaces the one validated longest ago.
pub const VARIANTS_MAX: usize = 4;
/// Credentials remembered per entry; one more displaces the oldest. A host runs a few jobs at a time.
pub const GRANTS_MAX: usize = 128;

/// Everything held under one key.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// What it is, for people: `GET api.github.com/repos/o/r`.
    pub label: Arc<str>,
    /// The operation's name.
    pub operation: &'static str,
    /// Bodies, the last validated first; at most [`VARIANTS_MAX`].
    pub variants: Vec<Arc<Variant>>,
    /// Who was shown which body, the latest first; at most [`GRANTS_MAX`], one for each credential.
    pub grants: Vec<Arc<Grant>>,
}

/// One body and what is true of it for everybody who may see it.
#[derive(Debug, Clone)]
pub struct Variant {
    /// SHA-256 of `body`.
    pub digest: Digest,
    /// The identity body, byte for byte as GitHub made it.
    pub body: Bytes,
    /// The fields that hold for every reader: content type and API version. Nothing else of an answer
    /// to one credential is shown to another, because no validator covers it.
    pub shared: FieldBlock,
    /// Pagination as targets on the same host.
    pub links: Option<Arc<Links>>,
    /// Whether a page might follow that no 304 would tell us about.
    pub tail: Arc<Tail>,
    /// How GitHub's validator of this body comes about.
    pub scheme: Scheme,
    /// Whether it may be offered to a credential that did not receive it.
    pub shareable: Shareable,
    /// What GitHub's `Cache-Control` gives it.
    pub origin_lifetime: Duration,
    /// When GitHub last said that this is current.
    pub validated_at: Timestamp,
    /// The event number at which that question was asked: older than a write means stale.
    pub asked_at: u64,
    /// The token kinds that received or proved these bytes, as a set of [`TokenKind::bit`]s.
    pub kinds: u8,
    /// When GitHub last showed these very bytes to a request without credentials.
    pub public: Option<Proof>,
    /// Whether anybody could read it when GitHub last confirmed it: what may leave this machine.
    pub was_public: bool,
}

/// When GitHub showed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proof {
    /// The event number at which it was asked.
    pub asked_at: u64,
    /// The time.
    pub at: Timestamp,
    /// Whether only a peer says so: what whoever trusts the swarm may be shown, and nobody else. It is written nowhere, told to
    /// nobody, and ends with GitHub's own word about the body.
    pub hearsay: bool,
}

/// How GitHub makes the validator of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// The documented-by-observation hash over these request fields and the body; the answer that
    /// brought this body was checked against it.
    Hashed(Vary),
    /// Anything else, such as a git object id: only good for the credential that received it.
    Opaque,
}

/// GitHub showed exactly this body to this credential.
///
/// A grant that has run out stays as a *receipt*: it names the validator that this credential was
/// given, which only this credential may use again.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Whom.
    pub credential: CredentialId,
    /// What: the digest of a variant.
    pub digest: Digest,
    /// When GitHub said so.
    pub granted_at: Timestamp,
    /// The event number at which GitHub was asked; a later revocation ends the grant.
    pub asked_at: u64,
    /// Whether the body came to this credential in a 200, not only as a proof.
    pub received: bool,
    /// The validator that belongs to this credential, with its quotes.
    pub etag: Option<Arc<str>>,
    /// All fields for this credential: the shared ones and those of its own last answer.
    pub fields: FieldBlock,
    /// The links of its own 200, where they are more than everybody's: some lead to other hosts.
    pub links: Option<Arc<Links>>,
}

impl Entry {
    /// The grant of `credential`, run out or not.
    pub fn grant(&self, credential: CredentialId) -> Option<&Arc<Grant>> {
        self.grants
            .iter()
            .find(|grant| grant.credential == credential)
    }

    /// The body with this digest.
    pub fn variant(&self, digest: Digest) -> Option<&Arc<Variant>> {
        self.variants
            .iter()
            .find(|variant| variant.digest == digest)
    }

    /// This entry with `variant` in front. What was known of the same body (who proved it, that it is
    /// public) is kept; beyond [`VARIANTS_MAX`] the one validated longest ago goes, and its grants.
    #[must_use]
    pub fn with_variant(mut self, mut variant: Variant) -> Self {
        if variant.is_hearsay() {
            // It drives out what else is hearsay, and nothing that GitHub said.
            self.variants.retain(|held| !held.is_hearsay());
            let is_known = self.variant(variant.digest).is_some();
            if is_known || self.variants.len() >= VARIANTS_MAX {
                return self;
            }
        } else {
            self.variants
                .retain(|held| held.digest != variant.digest || !held.is_hearsay());
        }
        if let Some(at) = self
            .variants
            .iter()
            .position(|held| held.digest == variant.digest)
        {
            let held = self.variants.remove(at);
            let (kinds, public) = (variant.kinds | held.kinds, variant.public.max(held.public));
            if (held.asked_at, held.validated_at) > (variant.asked_at, variant.validated_at) {
                // A slower answer to an earlier question must not make it look older, nor bring back
                // the links of a shorter list.
                variant = Arc::unwrap_or_clone(held);
            }
            (variant.kinds, variant.public) = (kinds, public);
        }
        self.variants.insert(0, Arc::new(variant));
        self.variants.truncate(VARIANTS_MAX);
        let variants = &self.variants;
        self.grants
            .retain(|grant| variants.iter().any(|held| held.digest == grant.digest));
        self
    }

    /// This entry with `grant` in front, in place of what the credential had.
    #[must_use]
    pub fn with_grant(mut self, mut grant: Grant) -> Self {
        if let Some(at) = self
            .grants
            .iter()
            .position(|held| held.credential == grant.credential)
        {
            let held = self.grants.remove(at);
            grant.received |= held.received && held.digest == grant.digest;
            let held_is_later =
                (held.asked_at, held.granted_at) > (grant.asked_at, grant.granted_at);
            if held_is_later && held.digest != grant.digest {
                // The answer to a later question already said something else.
                grant = Arc::unwrap_or_clone(held);
            }
        }
        self.grants.insert(0, Arc::new(grant));
        self.grants.truncate(GRANTS_MAX);
        self
    }

    /// What two know of one key, put together: the answer to a later question comes first, whoever has
    /// it, so that it does not matter who is merged into whom, nor how often.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let mut merged = Self::default();
        if self.operation.is_empty() {
            (merged.label, merged.operation) = (other.label, other.operation);
        } else {
            (merged.label, merged.operation) = (self.label, self.operation);
        }
        // From the latest on, so that what is older only adds to what is known of the same. Beyond the
        // numbers of the questions, the order only has to be the same whoever is merged into whom.
        let mut variants = [self.variants, other.variants].concat();
        // What peers say comes last, and only where there is room.
        variants.sort_by_key(|variant| (variant.is_hearsay(), Reverse(variant.order())));
        for older in variants {
            let same = |held: &&mut Arc<Variant>| held.digest == older.digest;
            if let Some(held) = merged.variants.iter_mut().find(same) {
                let is_news = older.kinds & !held.kinds != 0 || older.public > held.public;
                if is_news && !older.is_hearsay() {
                    Arc::make_mut(held).add(&older);
                }
            } else if merged.variants.len() < VARIANTS_MAX {
                merged.variants.push(older);
            }
        }
        let mut grants = [self.grants, other.grants].concat();
        grants.sort_by(|a, b| b.order().cmp(&a.order()));
        for older in grants {
            let same = |held: &&mut Arc<Grant>| held.credential == older.credential;
            if let Some(held) = merged.grants.iter_mut().find(same) {
                if older.received && !held.received && older.digest == held.digest {
                    Arc::make_mut(held).received = true;
                }
            } else if merged.grants.len() < GRANTS_MAX {
                merged.grants.push(older);
            }
        }
        // Only now: an earlier grant must not win because the body of the later one is gone.
        let variants = &merged.variants;
        merged
            .grants
            .retain(|grant| variants.iter().any(|held| held.digest == grant.digest));
        merged
    }

    /// Bytes it holds, for the memory tier's accounts.
    pub fn weight(&self) -> u64 {
        const FIXED: usize = 256;
        let variants: usize = self
            .variants
            .iter()
            .map(|variant| FIXED + variant.body.len() + variant.shared.len())
            .sum();
        let grants: usize = self
            .grants
            .iter()
            .map(|grant| FIXED + grant.fields.len())
            .sum();
        (FIXED + self.label.len() + variants + grants) as u64
    }
}

impl Grant {
    /// What tells which of two grants is later. What was read from disk has lost some validators: of two
    /// that are the same otherwise, the one that has its validator counts as later.
    fn order(&self) -> impl Ord + '_ {
        (
            self.asked_at,
            self.granted_at,
            self.digest,
            self.received,
            self.etag.as_deref(),
            self.fields.as_bytes(),
            self.credential,
        )
    }
}

impl Variant {
    /// Whether all that is known of it is what a peer said: GitHub has not shown it to anybody here.
    pub fn is_hearsay(&self) -> bool {
        self.public.is_some_and(|proof| proof.hearsay)
    }

    /// What tells which of two answers is later.
    fn order(&self) -> impl Ord + use<> {
        (
            self.asked_at,
            self.validated_at,
            self.digest,
            self.was_public,
        )
    }

    /// Takes over what stays true of the same body: who proved it, that it was public.
    fn add(&mut self, older: &Self) {
        self.kinds |= older.kinds;
        self.public = self.public.max(older.public);
    }

    /// Whether a caller of this kind received or proved these bytes before.
    pub const fn known_to(&self, kind: TokenKind) -> bool {
        self.kinds & kind.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn variant(body: u8, asked_at: u64, kinds: u8) -> Variant {
        let body = Bytes::from(vec![body]);
        Variant {
            digest: Digest::of([&*body]),
            body,
            shared: FieldBlock::default(),
            links: None,
            tail: Arc::new(Tail::NotAList),
            scheme: Scheme::Opaque,
            shareable: Shareable::Everyone,
            origin_lifetime: Duration::ZERO,
            validated_at: Timestamp::from_millis(asked_at),
            asked_at,
            kinds,
            public: (kinds == 1).then_some(Proof {
                asked_at,
                at: Timestamp::from_millis(asked_at),
                hearsay: false,
            }),
            was_public: false,
        }
    }

    fn grant(credential: u8, body: u8, asked_at: u64) -> Grant {
        Grant {
            credential: CredentialId::from_bytes([credential; 16]),
            digest: Digest::of([[body].as_slice()]),
            granted_at: Timestamp::from_millis(asked_at),
            asked_at,
            received: asked_at.is_multiple_of(2),
            etag: None,
            fields: FieldBlock::default(),
            links: None,
        }
    }

    /// What one daemon learnt: answers to questions in the order in which they came.
    fn entry() -> impl Strategy<Value = Entry> {
        let answer = (0..7_u8, 1..40_u64, 0..5_u8, 1..3_u8);
        vec(answer, 0..12).prop_map(|answers| {
            let mut entry = Entry::default();
            for (body, asked_at, credential, kinds) in answers {
                entry = entry
                    .with_variant(variant(body, asked_at, kinds))
                    .with_grant(grant(credential, body, asked_at));
            }
            entry
        })
    }

    type Grants = BTreeMap<CredentialId, (u64, Digest, bool)>;

    /// What counts: which body, of when, known to whom; and what each credential was shown last.
    fn knowledge(entry: &Entry) -> (impl PartialEq + std::fmt::Debug + use<>, Grants) {
        let variants = entry
            .variants
            .iter()
            .map(|held| (held.asked_at, held.digest, held.kinds, held.public));
        let grants = entry.grants.iter().map(|held| {
            let shown = (held.asked_at, held.digest, held.received);
            (held.credential, shown)
        });
        (variants.collect::<Vec<_>>(), grants.collect())
    }

    proptest! {
        #[test]
        fn it_does_not_matter_who_is_merged_into_whom_nor_how_often(a in entry(), b in entry()) {
            let merged = a.clone().merge(b.clone());
            let known = knowledge(&merged);
            prop_assert_eq!(&known, &knowledge(&b.clone().merge(a.clone())));
            for one in [a, b, merged.clone()] {
                let again = knowledge(&merged.clone().merge(one));
                prop_assert_eq!(&known.0, &again.0);
                // A credential whose last body had to make room may get back what it was shown before.
                for (credential, shown) in &known.1 {
                    prop_assert_eq!(Some(shown), again.1.get(credential));
                }
            }
        }

        #[test]
        fn the_answer_to_a_later_question_wins(a in entry(), b in entry()) {
            let merged = a.clone().merge(b.clone());
            let both = || a.variants.iter().chain(&b.variants);
            let newest = both().map(|held| held.asked_at).max();
            prop_assert_eq!(merged.variants.first().map(|held| held.asked_at), newest);
            for held in &merged.variants {
                let same = both().filter(|other| other.digest == held.digest);
                prop_assert_eq!(same.map(|other| other.asked_at).max(), Some(held.asked_at));
            }
            for held in &merged.grants {
                let same = a.grants.iter().chain(&b.grants);
                let same = same.filter(|other| other.credential == held.credential);
                prop_assert_eq!(same.map(|other| other.asked_at).max(), Some(held.asked_at));
                prop_assert!(merged.variant(held.digest).is_some());
            }
            prop_assert!(merged.variants.len() <= VARIANTS_MAX);
            prop_assert!(merged.grants.len() <= GRANTS_MAX);
        }
    }

    #[test]
    fn a_peers_word_drives_out_nothing_of_githubs_and_ends_with_it() {
        let told = |body| {
            let mut told = variant(body, 99, 1);
            told.public = told.public.map(|proof| Proof {
                hearsay: true,
                ..proof
            });
            told
        };
        let full = (1..=4).fold(Entry::default(), |entry, body| {
            let entry = entry.with_variant(variant(body, body.into(), 2));
            entry.with_grant(grant(body, body, body.into()))
        });
        let bodies = |entry: &Entry| -> Vec<_> {
            let variants = entry.variants.iter();
            variants
                .map(|held| (held.body[0], held.is_hearsay()))
                .collect()
        };
        let github = [(4, false), (3, false), (2, false), (1, false)];
        for body in [1, 9] {
            let after = full.clone().with_variant(told(body));
            assert_eq!((bodies(&after), after.grants.len()), (github.into(), 4));
        }
        let of = |variant| Entry::default().with_variant(variant);
        let one = of(variant(1, 1, 2)).with_variant(told(8));
        let one = one.with_variant(told(9));
        assert_eq!(bodies(&one), [(9, true), (1, false)]);
        for merged in [full.clone().merge(of(told(9))), of(told(9)).merge(full)] {
            assert_eq!(bodies(&merged), github);
        }
        let confirmed = one.with_variant(variant(9, 5, 2));
        assert_eq!(bodies(&confirmed), [(9, false), (1, false)]);
        assert_eq!(confirmed.variants[0].public, None);
        assert_eq!(confirmed.variants[0].kinds, 2);
        let merged = of(told(9)).merge(of(variant(9, 5, 2)));
        assert_eq!(bodies(&merged), [(9, false)]);
    }

    #[test]
    fn grants_of_many_credentials_stay_bounded_and_the_latest_stay() {
        let of = |range: std::ops::Range<u8>| {
            let start = Entry::default().with_variant(variant(1, 1, 1));
            range.fold(start, |entry, n| entry.with_grant(grant(n, 1, n.into())))
        };
        let merged = of(100..200).merge(of(0..100));
        assert_eq!(merged.grants.len(), GRANTS_MAX);
        assert_eq!(merged.grants[0].asked_at, 199);
        assert_eq!(merged.grants[GRANTS_MAX - 1].asked_at, 72);
    }

    /// Without a write between them two questions have the same event number.
    #[test]
    fn a_slow_answer_to_an_earlier_question_does_not_come_on_top_of_a_later_one() {
        let at = |body, seconds| {
            let mut variant = variant(body, 7, 1);
            variant.validated_at = Timestamp::from_secs(seconds);
            let mut grant = grant(9, body, 7);
            grant.granted_at = Timestamp::from_secs(seconds);
            (variant, grant)
        };
        let (later, earlier) = (at(2, 200), at(1, 100));
        let entry = Entry::default()
            .with_variant(later.0)
            .with_grant(later.1)
            .with_variant(earlier.0)
            .with_grant(earlier.1);
        assert_eq!(entry.grants[0].digest, Digest::of([[2].as_slice()]));
        let (again, _) = at(2, 150);
        let held = entry.with_variant(again);
        let held = held.variant(Digest::of([[2].as_slice()])).unwrap();
        assert_eq!(held.validated_at, Timestamp::from_secs(200));
    }

    #[test]
    fn a_withdrawn_body_does_not_come_back_through_an_older_grant() {
        let one = Entry::default()
            .with_variant(variant(1, 1, 1))
            .with_grant(grant(9, 1, 1));
        let later = (2..6).fold(Entry::default(), |entry, body| {
            entry.with_variant(variant(body, 10, 1))
        });
        let later = later.with_grant(grant(9, 2, 10));
        let merged = one.merge(later);
        assert_eq!(merged.grants.len(), 1);
        assert_eq!(merged.grants[0].asked_at, 10);
    }
}
