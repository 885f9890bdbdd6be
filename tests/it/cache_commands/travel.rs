//! What a snapshot is good for: another machine, another token, and GitHub's word for everything.

use std::path::PathBuf;

use ghswarm::store::Slot;
use ghswarm::store::snapshot::Writer;
use ghswarm::time::Timestamp;
use ghswarm_lab::{Missing, Token, TokenSpec};

use super::shelf::{answer, key_of};
use crate::cli::{Ran, Sandbox};

/// A second machine of the same fleet: other directories, another token.
struct Elsewhere<'a> {
    home: &'a Sandbox,
    token: Token,
}

impl<'a> Elsewhere<'a> {
    fn new(home: &'a Sandbox) -> Self {
        Self::with(home, TokenSpec::job("octo-org/hello"))
    }

    fn with(home: &'a Sandbox, token: TokenSpec) -> Self {
        let token = home.github.token(token);
        Self { home, token }
    }

    fn dir(&self) -> PathBuf {
        self.home.home().join("elsewhere")
    }

    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.home.command(arguments);
        command
            .env("GHSWARM_STATE_DIR", self.dir().join("state"))
            .env("GHSWARM_CACHE_DIR", self.dir().join("cache"))
            .env("GH_TOKEN", self.token.value())
            .env("SECRET", "0123456789abcdef0123456789abcdef");
        command.output().await.unwrap().into()
    }

    /// Status and headers of an answer, its `Cache-Status`, and its body.
    async fn asks(&self, path: &str) -> (String, String, String) {
        let answer = self.run(&["api", "-i", path]).await;
        let (head, body) = answer.text().split_once("\r\n\r\n").unwrap();
        let cache = head
            .lines()
            .find_map(|line| line.strip_prefix("Cache-Status: "));
        (
            head.to_owned(),
            cache.unwrap_or_default().to_owned(),
            body.to_owned(),
        )
    }
}

/// The first machine asks for `paths`, and what it knows then is imported elsewhere.
async fn moved(home: &Sandbox, elsewhere: &Elsewhere<'_>, paths: &[&str]) {
    home.start().await;
    for path in paths {
        home.run(["api", path]).await.ok();
    }
    home.run(["stop"]).await.ok();
    let mut export = home.command(["cache", "export", "snapshot", "--secret-env", "SECRET"]);
    export.env("SECRET", "0123456789abcdef0123456789abcdef");
    Ran::from(export.output().await.unwrap()).ok();
    let import = ["cache", "import", "snapshot", "--secret-env", "SECRET"];
    elsewhere.run(&import).await.ok();
    elsewhere.run(&["start"]).await.ok();
}

#[tokio::test]
async fn another_machine_asks_for_free_and_counts_nothing() {
    let home = Sandbox::new().await;
    let elsewhere = Elsewhere::new(&home);
    let paths = [
        "repos/octo-org/hello/labels",
        "repos/octo-org/hello/issues?state=all",
    ];
    moved(&home, &elsewhere, &paths).await;
    for path in paths {
        let (head, cache, _) = elsewhere.asks(path).await;
        assert!(
            cache.contains("fwd=stale; fwd-status=304"),
            "{path}: {head}"
        );
        assert!(
            head.contains("Content-Type: application/json; charset=utf-8"),
            "{head}"
        );
        let (_, cache, _) = elsewhere.asks(path).await;
        assert!(cache.starts_with("ghswarm; hit; "), "{cache}");
    }
    elsewhere.run(&["stop"]).await.ok();
}

#[tokio::test]
async fn what_a_token_may_not_see_it_is_not_shown() {
    let home = Sandbox::new().await;
    let private = "repos/octo-org/secret/labels";
    let elsewhere = Elsewhere::new(&home);
    moved(&home, &elsewhere, &[private]).await;
    let (head, _, _) = elsewhere.asks(private).await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    elsewhere.run(&["stop"]).await.ok();
}

