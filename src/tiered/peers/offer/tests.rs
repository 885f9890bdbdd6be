use super::*;
use crate::api::Vary;
use crate::api::key;
use crate::api::page::Links;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);
const VARY: Vary = Vary {
    accept: true,
    authorization: true,
    cookie: true,
};
const LIST: &str = "/repos/o/r/issues?per_page=2";

fn ours() -> Variant {
    Variant {
        digest: Digest::of([&b"{}"[..]]),
        body: Bytes::from_static(b"{}"),
        shared: FieldBlock::from_pairs([("content-type", &b"application/json; charset=utf-8"[..])]),
        links: None,
        tail: Arc::new(Tail::NotAList),
        scheme: Scheme::Hashed(VARY),
        shareable: Shareable::Everyone,
        origin_lifetime: Duration::from_secs(60),
        validated_at: NOW.minus(Duration::from_secs(10)),
        asked_at: 5,
        kinds: 1,
        public: None,
        was_public: false,
    }
}

fn about(operation: Operation, target: &str) -> About {
    About {
        host: "api.github.com".into(),
        operation,
        namespace: Namespace::of(target),
        target: target.into(),
    }
}

fn key() -> Key {
    key::named("test", b"k")
}

fn theirs(body: &str) -> Offer {
    Offer {
        key: key(),
        body: Bytes::copy_from_slice(body.as_bytes()),
        content_type: Some("application/json; charset=utf-8".to_owned()),
        api_version: Some("2022-11-28".to_owned()),
        links: None,
        vary: Some(VARY),
        audience: Audience::Repository,
        age: Duration::ZERO,
        origin_lifetime: Duration::from_secs(60),
        kinds: 1,
    }
}

fn judged(offer: &Offer, by_secret: bool) -> Result<Variant, Reason> {
    let asked = Asked {
        key: key(),
        operation: Operation::Issues,
        target: LIST,
        repository: Some(7),
    };
    candidate(offer, by_secret, asked, 1 << 20, NOW)
}

/// Terms for a member, of what is public if it says so.
fn terms() -> Terms {
    Terms {
        coverage: Coverage::Repository,
        trust: Trust::Github,
        floor: 0,
        is_public_now: true,
        now: NOW,
    }
}

fn given(operation: Operation, target: &str, variant: &Variant, terms: Terms) -> Option<Audience> {
    let offer = of(key(), &about(operation, target), variant, &terms);
    offer.map(|offer| offer.audience)
}

#[test]
fn what_a_peer_said_is_passed_on_as_nobodys_own() {
    let told = Variant {
        public: Some(crate::store::Proof {
            asked_at: 5,
            at: NOW,
            hearsay: true,
        }),
        was_public: true,
        ..ours()
    };
    let issue = "/repos/o/r/issues/1";
    assert_eq!(given(Operation::Issues, issue, &told, terms()), None);
}

