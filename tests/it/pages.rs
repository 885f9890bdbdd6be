//! Lists over several pages, and lists that grow: a 304 does not tell of a new page.

use std::time::Duration;

use crate::house::House;

const LIST: &str = "/repos/octo-org/grows/issues?direction=asc&sort=created&per_page=5";

async fn house_with_issues(count: usize) -> House {
    let house = House::new().await;
    house.github.change(|state| {
        state.create_repo("octo-org/grows", true).unwrap();
        for number in 0..count {
            state
                .create_issue("octo-org/grows", &format!("issue {number}"), "")
                .unwrap();
        }
    });
    house
}

#[tokio::test]
async fn a_new_item_behind_a_full_last_page_is_seen() {
    let house = house_with_issues(5).await;
    let first = house.job("octo-org/grows");
    assert_eq!(house.get(&first, LIST).await.header("link"), None);
    house.github.change(|state| {
        state
            .create_issue("octo-org/grows", "the sixth", "")
            .unwrap()
    });
    house.wait(Duration::from_secs(3600));
    for token in [first, house.job("octo-org/grows")] {
        let list = house.get(&token, LIST).await;
        assert!(
            list.header("link").unwrap().contains("rel=\"next\""),
            "{list:?}"
        );
    }
}

#[tokio::test]
async fn a_full_last_page_that_did_not_grow_stays_free() {
    let house = house_with_issues(5).await;
    house.get(&house.job("octo-org/grows"), LIST).await;
    house.github.reset_usage();
    for _ in 0..3 {
        let list = house.get(&house.job("octo-org/grows"), LIST).await;
        assert_eq!(list.cache(), "ghswarm; fwd=stale; fwd-status=304");
        house.wait(Duration::from_secs(3600));
    }
    let usage = house.usage();
    assert_eq!(
        (usage.total.counted, usage.total.free_304),
        (0, 6),
        "the page and the one behind it"
    );
}

#[tokio::test]
async fn pages_are_followed_by_number_through_the_links_of_another_job() {
    let house = house_with_issues(12).await;
    let walk = async |token| {
        let mut titles = Vec::new();
        let mut next = Some(LIST.to_owned());
        while let Some(path) = next {
            let page = house.get(&token, &path).await;
            titles.extend(
                page.json()
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|issue| issue["title"].clone()),
            );
            let links = page.header("link").unwrap_or_default().to_owned();
            next = links
                .split(", ")
                .find(|link| link.ends_with("rel=\"next\""))
                .map(|link| {
                    link.split(['<', '>'])
                        .nth(1)
                        .unwrap()
                        .strip_prefix(house.url())
                        .unwrap()
                        .to_owned()
                });
        }
        titles
    };
    let first = walk(house.job("octo-org/grows")).await;
    house.github.reset_usage();
    let second = walk(house.job("octo-org/grows")).await;
    assert_eq!((first.len(), house.usage().total.counted), (12, 0));
    assert_eq!(first, second);
}
