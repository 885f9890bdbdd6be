//! Names and texts that anybody can choose: they stay what they are, and become no command, variable, output or file.

use ghswarm::files::write_atomic;
use serde_json::json;

use super::Stage;
use super::runner::EVENT;
use super::steps::{finish, run, setup};

/// A branch that Git takes, and what a shell would make of it.
const BRANCH: &str =
    "a$(touch${IFS}$HOME/pwned)`touch${IFS}$HOME/pwned`;touch${IFS}$HOME/pwned'\"|<script>";
/// Lines that a file of variables or outputs, or the runner's log, would take for its own.
const LINES: &str =
    "x\nHACKED=1\nHACKED<<E\n1\nE\n::set-output name=hacked::1\n::add-mask::octo\n::error::hacked";

/// Every later step looks for what must not be there.
const LOOK: &str = r#"
    echo "hacked=${HACKED:-no}, output=${{ steps.ghswarm.outputs.hacked }}."
    if [ -e "$HOME/pwned" ] || [ -e pwned ]; then echo "pwned"; fi
"#;

#[tokio::test]
async fn what_others_choose_is_nothing_but_text() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let event = stage.runner.path(EVENT);
    let title = format!("{LINES}{BRANCH}");
    let pull = json!({ "pull_request": { "title": title, "head": { "ref": BRANCH } }, "repository": { "id": 1 } });
    write_atomic(&event, pull.to_string().as_bytes()).unwrap();
    let stage = stage.with(|runner| {
        let named = runner
            .fact("GITHUB_REF_NAME", BRANCH)
            .fact("GITHUB_HEAD_REF", BRANCH);
        named.fact("GITHUB_REF", &format!("refs/heads/{BRANCH}"))
    });
    let names = [
        "cache-size",
        "cache-ttl",
        "p2p-port",
        "trust",
        "pool",
        "pool-secret",
        "mirror",
    ];
    for text in [LINES, BRANCH, "%0AHACKED=1%0A::error::hacked"] {
        let with = names.map(|name| (name, text));
        let steps = [setup(&with), run(LOOK), finish(&[]), run(LOOK)].concat();
        let job = stage.runner.run(&steps).await;
        job.is_green().says(&["hacked=no, output=."]);
        let said = job.said();
        assert!(!said.lines().any(|line| line == "pwned"), "{}", job.log());
        let told = job.annotations();
        assert!(told.len() <= 1, "{told:#?}\n{}", job.log());
        assert!(job.annotations_of_others().is_empty(), "{}", job.log());
        let summary = job.summary();
        assert!(
            !summary.contains("<script>") && !summary.contains("\nHACKED"),
            "{summary}"
        );
    }
}

#[tokio::test]
async fn what_others_choose_is_nothing_but_text_where_it_is_installed_from() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let stage = stage.with(|runner| runner.with("GHSWARM_INSTALL_FILE", ""));
    for text in [LINES, BRANCH] {
        for name in ["version", "mirror"] {
            let steps = [setup(&[(name, text)]), run(LOOK), finish(&[])].concat();
            let job = stage.runner.run(&steps).await;
            job.is_green().says(&["hacked=no, output=."]);
            job.tells_once("notice", &["is not installed"]);
            assert!(job.annotations_of_others().is_empty(), "{}", job.log());
            assert!(
                !job.said().lines().any(|line| line == "pwned"),
                "{}",
                job.log()
            );
        }
    }
}
