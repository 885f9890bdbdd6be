use std::sync::{Arc, LazyLock};

use bytes::Bytes;

use super::*;
use crate::api::answer::Shareable;
use crate::api::page::Tail;
use crate::api::{Operation, Vary};
use crate::digest::Digest;
use crate::http_cache::FieldBlock;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);
const HASHED: Scheme = Scheme::Hashed(Vary {
    accept: true,
    authorization: true,
    cookie: true,
});
const KIND: TokenKind = TokenKind::Installation;
static ANYTHING: LazyLock<CacheControl> = LazyLock::new(CacheControl::default);

fn ago(seconds: u64) -> Timestamp {
    NOW.minus(Duration::from_secs(seconds))
}

fn body(seconds_old: u64) -> Variant {
    Variant {
        digest: Digest::of([&b"{}"[..]]),
        body: Bytes::from_static(b"{}"),
        shared: FieldBlock::default(),
        links: None,
        tail: Arc::new(Tail::NotAList),
        scheme: HASHED,
        shareable: Shareable::Everyone,
        origin_lifetime: Duration::from_secs(60),
        validated_at: ago(seconds_old),
        asked_at: 0,
        kinds: 0,
        public: None,
        was_public: false,
    }
}

/// Facts about a repository, kept as GitHub says: for a minute.
fn known() -> Known {
    Known {
        operation: Operation::RepoFacts,
        floor: 0,
        lifetime: None,
        stretch: 1,
        trusted: true,
        repository_public: false,
        grant_ttl: Duration::from_secs(300),
        waited_since: None,
    }
}

fn quiet(known: &Known, trust: Trust) -> Circumstances<'_> {
    Circumstances {
        known,
        floor: Floor {
            event: 0,
            at: Timestamp::EPOCH,
            settling: false,
        },
        wishes: &ANYTHING,
        kind: KIND,
        out_of_contact: false,
        was_refused: false,
        refuted_before: false,
        trust,
        now: NOW,
    }
}

#[test]
fn a_members_word_is_no_younger_than_the_caller_wants_it() {
    let known = known();
    let wants = |value: &str| CacheControl::parse([value.as_bytes()].into_iter());
    for (wishes, shown) in [
        ("max-age=20", true),
        ("max-age=19", false),
        ("max-age=0", false),
        ("min-fresh=41", false),
    ] {
        let at = Circumstances {
            wishes: &wants(wishes),
            ..quiet(&known, Trust::Swarm)
        };
        let is_shown = matches!(judge(&body(20), TOLD, None, &at), Use::Show(_));
        assert_eq!(is_shown, shown, "{wishes}");
    }
}

const TOLD: Told = Told {
    audience: Audience::Public,
    kinds: KIND.bit(),
    by_secret: true,
};

#[test]
fn a_members_word_is_enough_for_what_is_public_and_fresh_if_so_it_was_wanted() {
    let known = known();
    let at = quiet(&known, Trust::Swarm);
    assert_eq!(
        judge(&body(20), TOLD, None, &at),
        Use::Show(Duration::from_secs(40))
    );
    let opaque = Variant {
        scheme: Scheme::Opaque,
        ..body(20)
    };
    assert_eq!(
        judge(&opaque, TOLD, None, &at),
        Use::Show(Duration::from_secs(40))
    );
    assert_eq!(
        judge(&body(20), TOLD, None, &quiet(&known, Trust::Github)),
        Use::Ask
    );
    assert_eq!(
        judge(&opaque, TOLD, None, &quiet(&known, Trust::Github)),
        Use::Leave(Reason::CandidateOpaque)
    );
}

