//! The end of the job, as the runner makes it and as it can go.

use std::net::TcpStream;
use std::process::{Command, Stdio};

use ghswarm_lab::runner::{Order, Step, process};

use super::{START, Stage, end};

/// What is left below the job's directories, but for the caches.
fn left(stage: &Stage) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![stage.path("")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(stage.path("")).unwrap();
            let name = name.to_str().unwrap().to_owned();
            let expected = ["cache", "workspace/.ghswarm"].contains(&name.as_str());
            if !expected && entry.file_type().unwrap().is_dir() {
                open.push(path);
            } else if !expected {
                found.push(name);
            }
        }
    }
    found
}

fn port(stage: &Stage) -> String {
    let url = &stage.job.exported()["GHSWARM_API_URL"];
    url.strip_prefix("http://").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_job_leaves_nothing_behind() {
    for order in [Order::Rising, Order::Falling] {
        let mut stage = Stage::new().await;
        let before = left(&stage);
        stage.start();
        stage.asks();
        let (keeper, daemon) = (stage.pid("keeper_pid"), stage.pid("pid"));
        assert_eq!(stage.job.orphans(), [keeper, daemon]);
        assert_eq!(stage.job.finish(order).len(), 2);
        end(&[keeper, daemon], &stage.path("temp/ghswarm/daemon.log"));
        // The keeper may have started another daemon in between, which the runner does not see.
        end(&stage.job.orphans(), &stage.path("temp/ghswarm/daemon.log"));
        let mut after = left(&stage);
        if order == Order::Falling {
            // That daemon may have begun to write while the runner was removing.
            after.retain(|name| !name.starts_with("temp/ghswarm/"));
        }
        assert_eq!(after, before, "{order:?}");
        TcpStream::connect(port(&stage)).unwrap_err();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_runner_that_kills_it_a_daemon_ends_with_its_directory() {
    let mut stage = Stage::new().await;
    let before = left(&stage);
    stage.start();
    let left_behind = stage.job.orphans();
    // Its contents go, and the directory stays, as on a real runner.
    for entry in std::fs::read_dir(stage.job.temp()).unwrap().flatten() {
        let path = entry.path();
        std::fs::remove_dir_all(&path)
            .or_else(|_| std::fs::remove_file(&path))
            .unwrap();
    }
    end(&left_behind, &stage.path("nowhere"));
    assert_eq!(left(&stage), before);
    TcpStream::connect(port(&stage)).unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_ends_with_the_worker_that_ran_its_step() {
    let mut stage = Stage::new().await;
    // The kernel names a process after its program's file.
    let worker = stage.path("Runner.Worker");
    let script = "#!/bin/sh\n\"$@\"\necho done\nread end\n";
    ghswarm::files::write_atomic(&worker, script.as_bytes()).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&worker, mode).unwrap();
    stage.job.begin_step().unwrap();
    let environment = stage.job.environment(&Step::run(START));
    let mut child = Command::new(&worker)
        .args([env!("CARGO_BIN_EXE_ghswarm"), "job", "start"])
        .env_clear()
        .envs(environment)
        .current_dir(stage.job.workspace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line != "done\n" {
        line.clear();
        let read = std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        assert!(read > 0, "the worker ended");
    }
    let daemon = [stage.pid("keeper_pid"), stage.pid("pid")];
    assert!(daemon.into_iter().all(process::lives));
    assert!(process::kill(child.id()));
    child.wait().unwrap();
    end(&daemon, &stage.path("temp/ghswarm/daemon.log"));
    assert!(!stage.path("temp/ghswarm/ready.json").exists());
}
