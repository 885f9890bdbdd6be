//! From the start to the last step.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use ghswarm_lab::runner::{Step, process};

use super::{PLAN, START, Stage};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_starts_a_daemon_that_later_steps_use() {
    let mut stage = Stage::new().await;
    let plan = stage.run(PLAN);
    assert!(!plan.failed && plan.log.is_empty(), "{plan:?}");
    assert_eq!(plan.outputs["record-path"], ".ghswarm/peers");
    assert_eq!(plan.outputs["use-snapshot"], "false");

    let start = stage.start();
    let first = start.log.lines().next().unwrap();
    assert!(
        first.contains("octo-org/app: discovered 0 peers, registered"),
        "{first}"
    );
    assert!(start.log.contains("::group::ghswarm"), "{}", start.log);
    let outputs = &start.outputs;
    assert!(
        outputs["api-url"].starts_with("http://127.0.0.1:"),
        "{outputs:?}"
    );
    assert_eq!(
        outputs["socket"],
        super::text(&stage.path("temp/ghswarm/ghswarm.sock"))
    );
    assert_eq!(outputs["cache-dir"], super::text(&stage.path("cache")));
    assert_eq!(
        (
            outputs["peer-count"].as_str(),
            outputs["save-record"].as_str()
        ),
        ("0", "true")
    );
    let key = &outputs["record-key"];
    assert!(key.starts_with(&plan.outputs["record-key-prefix"]), "{key}");
    assert!(key.len() <= 512 && !key.contains(','), "{key}");
    let record = stage.path("workspace/.ghswarm/peers/record");
    let folder = record.parent().unwrap();
    assert_eq!((mode(&record), mode(folder)), (0o600, 0o700));
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);

    let exported = stage.job.exported();
    assert_eq!(exported["GHSWARM_API_URL"], outputs["api-url"]);
    assert!(exported["GH_CONFIG_DIR"].starts_with(super::text(&stage.path("temp"))));
    assert_eq!(exported["GHSWARM_PROGRAM"], env!("CARGO_BIN_EXE_ghswarm"));
    assert!(
        !exported.contains_key("GITHUB_API_URL"),
        "the runner sets it anew"
    );
    for _ in 0..2 {
        stage.asks();
    }
    let usage = stage.github.usage();
    assert_eq!(
        usage.total.requests, 1,
        "the second step's answer was there"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_use_in_the_same_job_joins_the_first() {
    let mut stage = Stage::new().await.with("NO_PROXY", "a.example");
    let first = stage.start();
    let (daemons, exported) = (stage.job.orphans(), stage.job.exported().clone());
    let second = stage.start();
    assert_eq!(second.outputs["api-url"], first.outputs["api-url"]);
    assert_eq!(second.outputs["save-record"], "false");
    assert_eq!(stage.job.orphans(), daemons);
    assert_eq!(*stage.job.exported(), exported);
    let noted = std::fs::read_to_string(stage.path("temp/ghswarm/exported.json")).unwrap();
    assert!(noted.contains(r#""NO_PROXY":"a.example""#), "{noted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_dies_between_two_steps_is_not_missed() {
    let mut stage = Stage::new().await;
    stage.start();
    stage.asks();
    assert!(process::kill(stage.pid("pid")));
    stage.asks();
    let again = stage.start();
    assert_eq!(again.outputs["save-record"], "false");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_large_matrix_most_jobs_leave_no_record() {
    let stage = Stage::new().await;
    let stage = stage.with("GHSWARM_JOB_INDEX", "7");
    let mut stage = stage.with("GHSWARM_JOB_TOTAL", "1000000");
    let start = stage.start();
    assert_eq!(start.outputs["save-record"], "false");
    assert!(!stage.path("workspace/.ghswarm").exists());
    assert!(start.log.contains("24 jobs"), "{}", start.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shares_with_nobody_has_a_cache_of_its_own() {
    let mut stage = Stage::new().await;
    let alone = |script: &str| {
        Step::run(script)
            .env("GHSWARM_INPUT_ENABLE_P2P", "false")
            .env("GHSWARM_INPUT_CACHE", "true")
    };
    let plan = stage.step(&alone(PLAN));
    assert_eq!(plan.outputs["record-key-prefix"], "");
    assert_eq!(plan.outputs["use-snapshot"], "true");
    let start = stage.step(&alone(START));
    assert_eq!(start.annotations, [], "{}", start.log);
    assert_eq!(start.outputs["cache-status"], "disabled");
    stage.asks();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_gives_its_defaults_and_what_the_workflow_says_holds() {
    let mut stage = Stage::new().await.with("GHSWARM_MEMORY_LIMIT", "2MiB");
    let script = "\"$PROGRAM\" config show --format json > \"$TMPDIR/shown\"";
    let defaults = Step::run(script)
        .env("GHSWARM_INPUT_CACHE_SIZE", "5000")
        .env("GHSWARM_INPUT_P2P_PORT", "9000");
    let mut shown = |step: &Step| -> serde_json::Value {
        let ended = stage.step(step);
        assert!(!ended.failed, "{}", ended.log);
        let text = std::fs::read(stage.path("tmp/shown")).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let memory = |shown: &serde_json::Value| shown["settings"]["memory_limit"].clone();
    let of_workflow = memory(&shown(&defaults));
    assert_eq!(
        of_workflow["where"], "GHSWARM_MEMORY_LIMIT",
        "{of_workflow}"
    );
    let asked = memory(&shown(&defaults.env("GHSWARM_INPUT_CACHE_SIZE", "10k")));
    assert_eq!(asked["where"], "GHSWARM_INPUT_CACHE_SIZE", "{asked}");
    assert_eq!(asked["value"], "128MiB", "{asked}");
}
