//! What one runner fetched is a candidate for the next.

use std::time::Duration;

use ghswarm_lab::TokenSpec;
use http::Method;

use crate::house::{House, NEIGHBOURS, Pool, Reply};

const REPO: &str = "/repos/octo-org/app";
const CONFIRMED: &str = "ghswarm; fwd=stale; fwd-status=304";

async fn two(pool: Pool) -> [House; 2] {
    let houses = House::in_pool(2, pool).await;
    houses.try_into().ok().unwrap()
}

#[tokio::test]
async fn what_one_runner_fetched_costs_the_next_one_nothing() {
    let [first, second] = two(Pool::secret()).await;
    for path in [
        "/issues/1",
        "/issues/1/comments",
        "/labels",
        "/pulls?per_page=3",
        "/branches",
        "/actions/runs",
        "/actions/workflows/ci.yml/runs?per_page=1",
        "/releases/tags/v0.1.0",
    ] {
        let path = format!("{REPO}{path}");
        let fetched = first.get(&first.job(NEIGHBOURS), &path).await;
        assert_eq!(fetched.status, 200, "{path}");
        // The links of its pages are the repository's number, which this answer tells.
        let token = second.job(NEIGHBOURS);
        second.get(&token, REPO).await;
        first.github.reset_usage();
        let confirmed = second.get(&token, &path).await;
        assert_eq!(confirmed.cache(), CONFIRMED, "{path}");
        assert_eq!(confirmed.body, fetched.body, "{path}");
        let page = |reply: &Reply, house: &House| {
            reply
                .header("link")
                .map(|link| link.replace(house.url(), ""))
        };
        assert_eq!(page(&confirmed, &second), page(&fetched, &first), "{path}");
        assert_eq!(first.usage().total.counted, 0, "{path}");
        assert!(second.get(&token, &path).await.is_hit(), "{path}");
    }
    assert_eq!(second.met("peer-candidate-confirmed").await, 8);
}

#[tokio::test]
async fn who_may_not_see_it_gets_githubs_own_answer_although_a_peer_has_it() {
    let [first, second] = two(Pool::secret()).await;
    let path = "/repos/octo-org/secret/issues";
    assert_eq!(
        first.get(&first.job("octo-org/secret"), path).await.status,
        200
    );
    let stranger = second.github.token(TokenSpec::classic("mallory"));
    for _ in 0..2 {
        let refused = second.get(&stranger, path).await;
        assert_eq!(refused.status, 404, "{refused:?}");
        assert!(!refused.text().contains("octo-org/secret"));
    }
    let reader = second.job("octo-org/secret");
    assert_eq!(second.get(&reader, path).await.cache(), CONFIRMED);
    assert_eq!(second.get(&stranger, path).await.status, 404, "even now");
}

#[tokio::test]
async fn each_viewer_sees_their_own_body() {
    let [first, second] = two(Pool::secret()).await;
    let reader = first
        .github
        .token(TokenSpec::classic("octocat").read(NEIGHBOURS));
    let writer = first
        .github
        .token(TokenSpec::classic("hubot").write(NEIGHBOURS));
    for round in 0..3 {
        for (house, token, pushes) in [
            (&first, &reader, false),
            (&second, &writer, true),
            (&first, &writer, true),
        ] {
            let reply = house.get(token, REPO).await;
            assert_eq!(reply.json()["permissions"]["push"], pushes, "{round}");
        }
        first.wait(Duration::from_secs(3600));
    }
}

