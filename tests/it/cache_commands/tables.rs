//! `cache list` on terminals of any width.

use crate::cli::{Ran, Sandbox};

#[tokio::test]
async fn the_list_fits_the_terminal_and_json_has_everything() {
    let sandbox = Sandbox::new().await;
    let without = sandbox.run(["cache", "list"]).await;
    assert!(
        without.code == 1 && without.stderr.contains("ghswarm start"),
        "{}",
        without.stderr
    );
    sandbox.start().await;
    let long = format!("日本語\u{1b}[2J\n{}", "k".repeat(500));
    sandbox.run(["cache", "put", &long, "x"]).await.ok();
    sandbox
        .feed(&["cache", "put", "large", "-"], &vec![b'x'; 3 << 20])
        .await
        .ok();
    for columns in ["40", "80", "200", ""] {
        let mut list = sandbox.command(["cache", "list"]);
        let list = Ran::from(list.env("COLUMNS", columns).output().await.unwrap()).ok();
        let width = columns.parse().unwrap_or(100);
        assert_eq!(list.text().lines().count(), 3, "{}", list.text());
        // Three letters of the key are two columns wide.
        assert!(
            list.text()
                .lines()
                .all(|line| line.chars().count() <= width),
            "{}",
            list.text()
        );
        assert!(!list.text().contains('\u{1b}'), "{}", list.text());
        if width >= 80 {
            assert!(
                list.text().contains("3.0 MiB") && list.text().contains('…'),
                "{}",
                list.text()
            );
        }
    }
    let rows = sandbox
        .run(["cache", "list", "--format", "json"])
        .await
        .ok()
        .json();
    assert_eq!(
        (&rows[0]["bytes"], &rows[1]["label"]),
        (&(3 << 20).into(), &long.as_str().into())
    );
}
