//! What one runner learns of the budget that all of them spend.

use std::time::Duration;

use tokio::time::timeout;

use crate::house::{House, NEIGHBOURS, Pool};

const REPO: &str = "/repos/octo-org/app";
/// How long answers are shown without asking: much less than a caller's right to see them lasts.
const LIFETIME: Duration = Duration::from_secs(60);

/// A runner that was last told of plenty asks half as often as soon as another one was told of the end.
#[tokio::test]
async fn a_budget_that_is_nearly_used_up_is_told_and_no_other() {
    let mut pool = Pool::secret();
    pool.tiered.lifetimes.all = Some(LIFETIME);
    let houses = House::in_pool(2, pool).await;
    let (first, second) = (&houses[0], &houses[1]);
    let token = second.job(NEIGHBOURS);
    let workflows = format!("{REPO}/actions/workflows");
    let shown_beyond_its_lifetime = async || {
        second.get(&token, &workflows).await;
        second.wait(LIFETIME + LIFETIME / 2);
        second.get(&token, &workflows).await.is_hit()
    };
    assert!(!shown_beyond_its_lifetime().await);
    let ask = async |path: &str| {
        let token = first.job(NEIGHBOURS);
        first.get(&token, &format!("{REPO}/{path}")).await;
    };
    for path in ["issues/1", "issues/2", "labels"] {
        ask(path).await;
    }
    let window = first.github.window(token.bucket(), "core").unwrap();
    let used = window.limit - 20;
    first.github.set_used(token.bucket(), "core", used);
    ask("branches").await;
    let told = async { while second.met("peer-budget").await == 0 {} };
    let told = timeout(Duration::from_secs(20), told).await;
    told.expect("nobody is told");
    assert!(shown_beyond_its_lifetime().await);
    assert_eq!(second.met("peer-budget").await, 1, "plenty is told");
}
