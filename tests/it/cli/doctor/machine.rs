//! One thing wrong with the machine at a time.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Sandbox, path_of};
use crate::cli::keeping::after_death;
use crate::cli::kill;

fn write(path: &Path, bytes: &[u8]) {
    ghswarm::files::write_atomic(path, bytes).unwrap();
}

#[tokio::test]
async fn what_a_killed_daemon_left_is_a_problem_until_the_next_start() {
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    for name in ["keeper_pid", "pid"] {
        assert!(kill(ready[name].as_i64().unwrap(), "-KILL"));
    }
    // A killed process holds its lock until the kernel has taken it apart.
    let lock = std::fs::File::open(sandbox.state_dir().join("lock")).unwrap();
    tokio::task::spawn_blocking(move || lock.lock().unwrap())
        .await
        .unwrap();
    let examined = sandbox.examine(&[], &[]).await;
    examined.has_problem("daemon", ready["api_url"].as_str().unwrap());
    examined.says("note", "socket", "killed");
    sandbox.start().await;
    sandbox.examine(&[], &[]).await.is_well();
}

#[tokio::test]
async fn a_daemon_that_keeps_dying_is_a_problem_with_its_last_words() {
    let sandbox = Sandbox::new().await;
    let mut alive = sandbox.start().await;
    for _ in 0..3 {
        alive = after_death(&alive).await;
    }
    let examined = sandbox.examine(&[], &[]).await;
    examined.has_problem("daemon", "the daemon keeps dying");
    examined.has_problem("daemon", "daemon.log");
}

#[tokio::test]
async fn a_daemon_without_its_keeper_is_a_warning() {
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    let keeper = ready["keeper_pid"].as_i64().unwrap();
    assert!(kill(keeper, "-KILL"));
    // It is gone when the kernel has taken it apart.
    let deadline = Instant::now() + Duration::from_secs(10);
    let examined = loop {
        let examined = sandbox.examine(&[], &[]).await;
        if !examined.all("warning").is_empty() || Instant::now() > deadline {
            break examined;
        }
    };
    examined.is_well();
    examined.says("warning", "daemon", &keeper.to_string());
}

#[tokio::test]
async fn a_file_in_the_place_of_the_cache_is_a_problem() {
    let sandbox = Sandbox::new().await;
    write(&sandbox.home().join("cache"), b"");
    let examined = sandbox.examine(&["--cache-dir", "cache"], &[]).await;
    examined.has_problem("permissions", "--cache-dir");
    let below = sandbox
        .examine(&["--cache-dir", "cache/deep/er"], &[])
        .await;
    below.has_problem("permissions", "is not a directory");
    let refused = sandbox
        .run(["start", "--strict", "--cache-dir", "cache"])
        .await;
    assert_eq!(refused.code, 1, "what is a problem stops a strict start");
}

#[tokio::test]
async fn a_link_in_the_place_of_the_cache_is_a_problem() {
    let sandbox = Sandbox::new().await;
    std::fs::create_dir(sandbox.home().join("real")).unwrap();
    std::os::unix::fs::symlink("real", sandbox.home().join("link")).unwrap();
    let examined = sandbox.examine(&["--cache-dir", "link"], &[]).await;
    examined.has_problem("permissions", "symbolic link");
}

#[tokio::test]
async fn a_key_of_another_length_is_a_problem() {
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    sandbox.run(["stop"]).await.ok();
    let key = path_of(&ready, "cache_dir").join("hmac.key");
    write(&key, &[1; 33]);
    let examined = sandbox.examine(&[], &[]).await;
    examined.has_problem("permissions", "33 bytes");
    assert_eq!(sandbox.run(["start"]).await.code, 0, "a start replaces it");
    // What it says to do helps.
    std::fs::remove_file(key).unwrap();
    sandbox.examine(&[], &[]).await.is_well();
    sandbox.start().await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_problem_before_the_start() {
    let sandbox = Sandbox::new().await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let examined = sandbox.examine(&["--listen", &address], &[]).await;
    examined.has_problem("port", "127.0.0.1:0");
    let by_variable = sandbox.examine(&[], &[("GHSWARM_LISTEN", &address)]).await;
    by_variable.has_problem("port", &address);
}

#[tokio::test]
async fn a_socket_path_that_is_too_long_or_taken_is_a_problem() {
    let sandbox = Sandbox::new().await;
    let long = "s".repeat(120);
    let examined = sandbox.examine(&["--socket", &long], &[]).await;
    examined.has_problem("socket", "107");
    write(&sandbox.home().join("file"), b"");
    let examined = sandbox.examine(&["--socket", "file"], &[]).await;
    examined.has_problem("socket", "not a socket");
}

#[tokio::test]
async fn a_proxy_variable_that_swallows_the_daemon_is_a_problem() {
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    let proxy = ("HTTP_PROXY", "http://user:s3cret@proxy.example:3128");
    let examined = sandbox.examine(&[], &[proxy]).await;
    examined.has_problem("proxy", ready["api_url"].as_str().unwrap());
    examined.has_problem("proxy", "http://***@proxy.example:3128");
    examined.has_problem("proxy", "export NO_PROXY");
    let exempt = sandbox
        .examine(&[], &[proxy, ("NO_PROXY", "127.0.0.1")])
        .await;
    exempt.is_well();
}

#[tokio::test]
async fn a_token_with_a_line_break_is_a_problem() {
    let sandbox = Sandbox::new().await;
    let with_newline = format!("{}\n", sandbox.token.value());
    let examined = sandbox.examine(&[], &[("GH_TOKEN", &with_newline)]).await;
    examined.has_problem("token", "line break");
    let quoted = format!("\"{}\"", sandbox.token.value());
    let examined = sandbox.examine(&[], &[("GH_TOKEN", &quoted)]).await;
    examined.has_problem("token", "quotes");
}

#[tokio::test]
async fn what_cannot_be_understood_is_a_problem_and_the_rest_is_examined_all_the_same() {
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    let variables = [
        ("GHSWARM_MAX_WAIT", "long"),
        ("GHSWARM_MEMORY_LIMT", "1GiB"),
    ];
    let examined = sandbox.examine(&[], &variables).await;
    examined.has_problem("config", "GHSWARM_MAX_WAIT");
    examined.says("warning", "environment", "GHSWARM_MEMORY_LIMIT");
    examined.says("ok", "daemon", &ready["pid"].to_string());
}

#[tokio::test]
async fn a_job_is_told_what_jobs_have_to_know() {
    let sandbox = Sandbox::new().await;
    let job = sandbox
        .github
        .token(ghswarm_lab::TokenSpec::job("octo-org/hello"));
    let temp = sandbox.home().join("tmp");
    let variables = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_TOKEN", job.value()),
        ("GH_TOKEN", ""),
        ("RUNNER_TEMP", temp.to_str().unwrap()),
        ("GITHUB_API_URL", "https://api.github.com"),
    ];
    let examined = sandbox.examine(&[], &variables).await;
    examined.is_well();
    examined.says("ok", "token", "installation token (GITHUB_TOKEN)");
    examined.says("note", "token", "shared secret");
    examined.says("note", "environment", "every step");
}
