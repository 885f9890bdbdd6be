//! `cache warm`.

use ghswarm::files::write_atomic;
use ghswarm_lab::Missing;

use crate::cli::{Ran, Sandbox};

#[tokio::test]
async fn what_was_warmed_is_a_hit_and_the_cost_is_told() {
    let sandbox = Sandbox::new().await;
    let without = sandbox.run(["cache", "warm", "user"]).await;
    assert!(
        without.code == 1 && without.stderr.contains("ghswarm start"),
        "{}",
        without.stderr
    );
    sandbox.start().await;
    let list = b"# what the job will need\nrepos/octo-org/hello\n\n  users/octocat  \n";
    write_atomic(&sandbox.home().join("paths"), list).unwrap();
    let warm = [
        "cache",
        "warm",
        "--format",
        "json",
        "--from",
        "paths",
        "repos/octo-org/hello/labels",
    ];
    let cold = sandbox.run(warm).await.ok().json();
    assert_eq!(
        (&cold["misses"], &cold["requests"], &cold["hits"]),
        (&3.into(), &3.into(), &0.into()),
        "{cold}"
    );
    let again = sandbox.run(warm).await.ok().json();
    assert_eq!(
        (&again["hits"], &again["misses"]),
        (&3.into(), &0.into()),
        "{again}"
    );
    let used = sandbox.run(["api", "-i", "users/octocat"]).await.ok();
    assert!(
        used.text().contains("Cache-Status: ghswarm; hit; "),
        "{}",
        used.text()
    );
}

#[tokio::test]
async fn pages_are_followed_and_failures_do_not_stop_the_rest() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    sandbox
        .github
        .change(|state| {
            for number in 0..5 {
                state.create_issue("octo-org/hello", &format!("issue {number}"), "body")?;
            }
            Ok::<_, Missing>(())
        })
        .unwrap();
    let issues = "repos/octo-org/hello/issues?per_page=2&state=all";
    let paths = format!("repos/octo-org/nowhere\n{issues}\ngraphql\nhttps://other.example/x y\n");
    let warm = [
        "cache",
        "warm",
        "--paginate",
        "--format",
        "json",
        "--from",
        "-",
    ];
    let said = sandbox.feed(&warm, paths.as_bytes()).await;
    assert_eq!(said.code, 1);
    let said = said.json();
    assert!(said["misses"].as_u64().unwrap() >= 3, "{said}");
    let failed: Vec<_> = said["failed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["path"].as_str().unwrap())
        .collect();
    assert!(
        failed.contains(&"repos/octo-org/nowhere") && failed.contains(&"graphql"),
        "{said}"
    );
    let again = ["cache", "warm", "--paginate", "--format", "json", issues];
    let next = sandbox.run(again).await.ok().json();
    let held = next["hits"].as_u64().zip(next["revalidated"].as_u64());
    // The second page is read by the repository's number. If the refusal came while it was on its way, it could be
    // that repository which was refused, so GitHub is asked once more.
    assert_eq!(
        (
            held.map(|(hits, revalidated)| hits + revalidated),
            &next["misses"]
        ),
        (said["misses"].as_u64(), &0.into()),
        "every page: {next}"
    );
    let last = sandbox.run(again).await.ok().json();
    assert_eq!(last["hits"], said["misses"], "every page: {last}");
}

#[tokio::test]
async fn without_a_token_nothing_is_asked() {
    let sandbox = Sandbox::new().await;
    sandbox.start().await;
    let mut warm = sandbox.command(["cache", "warm", "user"]);
    let refused = Ran::from(warm.env_remove("GH_TOKEN").output().await.unwrap());
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert_eq!(sandbox.run(["cache", "warm"]).await.code, 2);
}
