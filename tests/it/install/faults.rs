//! Every way in which a download fails: one message that says what to do, nothing left behind, and never too long.

use super::{NO_RELEASES, Runner, SAYS_ITS_VERSION, put, ran, shelf::Answer};
use crate::needs;

/// A story for each of the programs that download, at the same time: most of it is waiting between attempts.
async fn with_each(story: impl AsyncFn(&mut Runner, &str)) {
    tokio::join!(
        with_one(&story, "curl", "wget"),
        with_one(&story, "wget", "curl")
    );
}

async fn with_one(story: &impl AsyncFn(&mut Runner, &str), name: &str, other: &str) {
    if needs::program(name).is_none() {
        return needs::skip(name);
    }
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    runner.without(other);
    story(&mut runner, name).await;
    assert!(runner.left().is_empty(), "{name}: {:?}", runner.left());
    assert!(!runner.at("output").exists());
}

#[tokio::test]
async fn what_is_not_there_is_asked_for_once() {
    with_each(async |runner, name| {
        runner.shelf.answers(&[Answer::Status(404)]);
        let ran = runner.run().await;
        ran.refusal(&[
            "HTTP 404",
            &Runner::archive_name(),
            "is the version released",
        ]);
        assert_eq!(runner.shelf.asked().len(), 1, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stumbles_is_asked_again() {
    for first in [
        Answer::Status(503),
        Answer::Hangup,
        Answer::Broken,
        Answer::Half,
    ] {
        let Some(runner) = Runner::new().await else {
            return;
        };
        runner.shelf.answers(&[first, Answer::Whole]);
        let ran = runner.run().await;
        assert_eq!(ran.program(), runner.in_tools(), "{first:?}");
        assert_eq!(runner.shelf.asked().len(), 2);
        runner.holds_one_release();
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_given_up() {
    with_each(async |runner, name| {
        runner.shelf.answers(&[Answer::Status(503)]);
        runner
            .run()
            .await
            .refusal(&["HTTP 503", "3 attempts", "try again later"]);
        assert_eq!(runner.shelf.asked().len(), 3, "{name}");
        runner.shelf.answers(&[Answer::Hangup]);
        runner
            .run()
            .await
            .refusal(&["ended the connection", "3 attempts"]);
        assert_eq!(runner.shelf.asked().len(), 6, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_truncated_archive_is_not_unpacked() {
    with_each(async |runner, _| {
        runner.shelf.answers(&[Answer::Half]);
        runner.run().await.refusal(&["truncated", "bytes arrived"]);
        runner.shelf.answers(&[Answer::Broken]);
        runner.run().await.refusal(&["ended the connection"]);
    })
    .await;
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    let half = std::fs::read(runner.archive()).unwrap();
    put(&runner.at("half.tar.gz"), &half[..half.len() / 2]);
    put(&runner.manifest(), NO_RELEASES);
    runner.set("GHSWARM_INSTALL_FILE", "half.tar.gz");
    runner
        .run()
        .await
        .refusal(&["cannot be unpacked", "truncated"]);
    assert!(runner.left().is_empty());
}

/// A sound archive with another program, such as whoever owns a mirror can make.
#[tokio::test]
async fn a_wrong_hash_is_neither_unpacked_nor_run() {
    with_each(async |runner, _| {
        let mark = runner.at("was run");
        put(
            &runner.at("program"),
            format!("#!/bin/sh\ntouch '{}'\n{SAYS_ITS_VERSION}", mark.display()),
        );
        runner.release(&format!("{}/release", runner.shelf.url()));
        let manifest = std::fs::read_to_string(runner.manifest()).unwrap();
        let (before, after) = manifest.split_once("\"sha256\": \"").unwrap();
        let expected = "0".repeat(64);
        let other = format!("{before}\"sha256\": \"{expected}{}", &after[64..]);
        put(&runner.manifest(), other);
        let ran = runner.run().await;
        let message = ran.refusal(&["not what was published", &expected, "Do not use it"]);
        assert!(message.contains(&after[..64]), "{message}");
        assert!(!mark.exists());
        assert_eq!(
            runner.shelf.asked().len(),
            1,
            "another attempt would bring the same"
        );
    })
    .await;
}

#[tokio::test]
async fn a_page_of_something_else_is_cut_off_and_named() {
    with_each(async |runner, _| {
        runner.shelf.answers(&[Answer::Page]);
        let ran = runner.run().await;
        ran.refusal(&["is larger than the archive"]);
        assert_eq!(runner.shelf.asked().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_too_slow_is_left_in_time() {
    with_each(async |runner, name| {
        runner.shelf.answers(&[Answer::Slow]);
        runner.set("GHSWARM_INSTALL_TIMEOUT", "2");
        // Within the patience of the story: without a bound of its own, this would never end.
        let ran = runner.run().await;
        ran.refusal(&["too slow", "2 s", "GHSWARM_INSTALL_TIMEOUT"]);
        runner.shelf.was_left().await;
        assert_eq!(runner.shelf.asked().len(), 1, "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_nobody_runs_is_named() {
    with_each(async |runner, _| {
        // Nobody can listen on port 0, or has a name that ends in .invalid.
        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        runner.release(&format!("http://{closed}/release"));
        runner
            .run()
            .await
            .refusal(&["no connection to", &closed.to_string(), "is it up"]);
    })
    .await;
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_by_its_variable() {
    with_each(async |runner, name| {
        runner.release("https://github.invalid/o/r/releases/download/v0");
        let proxy = runner.shelf.url().to_owned();
        runner.set("https_proxy", proxy);
        for status in [403, 407] {
            runner.shelf.answers(&[Answer::Status(status)]);
            let ran = runner.run().await;
            ran.refusal(&[
                "the proxy that https_proxy names",
                "github.invalid",
                "no_proxy",
            ]);
            // GNU wget does not say by which status.
            if name == "curl" {
                ran.refusal(&[&format!("HTTP {status}")]);
            }
        }
        assert!(
            runner
                .shelf
                .asked()
                .iter()
                .all(|asked| asked == "CONNECT github.invalid:443")
        );
        assert_eq!(runner.shelf.asked().len(), 2, "once each");
        let closed = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        runner.set("https_proxy", format!("http://{closed}"));
        runner
            .run()
            .await
            .refusal(&["no connection", "the proxy that https_proxy names"]);
    })
    .await;
}

/// Capitals are what workflows use; wget itself reads none.
#[tokio::test]
async fn a_proxy_in_capitals_is_used_by_wget_too() {
    with_each(async |runner, _| {
        runner.release("https://github.invalid/o/r/releases/download/v0");
        let proxy = runner.shelf.url().to_owned();
        runner.set("HTTPS_PROXY", proxy);
        runner.shelf.answers(&[Answer::Status(403)]);
        runner
            .run()
            .await
            .refusal(&["the proxy that https_proxy names"]);
        assert_eq!(runner.shelf.asked(), ["CONNECT github.invalid:443"]);
    })
    .await;
}

#[tokio::test]
async fn a_damaged_manifest_is_said_to_be_one() {
    let Some(runner) = Runner::new().await else {
        return;
    };
    let manifest = std::fs::read_to_string(runner.manifest()).unwrap();
    put(
        &runner.manifest(),
        manifest.replace("\"size\": ", "\"size\": x"),
    );
    ran(runner.command())
        .await
        .refusal(&["is damaged", "check out"]);
    std::fs::remove_file(runner.manifest()).unwrap();
    ran(runner.command())
        .await
        .refusal(&["manifest.json cannot be read"]);
    assert!(runner.left().is_empty());
}
