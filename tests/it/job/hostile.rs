//! Branches, inputs and variables that somebody chose in order to be more than text.

use std::collections::BTreeSet;

use ghswarm_lab::runner::Step;

use super::{PLAN, START, Stage};

/// What gets through a runner that somebody writes to carelessly.
const EVIL: &str = "x\nLD_PRELOAD=/evil.so\nEOF\nEVIL<<EOF\n1\nEOF\n::set-output name=evil::1\n::add-mask::e\n\
                    ##[error]evil\n%0A::error::evil\r::error::evil";

#[tokio::test(flavor = "multi_thread")]
async fn no_input_or_branch_adds_a_variable_an_output_or_a_command() {
    let mut clean = Stage::new().await;
    let plan = clean.run(PLAN);
    let start = clean.start();
    let names = |map: &std::collections::BTreeMap<String, String>| -> BTreeSet<String> {
        map.keys().cloned().collect()
    };
    for name in [
        "GHSWARM_INPUT_POOL",
        "GHSWARM_INPUT_TRUST",
        "GHSWARM_INPUT_CACHE_SIZE",
        "GHSWARM_INPUT_CACHE_TTL",
        "GHSWARM_INPUT_P2P_PORT",
        "GHSWARM_INPUT_ENABLE_P2P",
        "GHSWARM_INPUT_ENABLE_PEER_DISCOVERY",
        "GHSWARM_INPUT_CACHE",
        "GHSWARM_INPUT_POOL_SECRET",
        "GHSWARM_INPUT_GITHUB_TOKEN",
        "GHSWARM_INPUT_VERSION",
        "GHSWARM_JOB_INDEX",
        "NO_PROXY",
        "GH_CONFIG_DIR",
        "GHSWARM_LOG_LEVEL",
    ] {
        let mut stage = Stage::new().await;
        let evil = |script: &str| Step::run(script).env(name, EVIL);
        let planned = stage.step(&evil(PLAN));
        let started = stage.step(&evil(START));
        for (ended, usual) in [(&planned, &plan), (&started, &start)] {
            assert!(!ended.failed, "{name}: {}", ended.log);
            assert_eq!(names(&ended.outputs), names(&usual.outputs), "{name}");
            assert!(
                ended.annotations.len() <= 1,
                "{name}: {:?}",
                ended.annotations
            );
            assert!(!ended.log.contains("***"), "{name} masks: {}", ended.log);
        }
        assert_eq!(
            names(stage.job.exported()),
            names(clean.job.exported()),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_runner_says_of_a_hostile_branch_is_only_text() {
    let mut stage = Stage::new().await.having(|job| {
        [
            "GITHUB_REPOSITORY",
            "GITHUB_HEAD_REF",
            "GITHUB_JOB",
            "GITHUB_REF_NAME",
            "RUNNER_NAME",
        ]
        .into_iter()
        .fold(job, |job, name| job.context(name, EVIL))
    });
    let plan = stage.run(PLAN);
    let start = stage.run(START);
    for ended in [&plan, &start] {
        assert!(!ended.failed && ended.annotations.len() <= 1, "{ended:?}");
        assert!(!ended.outputs.contains_key("evil") && !ended.log.contains("***"));
    }
    let exported = stage.job.exported();
    assert!(!exported.contains_key("LD_PRELOAD") && !exported.contains_key("EVIL"));
    stage.asks();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_in_no_file_no_command_line_and_no_output() {
    let mut stage = Stage::new().await;
    let (token, secret) = (
        "ghs_0123456789abcdefghijklmnopqrstuvwxyz",
        "0123456789abcdef-hunter2",
    );
    let step = Step::run(START)
        .env("GHSWARM_INPUT_GITHUB_TOKEN", token)
        .env("GHSWARM_INPUT_POOL_SECRET", secret);
    let start = stage.step(&step);
    assert!(!start.failed, "{}", start.log);
    let mut shown = format!("{start:?}{:?}", stage.job.exported());
    for pid in stage.job.orphans() {
        shown += &std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        assert!(!String::from_utf8_lossy(&environment).contains(token));
    }
    let mut open = vec![stage.path("")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else if let Ok(bytes) = std::fs::read(entry.path()) {
                shown += &String::from_utf8_lossy(&bytes);
            }
        }
    }
    assert!(!shown.contains(token) && !shown.contains(secret));
}
