//! Whatever is not there or does not work: the job goes on as if we were not there, with one notice, and with
//! `strict: true` it fails.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use ghswarm::files::write_atomic;
use ghswarm_lab::actions_cache::{Claims, Trouble};

use super::package::TARGET;
use super::runner::{REPOSITORY_ID, Runner};
use super::steps::{finish, run, setup};
use super::{PUBLIC, Stage};
use crate::needs;

const STRICT: (&str, &str) = ("strict", "true");
/// What a job is for. gh goes the way that it went before, or through the daemon.
const WORK: &str = r#"echo "the work of the job: ${GH_CONFIG_DIR:-unchanged}""#;

/// A job whose set-up meets a fault: green with one notice, and red with one error where the job wants that.
async fn costs_one_notice(stage: &Stage, with: &[(&str, &str)], words: &[&str]) {
    let job = stage
        .runner
        .run(&[setup(with), run(WORK), finish(&[])].concat())
        .await;
    job.is_green()
        .tells_once("notice", words)
        .says(&["the work of the job"]);
    let strict = [with, &[STRICT]].concat();
    let job = stage
        .runner
        .run(&[setup(&strict), run(WORK), finish(&[STRICT])].concat())
        .await;
    job.is_red().tells_once("error", words);
}

#[tokio::test]
async fn nothing_to_install() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let stage = stage.with(|runner| runner.with("GHSWARM_INSTALL_FILE", "/nowhere/ghswarm"));
    costs_one_notice(&stage, &[], &["is not installed", "/nowhere/ghswarm"]).await;
}

#[tokio::test]
async fn no_network_to_install_from() {
    let Some(stage) = Stage::new() else {
        return;
    };
    // A release, of which nothing can be had.
    let hash = "0".repeat(64);
    let facts = format!(
        "\"size\": 1, \"sha256\": \"{hash}\", \"program_size\": 1, \"program_sha256\": \"{hash}\""
    );
    let version = env!("CARGO_PKG_VERSION");
    let manifest = format!(
        "{{\n  \"version\": \"{version}\",\n  \"releases\": {{\n    \"{version}\": {{\n      \"{TARGET}\": {{\"url\": \
         \"http://198.18.0.1:9402/ghswarm.tar.gz\", {facts}}}\n    }}\n  }}\n}}\n"
    );
    write_atomic(
        &stage.runner.path("action/dist/manifest.json"),
        manifest.as_bytes(),
    )
    .unwrap();
    let stage = stage.with(|runner| {
        let released = runner.with("GHSWARM_INSTALL_FILE", "");
        released.with("GHSWARM_INSTALL_TIMEOUT", "2")
    });
    stage.network.plug(1, false);
    costs_one_notice(
        &stage,
        &[],
        &["is not installed", "http://198.18.0.1:9402/"],
    )
    .await;
}

#[tokio::test]
async fn a_program_that_does_not_run_here() {
    let Some(stage) = Stage::new() else {
        return;
    };
    // What the kernel says of a program for another libc: it cannot find its interpreter.
    let program = stage.runner.path("other-libc");
    write_atomic(&program, b"#!/lib/ld-of-another-system.so\n").unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let program = program.display().to_string();
    let stage = stage.with(|runner| runner.with("GHSWARM_INSTALL_FILE", &program));
    costs_one_notice(&stage, &[], &["is not installed", "does not run"]).await;
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_written_to() {
    let Some(stage) = Stage::new() else {
        return;
    };
    // Root may write to what is read-only by its mode, and not to this.
    let stage = stage.with(|runner| runner.with("GHSWARM_STATE_DIR", "/proc/ghswarm/state"));
    costs_one_notice(&stage, &[], &["/proc/ghswarm/state"]).await;
}

#[tokio::test]
async fn a_state_directory_without_room() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let disk = stage.runner.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let disk = disk.display().to_string();
    let fill = format!(
        "mount -t tmpfs -o size=16k none '{disk}'\ncat /dev/zero > '{disk}/filler' || true"
    );
    let stage = stage.with(|runner| {
        let runner = runner.with("GHSWARM_STATE_DIR", &format!("{disk}/state"));
        runner.prepared(&fill)
    });
    costs_one_notice(&stage, &[], &[]).await;
}

#[tokio::test]
async fn inputs_that_make_no_sense() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let with = [("cache-ttl", "soon"), ("p2p-port", "every")];
    costs_one_notice(&stage, &with, &["soon", "every"]).await;
}

#[tokio::test]
async fn no_network_at_all() {
    let Some(stage) = Stage::new() else {
        return;
    };
    stage.network.plug(1, false);
    // The program is here, so there is nothing that setup has to fetch: what fails is what asks GitHub.
    costs_one_notice(&stage, &[], &["GitHub is not reached"]).await;
}

