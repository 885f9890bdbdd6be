//! Many runners that ask the same at once.

use futures_util::future::join_all;

use crate::house::{House, NEIGHBOURS, Pool};

#[tokio::test]
async fn ten_runners_ask_twenty_cold_urls_and_each_is_counted_once() {
    let houses = House::in_pool(10, Pool::secret()).await;
    let paths: Vec<_> = (1..=20)
        .map(|number| format!("/repos/octo-org/app/issues/{number}"))
        .collect();
    let asked = houses.iter().map(async |house| {
        let token = house.job(NEIGHBOURS);
        let replies = paths.iter().map(|path| house.get(&token, path));
        join_all(replies).await
    });
    for (replies, path) in join_all(asked)
        .await
        .iter()
        .flat_map(|replies| replies.iter().zip(&paths))
    {
        assert_eq!(replies.status, 200, "{path}");
    }
    let usage = houses[0].usage();
    println!(
        "{} counted, {} free",
        usage.total.counted, usage.total.free_304
    );
    // One for each, and a tenth more for what a busy machine makes late.
    assert!(
        (20..=22).contains(&usage.total.counted),
        "{} counted calls",
        usage.total.counted
    );
}

/// A body that has changed costs a fleet that polls it one call.
#[tokio::test]
async fn what_changes_is_fetched_once_by_all_who_poll_it() {
    let houses = House::in_pool(5, Pool::secret()).await;
    let path = "/repos/octo-org/app/issues/1";
    let tokens: Vec<_> = houses.iter().map(|house| house.job(NEIGHBOURS)).collect();
    let poll = async || {
        let asked = houses.iter().zip(&tokens);
        join_all(asked.map(|(house, token)| house.get(token, path))).await
    };
    poll().await;
    for round in 0..3 {
        houses[0].github.reset_usage();
        houses[0].github.change(|state| {
            state
                .edit_issue(NEIGHBOURS, 1, |issue| {
                    issue.title = format!("round {round}");
                })
                .unwrap();
        });
        // Longer than any seal lasts: what is on its way comes with one that is over.
        houses[0].wait(std::time::Duration::from_hours(1));
        for reply in poll().await {
            assert_eq!(reply.json()["title"], format!("round {round}"));
        }
        let counted = houses[0].usage().total.counted;
        // Without the swarm it would be five.
        assert_eq!(counted, 1, "counted calls in round {round}");
    }
}