#[test]
fn whatever_is_in_doubt_is_not_shown_on_a_members_word() {
    let known = known();
    let swarm = quiet(&known, Trust::Swarm);
    let stamped = |seconds, settling| Floor {
        event: 7,
        at: ago(seconds),
        settling,
    };
    let told = [
        Told {
            audience: Audience::Repository,
            ..TOLD
        },
        Told {
            by_secret: false,
            ..TOLD
        },
        Told {
            kinds: TokenKind::Anonymous.bit(),
            ..TOLD
        },
    ];
    for told in told {
        assert_eq!(judge(&body(20), told, None, &swarm), Use::Ask, "{told:?}");
    }
    let circumstances = [
        Circumstances {
            out_of_contact: true,
            ..swarm
        },
        Circumstances {
            was_refused: true,
            ..swarm
        },
        Circumstances {
            floor: stamped(20, false),
            ..swarm
        },
        Circumstances {
            floor: stamped(10, false),
            ..swarm
        },
        Circumstances {
            floor: stamped(25, true),
            ..swarm
        },
    ];
    for at in circumstances {
        let used = judge(&body(20), TOLD, None, &at);
        assert!(
            matches!(used, Use::Ask | Use::AskForAll),
            "{at:?}: {used:?}"
        );
    }
}

#[test]
fn what_was_asked_after_the_last_write_and_is_fresh_is_shown() {
    let known = known();
    let swarm = quiet(&known, Trust::Swarm);
    let stamped = |seconds, settling| Floor {
        event: 7,
        at: ago(seconds),
        settling,
    };
    let after = Circumstances {
        floor: stamped(21, false),
        ..swarm
    };
    assert!(
        matches!(judge(&body(20), TOLD, None, &after), Use::Show(_)),
        "asked after the write"
    );
    assert_eq!(
        judge(&body(60), TOLD, None, &swarm),
        Use::AskForAll,
        "its lifetime is over"
    );
    let early = Variant {
        validated_at: NOW.plus(Duration::from_secs(1)),
        ..body(0)
    };
    assert!(
        !matches!(judge(&early, TOLD, None, &swarm), Use::Show(_)),
        "from the future"
    );
}

#[test]
fn no_word_is_believed_for_longer_than_a_grant() {
    let known = Known {
        lifetime: Some(Duration::from_secs(86_400)),
        ..known()
    };
    let at = quiet(&known, Trust::Swarm);
    assert_eq!(
        judge(&body(299), TOLD, None, &at),
        Use::Show(Duration::from_secs(1))
    );
    assert_eq!(judge(&body(300), TOLD, None, &at), Use::Ask);
}

#[test]
fn what_may_be_outdated_is_asked_about_by_one_for_all() {
    let (known, polled) = (
        known(),
        Known {
            operation: Operation::GetWorkflowRun,
            ..known()
        },
    );
    let at = quiet(&known, Trust::Github);
    assert_eq!(judge(&body(59), TOLD, None, &at), Use::Ask);
    assert_eq!(judge(&body(60), TOLD, None, &at), Use::AskForAll);
    assert_eq!(
        judge(&body(6), TOLD, None, &quiet(&polled, Trust::Github)),
        Use::AskForAll
    );
    let floor = Floor {
        event: 7,
        at: ago(5),
        settling: true,
    };
    assert_eq!(
        judge(&body(10), TOLD, None, &Circumstances { floor, ..at }),
        Use::AskForAll
    );
}

#[test]
fn what_is_held_here_gives_way_only_to_what_is_newer_and_for_this_caller() {
    let known = known();
    let at = quiet(&known, Trust::Github);
    let own = |seconds, is_known_to_kind| {
        Some(Own {
            validated_at: ago(seconds),
            is_known_to_kind,
        })
    };
    assert_eq!(
        judge(&body(20), TOLD, own(20, true), &at),
        Use::Leave(Reason::CandidateOlder)
    );
    assert_eq!(judge(&body(20), TOLD, own(21, true), &at), Use::Ask);
    let other = Told {
        kinds: TokenKind::Classic.bit(),
        ..TOLD
    };
    assert_eq!(
        judge(&body(20), other, own(21, true), &at),
        Use::Leave(Reason::CandidateOtherKind)
    );
    assert_eq!(judge(&body(20), other, own(21, false), &at), Use::Ask);
    let again = Circumstances {
        refuted_before: true,
        ..at
    };
    assert_eq!(
        judge(&body(20), TOLD, None, &again),
        Use::Leave(Reason::CandidateRefutedBefore)
    );
}

#[test]
fn where_validators_cannot_be_computed_no_candidate_helps() {
    let known = Known {
        trusted: false,
        ..known()
    };
    let used = judge(&body(20), TOLD, None, &quiet(&known, Trust::Github));
    assert_eq!(used, Use::Leave(Reason::CandidateOpaque));
}
