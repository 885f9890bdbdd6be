//! A write through one runner is never followed by the past through another.

use http::Method;
use serde_json::json;

use crate::house::{House, NEIGHBOURS, Pool};

const ISSUE: &str = "/repos/octo-org/app/issues/1";

async fn change(house: &House, title: &str) {
    let change = json!({ "title": title }).to_string();
    let token = house.job(NEIGHBOURS);
    let written = house
        .send(Method::PATCH, Some(&token), ISSUE, &[], &change)
        .await;
    assert_eq!(written.status, 200, "{written:?}");
}

async fn everybody_sees_it(pool: Pool) {
    let houses = House::in_pool(3, pool).await;
    let tokens: Vec<_> = houses.iter().map(|house| house.job(NEIGHBOURS)).collect();
    for (house, token) in houses.iter().zip(&tokens) {
        house.get(token, ISSUE).await;
        assert!(house.get(token, ISSUE).await.is_hit());
    }
    for (number, writer) in houses.iter().enumerate() {
        let title = format!("changed {number}");
        // Time enough to count as settled, and between two writes.
        writer.wait(std::time::Duration::from_secs(31));
        for (house, token) in houses.iter().zip(&tokens) {
            house.get(token, ISSUE).await;
            assert!(house.get(token, ISSUE).await.is_hit());
        }
        change(writer, &title).await;
        for (house, token) in houses.iter().zip(&tokens) {
            let read = house.get(token, ISSUE).await;
            assert_eq!(read.json()["title"], title, "{}", read.cache());
        }
    }
}

#[tokio::test]
async fn it_is_read_through_every_other_at_once() {
    everybody_sees_it(Pool::secret()).await;
}

#[tokio::test]
async fn where_a_members_word_is_enough_too() {
    everybody_sees_it(Pool::trusting()).await;
}

#[tokio::test]
async fn what_a_git_hook_says_is_heard_by_all() {
    let houses = House::in_pool(2, Pool::secret()).await;
    let (first, second) = (&houses[0], &houses[1]);
    let token = second.job(NEIGHBOURS);
    second.get(&token, ISSUE).await;
    assert!(second.get(&token, ISSUE).await.is_hit());
    first.github.change(|state| {
        state
            .edit_issue(NEIGHBOURS, 1, |issue| issue.title = "pushed".to_owned())
            .unwrap();
    });
    first
        .administer(Method::POST, "/cache/stale", NEIGHBOURS.into())
        .await;
    assert_eq!(second.get(&token, ISSUE).await.json()["title"], "pushed");
}

#[tokio::test]
async fn a_mutation_makes_everything_be_asked_again_everywhere() {
    let houses = House::in_pool(2, Pool::secret()).await;
    let (first, second) = (&houses[0], &houses[1]);
    let token = second.job(NEIGHBOURS);
    second.get(&token, ISSUE).await;
    assert!(second.get(&token, ISSUE).await.is_hit());
    let mutation =
        json!({"query": "mutation { addStar(input: {starrableId: \"x\"}) { clientMutationId } }"});
    let writer = first.job(NEIGHBOURS);
    first
        .send(
            Method::POST,
            Some(&writer),
            "/graphql",
            &[],
            &mutation.to_string(),
        )
        .await;
    assert!(!second.get(&token, ISSUE).await.is_hit());
}
