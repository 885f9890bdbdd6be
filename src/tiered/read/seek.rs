//! What peers have, before GitHub is asked; and what they are told after it was.

use http::StatusCode;

use super::{Asking, Ended, Read, hit};
use crate::api::Reach;
use crate::digest::Digest;
use crate::http_cache::Tier;
use crate::stats::Outcome;
use crate::store::{Entry, Proof, Variant};
use crate::swarm::{Found, Lease, Nothing, Offer, Source};
use crate::tiered::decide::{Candidate, Validator};
use crate::tiered::keep::describe;
use crate::tiered::peers::{self, Answered, Asked, Circumstances, Own, Peers, Reason, Told, Use};
use crate::tiered::{Answer, Trust, request_control};
use crate::time::Timestamp;
use std::sync::Arc;

/// Lookups for one request. The next says what the last has brought, if that may be outdated: somebody may know better, or
/// be asking GitHub already, and else we do that for everybody. The third is for whom a slow owner made the second one ask
/// elsewhere.
const LOOKUPS: usize = 3;

/// What came of asking the peers.
pub(super) enum Sought {
    /// A member's word is enough.
    Shown(Ended),
    /// GitHub is asked.
    Ask(Plan),
}

/// What GitHub is asked, and for whom.
pub(super) struct Plan {
    pub(super) asking: Asking,
    /// Others wait for the answer.
    lease: Option<Lease>,
    /// The body that peers were told we know.
    told: Option<Digest>,
    /// Who brought the candidate.
    candidate_of: Option<Source>,
}

impl Plan {
    /// GitHub is asked as if there were no peers.
    pub(super) const fn of(asking: Asking) -> Self {
        Self {
            asking,
            lease: None,
            told: None,
            candidate_of: None,
        }
    }

    /// The body that GitHub would be asked about.
    fn candidate(&self) -> Option<&Arc<Variant>> {
        match &self.asking {
            Asking::Confirm(candidate, _) => Some(&candidate.variant),
            Asking::Fetch(_) => None,
        }
    }

    fn digest(&self) -> Option<Digest> {
        self.candidate().map(|variant| variant.digest)
    }

    /// GitHub is asked about `variant`, which came from `source`.
    fn take(&mut self, variant: Variant, source: Source) {
        let candidate = Candidate {
            variant: Arc::new(variant),
            validator: Validator::Computed,
        };
        self.asking = Asking::Confirm(candidate, self.asking.why());
        self.candidate_of = Some(source);
    }
}

/// What became of one entry of a peer.
enum Considered {
    Shown(Ended),
    /// It is the candidate, and likely to be right.
    Likely,
    /// It is the candidate, for want of a better one.
    Doubtful,
    /// What is held here is newer.
    Older,
    Left,
}

impl Read {
    /// Asks the peers, if they may have anything to say.
    pub(super) async fn seek(&self, asking: Asking) -> Sought {
        let Some(peers) = self.worth_asking(&asking) else {
            return Sought::Ask(Plan::of(asking));
        };
        // Who waits for this request's answer waits for the peers', too.
        if let Some(leader) = &self.leader {
            leader.seek();
        }
        let sought = self.ask_peers(peers, Plan::of(asking)).await;
        if let Some(leader) = &self.leader {
            leader.board();
        }
        sought
    }

    fn worth_asking(&self, asking: &Asking) -> Option<&Peers> {
        let peers = self.inner.peers.as_ref()?;
        let travels = self.question.operation.reach() != Reach::Nobody;
        // What only this credential can ask about nobody else can help with.
        let is_own = matches!(asking, Asking::Confirm(candidate, _) if candidate.validator != Validator::Computed);
        (travels && (!is_own || self.inner.config.trust == Trust::Swarm)).then_some(peers)
    }

    async fn ask_peers(&self, peers: &Peers, mut plan: Plan) -> Sought {
        let (key, inner) = (self.question.key, &self.inner);
        // What peers gave us to hold is at hand.
        if let Some(held) = peers.held(&key, plan.digest()) {
            match self.consider(peers, &mut plan, &held.offer, (held.from, held.proved_at)) {
                Considered::Shown(ended) => return Sought::Shown(ended),
                Considered::Likely => return Sought::Ask(plan),
                Considered::Doubtful | Considered::Older | Considered::Left => {}
            }
        }
        plan.told = plan.digest();
        for _ in 0..LOOKUPS {
            // The age that a peer tells is counted from before it was asked: then no entry looks younger than it is.
            let before = inner.clock.now();
            let reason = match peers.client.lookup(key, plan.told).await {
                Found::Candidate(offer, source) => {
                    let proved_at = before.minus(source.age.max(offer.age));
                    match self.consider(peers, &mut plan, &offer, (source, proved_at)) {
                        Considered::Shown(ended) => return Sought::Shown(ended),
                        // Whoever has no more than that gives the lease.
                        Considered::Doubtful | Considered::Older => {
                            plan.told = Some(offer.digest());
                            continue;
                        }
                        Considered::Likely | Considered::Left => break,
                    }
                }
                Found::Leased(lease, offer, source) => {
                    let proved_at = before.minus(source.age.max(offer.age));
                    let considered = self.consider(peers, &mut plan, &offer, (source, proved_at));
                    if let Considered::Shown(ended) = considered {
                        return Sought::Shown(ended);
                    }
                    plan.lease = Some(lease);
                    Reason::Lease
                }
                Found::Lease(lease) => {
                    plan.lease = Some(lease);
                    Reason::Lease
                }
                Found::Same => Reason::Waited,
                Found::Nothing(Nothing::Alone) => break,
                Found::Nothing(Nothing::Silence) => Reason::Silence,
                Found::Nothing(Nothing::WaitedInVain) => Reason::WaitedInVain,
                Found::Nothing(Nothing::NotShared) => Reason::NotShared,
            };
            inner.stats.reason(reason.name());
            break;
        }
        Sought::Ask(plan)
    }