#[test]
fn what_an_author_or_an_administrator_alone_is_shown_stays() {
    let info = Variant {
        body: Bytes::from_static(br#"{"security_and_analysis":{"secret_scanning":{}}}"#),
        ..ours()
    };
    let reviews = "/repos/o/r/pulls/1/reviews";
    assert_eq!(given(Operation::Pulls, reviews, &ours(), terms()), None);
    let at = |variant| given(Operation::GetRepoInfo, "/repos/o/r", variant, terms());
    assert_eq!(at(&info), None);
    assert_eq!(at(&ours()), Some(Audience::Repository));
    let public = Variant {
        was_public: true,
        ..ours()
    };
    let given = given(Operation::Pulls, reviews, &public, terms());
    assert_eq!(given, Some(Audience::Public));
}

#[test]
fn only_what_every_reader_may_read_leaves_and_what_is_public() {
    let of = |operation, target, variant: &Variant| given(operation, target, variant, terms());
    let issue = "/repos/o/r/issues/1";
    let public = Variant {
        was_public: true,
        ..ours()
    };
    assert_eq!(
        of(Operation::Issues, issue, &ours()),
        Some(Audience::Repository)
    );
    assert_eq!(
        of(Operation::Issues, "/repositories/7/issues", &ours()),
        Some(Audience::Repository)
    );
    assert_eq!(
        of(Operation::Issues, issue, &public),
        Some(Audience::Public)
    );
    assert_eq!(of(Operation::User, "/users/octocat", &ours()), None);
    assert_eq!(
        of(Operation::User, "/users/octocat", &public),
        Some(Audience::Public)
    );
    for (operation, target) in [
        (Operation::Secrets, "/repos/o/r/actions/secrets"),
        (Operation::Viewer, "/user"),
        (Operation::GraphqlQuery, "/graphql"),
    ] {
        assert_eq!(of(operation, target, &public), None, "{target}");
    }
    // Of no single repository.
    assert_eq!(of(Operation::Issues, "/issues", &ours()), None);
    let ticket = Terms {
        coverage: Coverage::Public,
        ..terms()
    };
    assert_eq!(given(Operation::Issues, issue, &ours(), ticket), None);
    assert_eq!(
        given(Operation::Issues, issue, &public, ticket),
        Some(Audience::Public)
    );
}

#[test]
fn what_stays_has_a_reason_that_people_can_do_something_about() {
    let issue = (Operation::Issues, "/repos/o/r/issues/1");
    let why = |(operation, target), variant: &Variant, coverage| {
        let terms = Terms {
            coverage,
            ..terms()
        };
        kept(&about(operation, target), variant, &terms)
    };
    let (ticket, secret) = (Coverage::Public, Coverage::Repository);
    assert_eq!(why(issue, &ours(), ticket), Some(Kept::OfReaders));
    assert_eq!(why(issue, &ours(), secret), None);
    let viewer = (Operation::Viewer, "/user");
    assert_eq!(why(viewer, &ours(), secret), Some(Kept::OfCaller));
    let list = (Operation::ListRepos, "/user/repos");
    assert_eq!(why(list, &ours(), secret), Some(Kept::OfCaller));
    let opaque = Variant {
        scheme: Scheme::Opaque,
        ..ours()
    };
    assert_eq!(why(issue, &opaque, secret), Some(Kept::Unprovable));
    let own = Variant {
        shareable: Shareable::OnlyReceiver,
        ..ours()
    };
    assert_eq!(why(issue, &own, secret), Some(Kept::MadeForOne));
    let imported = Variant { kinds: 0, ..ours() };
    assert_eq!(why(issue, &imported, secret), Some(Kept::NotOurs));
}

#[test]
fn what_was_made_for_one_caller_or_not_said_to_us_stays() {
    let github =
        |variant: &Variant| given(Operation::Issues, "/repos/o/r/issues", variant, terms());
    let swarm = |variant: &Variant| {
        let terms = Terms {
            trust: Trust::Swarm,
            ..terms()
        };
        given(Operation::Issues, "/repos/o/r/issues", variant, terms)
    };
    let public = Variant {
        was_public: true,
        ..ours()
    };
    let own = Variant {
        shareable: Shareable::OnlyReceiver,
        ..public.clone()
    };
    assert_eq!(github(&own), None);
    let imported = Variant {
        kinds: 0,
        ..public.clone()
    };
    assert_eq!(github(&imported), None);
    let opaque = Variant {
        scheme: Scheme::Opaque,
        ..ours()
    };
    assert_eq!(swarm(&opaque), None);
    let public = Variant {
        was_public: true,
        ..opaque
    };
    assert_eq!(github(&public), None, "nobody could ask about it");
    assert_eq!(swarm(&public), Some(Audience::Public));
}

#[test]
fn the_past_of_a_write_is_never_offered_as_young() {
    let place = about(Operation::Issues, "/repos/o/r/issues");
    let age = |floor, now| {
        let terms = Terms {
            floor,
            now,
            ..terms()
        };
        of(key(), &place, &ours(), &terms).unwrap().age
    };
    assert_eq!(age(5, NOW), Duration::from_secs(10));
    assert_eq!(age(6, NOW), AGED);
    let before = NOW.minus(Duration::from_secs(11));
    assert_eq!(age(5, before), AGED, "the clock went back");
}

#[test]
fn what_once_was_public_passes_for_it_no_longer_than_it_was_proven() {
    let place = about(Operation::Labels, "/repos/o/r/labels");
    let public = Variant {
        was_public: true,
        ..ours()
    };
    let offered = |coverage| {
        let terms = Terms {
            coverage,
            is_public_now: false,
            ..terms()
        };
        let offer = of(key(), &place, &public, &terms).unwrap();
        (offer.audience, offer.age)
    };
    assert_eq!(
        offered(Coverage::Repository),
        (Audience::Repository, Duration::from_secs(10))
    );
    assert_eq!(offered(Coverage::Public), (Audience::Public, AGED));
}

#[test]
fn what_leaves_arrives_as_a_candidate_and_nothing_more() {
    let place = about(Operation::Issues, "/repos/o/r/issues");
    let offer = of(key(), &place, &ours(), &terms()).unwrap();
    let arrived = judged(&offer, false).unwrap();
    assert_eq!(
        (arrived.digest, arrived.scheme),
        (ours().digest, ours().scheme)
    );
    assert_eq!(
        (arrived.kinds, arrived.asked_at, arrived.public),
        (0, 0, None)
    );
    assert!(!arrived.was_public);
}

#[test]
fn fields_that_a_304_does_not_confirm_are_held_to_what_cannot_mislead() {
    let refused = |offer: Offer| judged(&offer, true).map(drop);
    for kind in [
        "text/html",
        "application/vnd.github.raw",
        "application/json; x=1",
        "",
    ] {
        let offer = Offer {
            content_type: Some(kind.to_owned()),
            ..theirs("[]")
        };
        assert_eq!(refused(offer), Err(Reason::CandidateFields), "{kind}");
    }
    assert_eq!(
        refused(Offer {
            content_type: None,
            ..theirs("[]")
        }),
        Err(Reason::CandidateFields)
    );
    assert_eq!(
        refused(Offer {
            api_version: Some("x".repeat(10)),
            ..theirs("[]")
        }),
        Err(Reason::CandidateFields)
    );
    let token = r#"{"temp_clone_token":"AAAA"}"#;
    assert_eq!(refused(theirs(token)), Err(Reason::CandidateNotShareable));
    let other = Offer {
        key: key::named("test", b"other"),
        ..theirs("[]")
    };
    assert_eq!(refused(other), Err(Reason::CandidateOtherKey));
    assert_eq!(
        refused(theirs(&format!("[{}]", " ".repeat(1 << 20)))),
        Err(Reason::CandidateTooLarge)
    );
    let long = Offer {
        origin_lifetime: Duration::from_secs(1 << 40),
        ..theirs("[]")
    };
    assert_eq!(
        judged(&long, true).unwrap().origin_lifetime,
        ORIGIN_LIFETIME
    );
}

fn linked(body: &str, links: &[(&str, &str)]) -> Offer {
    let links: Vec<_> = links
        .iter()
        .map(|(rel, target)| Link {
            target: (*target).to_owned(),
            rel: vec![(*rel).to_owned()],
            parameters: Vec::new(),
        })
        .collect();
    Offer {
        links: Some(Links::from(links)),
        ..theirs(body)
    }
}

#[test]
fn links_are_taken_from_who_knows_the_secret_and_lead_to_pages_of_this_list() {
    let full = r#"[{"id":1},{"id":2}]"#;
    let good = linked(
        full,
        &[
            ("next", "/repositories/7/issues?per_page=2&page=2"),
            ("last", "/repositories/7/issues?per_page=2&page=9"),
        ],
    );
    assert!(judged(&good, true).is_ok());
    assert_eq!(judged(&good, false).map(drop), Err(Reason::CandidateLinks));
    let named = linked(full, &[("next", "/repos/o/r/issues?page=2&per_page=2")]);
    assert!(judged(&named, true).is_ok());
    for (rel, target) in [
        (
            "next",
            "https://evil.example/repos/o/r/issues?per_page=2&page=2",
        ),
        (
            "next",
            "//evil.example/repositories/7/issues?per_page=2&page=2",
        ),
        ("next", "/repositories/8/issues?per_page=2&page=2"),
        ("next", "/repositories/7/pulls?per_page=2&page=2"),
        ("next", "/repos/o/other/issues?per_page=2&page=2"),
        ("next", "/repositories/7/../8/issues?per_page=2&page=2"),
        ("next", "/repositories/7/issues?per_page=2&page=3"),
        ("next", "/repositories/7/issues?per_page=2&page=2&page=3"),
        ("next", "/repositories/7/issues?per_page=3&page=2"),
        ("next", "/repositories/7/issues?per_page=2&page=2&state=all"),
        ("next", "/repositories/7/issues?per_page=2&after=xyz"),
        ("next", "/repositories/7/issues?per_page=2"),
        ("last", "/repositories/7/issues?per_page=2&page=1"),
        ("prev", "/repositories/7/issues?per_page=2&page=1"),
        ("deprecation", "/repositories/7/issues?per_page=2&page=2"),
    ] {
        let found = judged(&linked(full, &[(rel, target)]), true).map(drop);
        assert_eq!(found, Err(Reason::CandidateLinks), "{rel} {target}");
    }
    let short = linked(
        "[{}]",
        &[("next", "/repositories/7/issues?per_page=2&page=2")],
    );
    assert_eq!(
        judged(&short, true).map(drop),
        Err(Reason::CandidateLinks),
        "the page is not full"
    );
    assert_eq!(
        judged(&linked(full, &[]), true).map(drop),
        Err(Reason::CandidateLinks)
    );
}

#[test]
fn a_workflow_is_the_one_whose_number_its_runs_tell() {
    let judged = |name: &str, body: &str| {
        let target = format!("/repos/o/r/actions/workflows/{name}/runs?per_page=1");
        let next = "/repositories/7/actions/workflows/41/runs?per_page=1&page=2";
        let asked = Asked {
            key: key(),
            operation: Operation::GetWorkflowRuns,
            target: &target,
            repository: Some(7),
        };
        candidate(&linked(body, &[("next", next)]), true, asked, 1 << 20, NOW).map(drop)
    };
    let runs = |id: u32| format!(r#"{{"total_count":9,"workflow_runs":[{{"workflow_id":{id}}}]}}"#);
    assert_eq!(judged("ci.yml", &runs(41)), Ok(()));
    assert_eq!(judged("41", &runs(41)), Ok(()));
    for (name, body) in [
        ("ci.yml", runs(42)),
        ("42", runs(41)),
        ("42", runs(42)),
        (
            "ci.yml",
            r#"{"total_count":9,"workflow_runs":[{"id":1}]}"#.to_owned(),
        ),
    ] {
        let found = judged(name, &body);
        assert_eq!(found, Err(Reason::CandidateLinks), "{name} {body}");
    }
}

#[test]
fn the_end_of_a_list_is_judged_for_the_page_size_that_was_asked_for() {
    let full = judged(&theirs(r#"[{"id":1},{"id":2}]"#), true).unwrap();
    assert!(matches!(*full.tail, Tail::Full { probe: Some(_) }));
    let partial = judged(&theirs(r#"[{"id":1}]"#), true).unwrap();
    assert_eq!(*partial.tail, Tail::Partial);
}