/// A stage with a cache service that is in trouble, or that this job may not write to.
async fn with_service(trouble: Option<Trouble>, claims: Claims) {
    let Some(stage) = Stage::new() else {
        return;
    };
    let service = stage.network.cache_service();
    service.fake.trouble(trouble);
    let token = service.fake.token(&claims);
    let served = |runner: Runner| runner.cache_service(&service.fake.url(), &token);
    let stage = stage.with(served);
    let job = stage
        .runner
        .run(&[setup(&[]), run(WORK), finish(&[])].concat())
        .await;
    // What is in the way of restoring and saving, the official action says; we run alone.
    job.is_green()
        .tells_nothing()
        .says(&["the work of the job"]);
    let others = job.annotations_of_others();
    assert!(
        others.iter().any(|it| it.to_lowercase().contains("save")),
        "{others:#?}"
    );
    assert_eq!(service.fake.entries().len(), 0);
}

/// The same for a job that insists on being found.
async fn with_service_and_strict(trouble: Option<Trouble>, claims: Claims) {
    let Some(stage) = Stage::new() else {
        return;
    };
    let service = stage.network.cache_service();
    service.fake.trouble(trouble);
    let token = service.fake.token(&claims);
    let stage = stage.with(|runner| runner.cache_service(&service.fake.url(), &token));
    let job = stage
        .runner
        .run(&[setup(&[STRICT]), run(WORK)].concat())
        .await;
    job.is_red()
        .tells_once("error", &["will not find this one"]);
    assert_eq!(service.fake.entries().len(), 0);
}

/// Takes two minutes, for the same reason: it looks once more.
#[tokio::test]
async fn a_cache_service_that_is_down_fails_who_is_strict() {
    with_service_and_strict(Some(Trouble::Unavailable), Claims::main(REPOSITORY_ID)).await;
}

#[tokio::test]
async fn a_cache_service_that_takes_no_more_fails_who_is_strict() {
    let limited = Some(Trouble::RateLimited(60));
    with_service_and_strict(limited, Claims::main(REPOSITORY_ID)).await;
}

#[tokio::test]
async fn a_cache_that_may_only_be_read_fails_who_is_strict() {
    let reader = Claims::new(REPOSITORY_ID).reads("refs/heads/main");
    with_service_and_strict(None, reader).await;
}

#[tokio::test]
async fn a_cache_that_works_is_all_that_who_is_strict_needs() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let service = stage.network.cache_service();
    let token = service.fake.token(&Claims::main(REPOSITORY_ID));
    let stage = stage.with(|runner| runner.cache_service(&service.fake.url(), &token));
    let job = stage
        .runner
        .run(&[setup(&[STRICT]), run(WORK), finish(&[STRICT])].concat())
        .await;
    job.is_green()
        .tells_nothing()
        .says(&["the work of the job"]);
    assert_eq!(service.fake.entries().len(), 1);
}

/// Takes a minute: the official client asks five times, with 3 to 10 s between, when it restores and when it saves.
#[tokio::test]
async fn a_cache_service_that_is_down() {
    with_service(Some(Trouble::Unavailable), Claims::main(REPOSITORY_ID)).await;
}

#[tokio::test]
async fn a_cache_service_that_takes_no_more() {
    let limited = Some(Trouble::RateLimited(60));
    with_service(limited, Claims::main(REPOSITORY_ID)).await;
}

#[tokio::test]
async fn a_cache_that_may_only_be_read() {
    let reader = Claims::new(REPOSITORY_ID).reads("refs/heads/main");
    with_service(None, reader).await;
}

/// Somebody else at all ports that we would take.
struct Occupant(Child);

impl Occupant {
    fn of(stage: &Stage) -> Self {
        let script = "\
            import socket, sys\n\
            held = []\n\
            for port in range(9000, 9011):\n\
            \x20   for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):\n\
            \x20       held.append(socket.socket(socket.AF_INET, kind))\n\
            \x20       held[-1].bind(('0.0.0.0', port))\n\
            \x20       kind == socket.SOCK_STREAM and held[-1].listen()\n\
            print('held', flush=True)\n\
            sys.stdin.read()\n";
        let mut command = Command::new(needs::program("ip").unwrap());
        let mut child = command
            .args([
                "netns",
                "exec",
                &stage.network.namespace(1),
                "python3",
                "-c",
                script,
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 5];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        Self(child)
    }
}

impl Drop for Occupant {
    fn drop(&mut self) {
        // It ends when nothing more can come from us.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn every_port_is_taken() {
    let Some(stage) = Stage::new() else {
        return;
    };
    let _occupant = Occupant::of(&stage);
    // Clients have a port of the system's choice. Peers, who expect one of these, are told of another, and a firewall
    // may be in their way.
    costs_one_notice(&stage, &[], &["ports 9000 to 9010 are taken"]).await;
    let gh = r#"gh api "repos/$GITHUB_REPOSITORY" --jq .full_name"#;
    let job = stage
        .runner
        .run(&[setup(&[]), run(gh), finish(&[])].concat())
        .await;
    job.is_green().says(&[PUBLIC]);
}