    /// Looks at what a peer has; the plan takes it over if it is of use.
    fn consider(
        &self,
        peers: &Peers,
        plan: &mut Plan,
        offer: &Offer,
        (source, proved_at): (Source, Timestamp),
    ) -> Considered {
        let (inner, namespace) = (&self.inner, &self.question.namespace);
        let leave = |reason: Reason| {
            inner.stats.reason(reason.name());
            Considered::Left
        };
        let asked = Asked {
            key: self.question.key,
            operation: self.question.operation,
            target: &self.request.target,
            repository: inner.epochs.id_of(namespace),
        };
        let limit = inner.config.body_limit;
        let found = peers::candidate(offer, source.by_secret, asked, limit, proved_at);
        let candidate = match found {
            Ok(candidate) => candidate,
            Err(reason) => {
                // Nothing that an honest peer has looks like this.
                if reason.is_hostile() {
                    peers.client.judged(source, false);
                }
                return leave(reason);
            }
        };
        let now = inner.clock.now();
        let facts = self.facts(now);
        let kind = self.request.caller.kind;
        let floor = inner.epochs.floor(namespace, now);
        let wishes = request_control(&self.request.head().fields);
        let at = Circumstances {
            known: &facts.known,
            floor,
            wishes: &wishes,
            kind,
            out_of_contact: inner.is_out_of_contact(),
            was_refused: facts.asker.revoked_before > floor.event,
            refuted_before: peers.refuted_before(self.who(), candidate.digest),
            trust: inner.config.trust,
            now,
        };
        let told = Told {
            audience: offer.audience,
            kinds: offer.kinds,
            by_secret: source.by_secret,
        };
        let own = plan.candidate().map(|own| Own {
            validated_at: own.validated_at,
            is_known_to_kind: own.known_to(kind),
        });
        match peers::judge(&candidate, told, own, &at) {
            Use::Show(left) => Considered::Shown(self.show(candidate, left, floor.event)),
            Use::Ask => {
                plan.take(candidate, source);
                Considered::Likely
            }
            Use::AskForAll => {
                plan.take(candidate, source);
                Considered::Doubtful
            }
            Use::Leave(reason) => {
                leave(reason);
                if reason == Reason::CandidateOlder {
                    Considered::Older
                } else {
                    Considered::Left
                }
            }
        }
    }

    /// Shows a public body on a member's word. It counts as asked at the last write before it: a later one, and a refusal
    /// of some caller that came after it, end it for them. It stays in memory alone, since another daemon of this
    /// host may trust GitHub alone.
    fn show(&self, candidate: Variant, left: std::time::Duration, event: u64) -> Ended {
        let inner = &self.inner;
        let proof = Proof {
            asked_at: event,
            at: candidate.validated_at,
            hearsay: true,
        };
        let variant = Variant {
            asked_at: event,
            kinds: self.request.caller.kind.bit(),
            public: Some(proof),
            ..candidate
        };
        let (head, caller) = (self.request.head(), &self.request.caller);
        let cache = hit(left, Tier::Peer);
        let now = inner.clock.now();
        let served = inner.serve(&head, caller, &variant, None, cache, now);
        inner.memory.change(self.question.key, |mut entry: Entry| {
            describe(&mut entry, &head, &self.question);
            entry.with_variant(variant)
        });
        (Answer::Served(served), Outcome::HitPeer)
    }

    /// Tells the owners what GitHub has answered, and whoever brought the candidate what became of it.
    pub(super) fn tell(&self, plan: Plan, (answer, outcome): &Ended) {
        let Some(peers) = &self.inner.peers else {
            return;
        };
        let answered = match (answer, outcome) {
            (Answer::Served(_), Outcome::Revalidated) => self.seen().map(Answered::Confirmed),
            (Answer::Served(_), Outcome::Miss) => self.seen().map(Answered::Body),
            (Answer::Passed { response, .. }, _) if response.status() == StatusCode::OK => {
                Some(Answered::Unshared)
            }
            _ => None,
        };
        let mut brought = None;
        if let Some((source, about)) = plan.candidate_of.zip(plan.digest()) {
            let found = match answered {
                Some(Answered::Confirmed(digest) | Answered::Body(digest)) => Some(digest == about),
                Some(Answered::Unshared) => Some(false),
                None => None,
            };
            if let Some(confirmed) = found {
                brought = confirmed.then_some(source);
                let reason = if confirmed {
                    Reason::CandidateConfirmed
                } else {
                    Reason::CandidateRefuted
                };
                self.inner.stats.reason(reason.name());
                peers.judged(self.who(), (source, about), confirmed);
            }
        }
        let lease = plan.lease.map(|lease| (lease, plan.told));
        self.inner
            .hand_over(self.question.key, answered, lease, brought);
    }

    fn who(&self) -> peers::Who {
        (self.question.key, self.request.caller.id)
    }

    /// The body that this caller was shown last.
    fn seen(&self) -> Option<Digest> {
        let entry = self.inner.memory.peek(&self.question.key)?;
        entry
            .grant(self.request.caller.id)
            .map(|grant| grant.digest)
    }
}