/// A public snapshot with `body` for `asked`, which says that it was the answer to `labelled`.
fn forged(home: &Sandbox, asked: &str, labelled: &str, body: &str) {
    let (_, slot) = answer(labelled, body, true);
    assert!(matches!(slot, Slot::Answers(_)));
    let mut writer = Writer::public(Vec::new()).unwrap();
    let left_out = writer.add(&key_of(asked), &slot, Timestamp::EPOCH).unwrap();
    assert_eq!(left_out, None);
    let bytes = writer.finish().unwrap();
    ghswarm::files::write_atomic(&home.home().join("forged"), &bytes).unwrap();
}

#[tokio::test]
async fn a_forged_snapshot_costs_a_miss_and_hides_no_page() {
    let home = Sandbox::new().await;
    home.github
        .change(|state| {
            for number in 0..3 {
                state.create_issue("octo-org/hello", &format!("issue {number}"), "body")?;
            }
            Ok::<_, Missing>(())
        })
        .unwrap();
    let elsewhere = Elsewhere::new(&home);
    let full = "/repos/octo-org/hello/issues?per_page=2&state=all";
    let short = "/repos/octo-org/hello/issues?per_page=100&state=all";
    let repository = "/repos/octo-org/hello/labels";
    // What GitHub really says, from a machine that is not part of this.
    let truth = async |path: &str| {
        home.run(["api", path])
            .await
            .ok()
            .text()
            .trim_end()
            .to_owned()
    };
    let (page, all) = (truth(full).await, truth(short).await);

    // The very bytes of a page that has a next one, said to be the whole of a longer page.
    forged(
        &home,
        full,
        "/repos/octo-org/hello/issues?per_page=100&state=all&page=1",
        &page,
    );
    elsewhere.run(&["cache", "import", "forged"]).await.ok();
    // A body that GitHub never made.
    forged(&home, repository, repository, r#"[{"name":"forged"}]"#);
    elsewhere.run(&["cache", "import", "forged"]).await.ok();
    // And an honest one: a list that is not full.
    forged(&home, short, short, &all);
    elsewhere.run(&["cache", "import", "forged"]).await.ok();
    elsewhere.run(&["start"]).await.ok();

    let (head, cache, body) = elsewhere.asks(full).await;
    assert!(head.contains("rel=\"next\""), "{head}");
    assert!(
        cache.contains("fwd-status=200") && body.trim_end() == page,
        "{head}"
    );
    let (head, cache, body) = elsewhere.asks(repository).await;
    assert!(
        cache.contains("fwd-status=200") && !body.contains("forged"),
        "{head}\n{body}"
    );
    let (head, cache, body) = elsewhere.asks(short).await;
    assert!(
        cache.contains("fwd-status=304") && body.trim_end() == all,
        "{head}"
    );
    elsewhere.run(&["stop"]).await.ok();
}

#[tokio::test]
async fn a_snapshot_cannot_make_public_what_is_not() {
    let home = Sandbox::new().await;
    let elsewhere = Elsewhere::with(&home, TokenSpec::job("octo-org/secret"));
    let private = "/repos/octo-org/secret/labels";
    // Somebody guesses what is in a private repository, rightly.
    let body = home.run(["api", private]).await.ok();
    forged(&home, private, private, body.text().trim_end());
    elsewhere.run(&["cache", "import", "forged"]).await.ok();
    elsewhere.run(&["start"]).await.ok();
    let (head, cache, _) = elsewhere.asks(private).await;
    assert!(cache.contains("fwd-status=304"), "{head}");
    elsewhere.run(&["stop"]).await.ok();
    let export = ["cache", "export", "snapshot", "--format", "json"];
    let said = elsewhere.run(&export).await.ok().json();
    assert_eq!(
        (&said["exported"], &said["not_public"]),
        (&0.into(), &1.into()),
        "{said}"
    );
}
