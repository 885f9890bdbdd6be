//! What the summary says is what GitHub counted.

use super::stage::{FINISH, START, Stage, read};

/// Five times the same three repositories.
const ASK: &str = r#"for time in 1 2 3 4 5; do
    for name in hello app secret; do "$P" api "repos/octo-org/$name" >/dev/null; done
done"#;
/// Until the daemon has written down that it answered so many requests.
const WRITTEN: &str = r#"until grep -q '"requests":15,' "$RUNNER_TEMP/ghswarm/counters.json"; do "$P" stats >/dev/null; done"#;

#[tokio::test]
async fn the_summary_has_the_numbers_of_github_and_the_log_has_them_by_their_old_names() {
    let mut stage = Stage::new().await;
    stage.fine(START).await;
    stage.fine(ASK).await;
    let usage = stage.github.usage().total;
    assert_eq!((usage.requests, usage.counted), (3, 3));
    let ended = stage.fine(FINISH).await;
    let page = &ended.summary;
    for word in [
        "## ghswarm\n\n**12 GitHub API calls saved: GitHub counted 3 where it would have counted 15 (80.0 % fewer).**",
        "```mermaid\npie showData\n",
        "| from memory | 12 | 80.0 % |",
        "| fetched | 3 | 20.0 % |",
        "### Budget left",
        "| `get_repo_info` | 15 | 12 | 80.0 % |",
    ] {
        assert!(page.contains(word), "no {word:?} in\n{page}");
    }
    // On a runner of GitHub, which this job says it is.
    assert!(page.contains("`cache: true` carries"), "{page}");
    for line in [
        "ghswarm: 12 GitHub API calls saved",
        "Total requests: 15",
        "Cache hits: 12",
        "Cache misses: 3",
        "Peer hits: 0",
        "Hit rate: 80.0 %",
        "API calls saved: 12",
        "Connected peers: 0",
    ] {
        let found = ended.log.lines().filter(|shown| shown.starts_with(line));
        assert_eq!(found.count(), 1, "{line}\n{}", ended.log);
    }
}

#[tokio::test]
async fn a_second_finish_says_the_same_and_adds_no_second_page() {
    let mut stage = Stage::new().await;
    stage.fine(START).await;
    stage.fine(ASK).await;
    let json = r#""$P" job finish --format json > first.json"#;
    let first = stage.fine(json).await;
    assert!(
        first.summary.contains("12 GitHub API calls saved"),
        "{}",
        first.summary
    );
    let second = stage.fine(&json.replace("first", "second")).await;
    assert_eq!(second.summary, "");
    let read = |name: &str| read(&stage.path("workspace").join(name));
    let (first, second) = (read("first.json"), read("second.json"));
    assert_eq!(first["saved_calls"], 12);
    assert_eq!(first["summary"]["calls"]["without_cache"], 15);
    assert_eq!(
        first["origin"]["requests"],
        stage.github.usage().total.requests
    );
    assert_eq!(first, second);
    let third = stage.fine(FINISH).await;
    assert_eq!(
        (third.summary.as_str(), third.log.lines().count()),
        ("", 1),
        "{}",
        third.log
    );
}

#[tokio::test]
async fn a_daemon_that_died_has_not_counted_for_nothing() {
    let mut stage = Stage::new().await;
    stage.fine(START).await;
    stage.fine(ASK).await;
    stage.fine(WRITTEN).await;
    stage.kill(&["pid"]).await;
    // The next one has them on disk.
    stage.fine(ASK).await;
    let ended = stage.fine(FINISH).await;
    let page = &ended.summary;
    let counted = stage.github.usage().total.counted;
    assert!(counted < 6, "{counted}");
    let sum = format!("GitHub counted {counted} where it would have counted 30 ");
    assert!(page.contains(&sum), "no {sum:?}\n{page}");
    assert!(
        page.contains("| the daemon died and was started again at once |"),
        "{page}"
    );
}

#[tokio::test]
async fn a_summary_that_cannot_be_written_stands_in_the_log() {
    let mut stage = Stage::new().await;
    stage.fine(START).await;
    stage.fine(ASK).await;
    let elsewhere = r#"GITHUB_STEP_SUMMARY=/nowhere/summary "$P" job finish"#;
    let ended = stage.fine(elsewhere).await;
    assert_eq!(ended.summary, "");
    for word in [
        "\n## ghswarm\n",
        "the summary stands here",
        "| from memory | 12 |",
    ] {
        assert!(ended.log.contains(word), "no {word:?}\n{}", ended.log);
    }
}

#[tokio::test]
async fn a_job_without_a_daemon_is_told_so_once() {
    let mut stage = Stage::new().await;
    for strict in ["false", "true"] {
        let script = format!("GHSWARM_STRICT={strict} {FINISH}");
        let ended = stage.fine(&script).await;
        assert_eq!(
            (ended.summary.as_str(), ended.log.lines().count()),
            ("", 1),
            "{}",
            ended.log
        );
        assert!(ended.log.contains("there is no daemon"), "{}", ended.log);
    }
    let json = r#""$P" job finish --format json > out.json; test ! -s out.json"#;
    stage.fine(json).await;
}
