//! Nothing that lets anybody in is seen where others look.

use base64::Engine as _;
use ghswarm::registry;

use super::Runner;

const SECRET: &str = "hunter2-hunter2-hunter2";

/// The forms in which the secret bytes of a ticket might be written.
fn forms(bytes: [u8; 32]) -> Vec<String> {
    let hex = ghswarm::digest::Digest::from(bytes).hex();
    let standard = base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
    let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    vec![hex, standard, url, format!("{bytes:?}")]
}

#[test]
fn neither_ticket_nor_secret_is_in_logs_lists_or_command_lines() {
    let runner = Runner::new().with("POOL_SECRET", SECRET);
    let flags = [
        "--pool=a/b",
        "--secret-env=POOL_SECRET",
        "--log-level=trace",
    ];
    let started = runner.run(&[&["start"], &flags[..]].concat()).ok();
    let ready = started.json();
    let exported = runner.run(&["peers", "export"]).ok();
    let paper = registry::file::read(exported.stdout.as_bytes())
        .unwrap()
        .remove(0);
    let envelope = paper.envelope.unwrap();
    let pool = ghswarm::swarm::Pool::new("a/b").unwrap();
    let now = ghswarm::clock::Clock::system().now();
    let record = registry::Signed::verify(&envelope, &pool, now)
        .unwrap()
        .record;
    let ticket = record.ticket.unwrap();
    let mut secrets = forms(*ticket.secret);
    secrets.push(SECRET.to_owned());

    let mut seen = String::new();
    for command in [
        &["peers", "list"][..],
        &["peers", "list", "--format=json"],
        &["config", "show"],
        &["doctor"],
        &["stats", "--format=json"],
    ] {
        let ran = runner.run(command);
        seen += &(ran.stdout + &ran.stderr);
    }
    for file in ["daemon.log", "ready.json", "counters.json"] {
        let path = runner.state().join(file);
        seen += &std::fs::read_to_string(path).unwrap_or_default();
    }
    for pid in ["pid", "keeper_pid"] {
        let line = std::fs::read(format!("/proc/{}/cmdline", ready[pid])).unwrap();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        assert!(line.contains("POOL_SECRET"), "{line}");
        seen += &line;
    }
    runner.run(&["stop"]).ok();
    for secret in secrets {
        assert!(!seen.contains(&secret), "{secret}");
    }
}

#[test]
fn the_token_of_a_job_is_no_secret() {
    let token = "ghs_0123456789abcdefghijklmnop";
    let runner = Runner::new()
        .with("POOL_SECRET", token)
        .with("GITHUB_TOKEN", token);
    for flags in [
        &["--secret-env=POOL_SECRET"][..],
        &["--secret-env=GITHUB_TOKEN"],
    ] {
        for command in ["start", "serve"] {
            let arguments = [&[command, "--pool=a/b"], flags].concat();
            let refused = runner.run(&arguments);
            assert!(!refused.stderr.contains(token), "{}", refused.stderr);
            refused.fails(2, &["different for every job"]);
        }
    }
    let checked = runner.run(&["config", "check", "--pool=a/b", "--secret-env=POOL_SECRET"]);
    checked.fails(1, &["different for every job"]);
}

#[test]
fn a_secret_that_is_gone_when_the_daemon_starts_again_does_not_end_the_cache() {
    let runner = Runner::new();
    let secret = runner.path("secret");
    ghswarm::files::write_atomic(&secret, SECRET.as_bytes()).unwrap();
    let flag = format!("--secret-file={}", secret.display());
    let ready = runner.run(&["start", "--pool=a/b", &flag]).ok().json();
    std::fs::remove_file(&secret).unwrap();
    let pid =
        rustix::process::Pid::from_raw(i32::try_from(ready["pid"].as_u64().unwrap()).unwrap());
    rustix::process::kill_process(pid.unwrap(), rustix::process::Signal::KILL).unwrap();
    let end = std::time::Instant::now() + super::PATIENCE;
    let again = loop {
        let ran = runner.run(&["start", "--pool=a/b", "--no-p2p"]);
        let again = ran.ok().json();
        if again["pid"] != ready["pid"] || std::time::Instant::now() > end {
            break again;
        }
    };
    assert!(
        again["pid"].is_u64() && again["pid"] != ready["pid"],
        "{again}"
    );
    runner
        .run(&["peers", "list"])
        .fails(1, &["shares with nobody"]);
    let log = std::fs::read_to_string(runner.state().join("daemon.log")).unwrap();
    assert!(log.contains("nothing is shared with peers"), "{log}");
    runner.run(&["stop"]).ok();
}