#[tokio::test]
async fn a_list_that_has_grown_behind_its_full_last_page_is_seen() {
    let list = "/repos/octo-org/grows/issues?direction=asc&sort=created&per_page=5";
    let [first, second] = two(Pool::secret()).await;
    first.github.change(|state| {
        state.create_repo("octo-org/grows", true).unwrap();
        for number in 0..5 {
            state
                .create_issue("octo-org/grows", &format!("issue {number}"), "")
                .unwrap();
        }
    });
    assert_eq!(
        first
            .get(&first.job("octo-org/grows"), list)
            .await
            .header("link"),
        None
    );
    first.github.change(|state| {
        state
            .create_issue("octo-org/grows", "the sixth", "")
            .unwrap()
    });
    let grown = second.get(&second.job("octo-org/grows"), list).await;
    assert!(
        grown.header("link").unwrap().contains("rel=\"next\""),
        "{grown:?}"
    );
}

#[tokio::test]
async fn a_file_is_fetched_by_each_because_nobody_can_prove_it_for_another() {
    let [first, second] = two(Pool::secret()).await;
    let path = format!("{REPO}/contents/README.md");
    for house in [&first, &second] {
        let reply = house.get(&house.job(NEIGHBOURS), &path).await;
        assert_eq!(
            reply.cache(),
            "ghswarm; fwd=uri-miss; fwd-status=200; stored"
        );
    }
    assert_eq!(first.usage().total.counted, 2);
}

#[tokio::test]
async fn secrets_and_settings_never_leave() {
    let [first, second] = two(Pool::secret()).await;
    let admin = || {
        first
            .github
            .token(TokenSpec::classic("octocat").admin(NEIGHBOURS))
    };
    for path in [
        "/actions/secrets",
        "/actions/variables",
        "/hooks",
        "/collaborators",
        "/environments",
        "/releases",
    ] {
        let path = format!("{REPO}{path}");
        let fetched = first.get(&admin(), &path).await;
        if fetched.status != 200 {
            continue;
        }
        let other = second.get(&admin(), &path).await;
        assert!(
            other.cache().contains("fwd-status=200"),
            "{path}: {}",
            other.cache()
        );
    }
    assert_eq!(
        first.met("peer-given").await + second.met("peer-held").await,
        0
    );
}

#[tokio::test]
async fn tickets_open_what_is_public_and_nothing_else() {
    let [first, second] = two(Pool::tickets()).await;
    let private = format!("{REPO}/labels");
    first.get(&first.job(NEIGHBOURS), &private).await;
    let own = second.get(&second.job(NEIGHBOURS), &private).await;
    assert_eq!(own.cache(), "ghswarm; fwd=uri-miss; fwd-status=200; stored");

    let public = "/repos/octo-org/hello/labels";
    let reader = first.job("octo-org/hello");
    // Says that anybody may read the repository.
    first.get(&reader, "/repos/octo-org/hello").await;
    let fetched = first.get(&reader, public).await;
    let shared = second.get(&second.job("octo-org/hello"), public).await;
    assert_eq!((shared.cache(), &shared.body), (CONFIRMED, &fetched.body));
}

#[tokio::test]
async fn a_runner_that_starts_again_still_gives_what_is_on_its_disk() {
    let pool = Pool {
        disk_limit: Some(64 << 20),
        ..Pool::secret()
    };
    let mut first = House::new().await.next_door(&pool);
    let path = format!("{REPO}/issues/2");
    let fetched = first.get(&first.job(NEIGHBOURS), &path).await;
    first
        .administer(Method::GET, "/cache/list?limit=10", Vec::new())
        .await;
    first.restart();
    let second = first.next_door(&pool);
    second.meets(&first).await;
    second.sees(1).await;
    first.github.reset_usage();
    // What was on disk before the swarm ran is found when the index is made, which the first question begins.
    let mut token = second.job(NEIGHBOURS);
    let mut found = second.get(&token, &format!("{REPO}/issues/3")).await;
    for _ in 0..100 {
        if found.cache() == CONFIRMED {
            break;
        }
        second
            .administer(Method::POST, "/cache/clear", Vec::new())
            .await;
        token = second.job(NEIGHBOURS);
        found = second.get(&token, &path).await;
    }
    assert_eq!((found.cache(), &found.body), (CONFIRMED, &fetched.body));
}
