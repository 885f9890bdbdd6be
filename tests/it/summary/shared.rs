//! Two jobs that share: what came of it, and the goodbye.

use super::stage::{FINISH, Neighbour, START, Stage};

/// Until the daemon is connected with the other one, or is not any more.
const MET: &str =
    r#"until "$P" peers list --format json | grep -q '"standing": "connected"'; do :; done"#;
const PARTED: &str =
    r#"while "$P" peers list --format json | grep -q '"standing": "connected"'; do :; done"#;

#[tokio::test]
async fn the_summary_says_what_came_from_peers_what_was_kept_from_them_and_takes_leave() {
    let mut first = Stage::new().await;
    let mut second = Neighbour::of(&first);
    first.fine(START).await;
    // As the official cache action does.
    let record = first.path("workspace/.ghswarm/peers/record");
    let place = second.path("workspace/.ghswarm/peers");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::copy(record, place.join("record")).unwrap();
    second.fine("chmod -R go= .ghswarm").await;
    second.fine(START).await;
    second.fine(MET).await;
    first.fine(MET).await;

    // The first of these says that the repository is public.
    for target in ["hello", "hello/labels", "app/issues/1"] {
        let ask = format!(r#""$P" api repos/octo-org/{target} >/dev/null"#);
        first.fine(&ask).await;
    }
    second
        .fine(r#""$P" api repos/octo-org/hello/labels >/dev/null"#)
        .await;

    let left = first.fine(FINISH).await;
    assert!(
        left.summary.contains("1 connected of 1 known"),
        "{}",
        left.summary
    );
    assert!(
        left.summary.contains("### Not shared with peers"),
        "{}",
        left.summary
    );
    assert!(left.summary.contains("`pool-secret`"), "{}", left.summary);
    second.fine(PARTED).await;
    let last = second.fine(FINISH).await;
    assert!(
        last.summary
            .contains("Answers of peers: 1 confirmed by GitHub for free"),
        "{}",
        last.summary
    );
    assert!(
        last.summary.contains("Pool `octo-org/app`"),
        "{}",
        last.summary
    );
}
