//! What is installed, where it is found again, and what that asks of the machine.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::{
    NO_RELEASES, Runner, SAYS_ITS_VERSION, VERSION, arch, package, put, ran, shelf::Answer, target,
};
use crate::needs;

/// What a machine needs for a download.
const TOOLS: [&str; 19] = [
    "cat", "chmod", "date", "df", "dirname", "find", "gzip", "mkdir", "mktemp", "mv", "rm",
    "rmdir", "sed", "sh", "sleep", "tail", "tar", "uname", "wc",
];

#[tokio::test]
async fn a_release_is_installed_once_and_then_found_without_asking() {
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    let cold = runner.run().await;
    assert_eq!(cold.program(), runner.in_tools());
    assert_eq!(cold.stderr, "");
    let archive = format!("GET /release/{}", Runner::archive_name());
    assert_eq!(
        runner.shelf.asked(),
        [archive],
        "and no other request, to an API for example"
    );
    runner.holds_one_release();
    let output = fs::read_to_string(runner.at("output")).unwrap();
    assert_eq!(output, format!("program={}\n", runner.in_tools().display()));

    // Nothing is there that could download or unpack.
    runner.only_with(&["dirname", "sh", "sha256sum", "uname"]);
    let warm = runner.run().await;
    assert_eq!(warm.program(), runner.in_tools());
    assert_eq!(warm.stderr, "");
    assert_eq!(runner.shelf.asked().len(), 1);
    runner.holds_one_release();
}

/// The stories' own binary, as it is: what is installed serves.
#[tokio::test]
async fn the_real_program_is_packed_installed_and_run() {
    let dir = tempfile::tempdir().unwrap();
    let small = dir.path().join("ghswarm");
    fs::copy(env!("CARGO_BIN_EXE_ghswarm"), &small).unwrap();
    if let Some(strip) = needs::program("strip") {
        // A tenth is left to pack.
        let stripped = std::process::Command::new(strip)
            .arg(&small)
            .status()
            .unwrap();
        assert!(stripped.success());
    }
    let Some(runner) = Runner::with_program(&fs::read(&small).unwrap()).await else {
        return;
    };
    let program = runner.run().await.program();
    assert_eq!(program, runner.in_tools());
    let help = std::process::Command::new(&program)
        .args(["start", "--help"])
        .output()
        .unwrap();
    assert!(
        String::from_utf8(help.stdout)
            .unwrap()
            .contains("Examples:")
    );
    runner.holds_one_release();
}

#[tokio::test]
async fn every_shell_and_every_tool_that_may_be_there_will_do() {
    for shell in ["sh", "dash", "bash"] {
        for [download, digest] in [
            ["curl", "sha256sum"],
            ["wget", "shasum"],
            ["wget", "openssl"],
        ] {
            let Some(mut runner) = Runner::new().await else {
                return;
            };
            let found = [shell, download, digest].map(needs::program);
            let [Some(shell), Some(_), Some(_)] = found else {
                needs::skip(&[shell, download, digest].join(" or "));
                continue;
            };
            // `perl` is what shasum is written in, `timeout` bounds wget.
            let more: &[&str] = if digest == "shasum" {
                &["env", "perl"]
            } else {
                &["timeout"]
            };
            runner.only_with(&[&TOOLS[..], &[download, digest], more].concat());
            runner.shell = shell;
            let ran = runner.run().await;
            assert_eq!(ran.stderr, "", "{download} {digest}");
            assert_eq!(ran.program(), runner.in_tools());
            runner.holds_one_release();
        }
    }
}

#[tokio::test]
async fn busybox_is_enough() {
    let Some(busybox) = needs::program("busybox") else {
        return needs::skip("busybox");
    };
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    runner.only_with(&[]);
    for applet in TOOLS.iter().chain(&["wget", "sha256sum", "timeout"]) {
        std::os::unix::fs::symlink(&busybox, runner.at("bin").join(applet)).unwrap();
    }
    runner.shell = runner.at("bin/sh");
    let installed = runner.run().await;
    assert_eq!(installed.stderr, "");
    assert_eq!(installed.program(), runner.in_tools());
    runner.holds_one_release();

    fs::remove_dir_all(runner.at("tools/ghswarm")).unwrap();
    runner.shelf.answers(&[Answer::Status(404)]);
    runner
        .run()
        .await
        .refusal(&["HTTP 404", &Runner::archive_name()]);
    assert!(runner.left().is_empty());
}

#[tokio::test]
async fn two_jobs_of_a_host_install_at_once() {
    let Some(runner) = Runner::new().await else {
        return;
    };
    runner.shelf.answers(&[Answer::Together(2)]);
    let (one, other) = tokio::join!(runner.run(), runner.run());
    assert_eq!(one.program(), runner.in_tools());
    assert_eq!(other.program(), runner.in_tools());
    assert_eq!((one.stderr.as_str(), other.stderr.as_str()), ("", ""));
    runner.holds_one_release();
}

#[tokio::test]
async fn what_another_job_put_in_its_place_is_never_run() {
    let Some(runner) = Runner::new().await else {
        return;
    };
    runner.run().await.program();
    let mark = runner.at("was run");
    put(
        &runner.in_tools(),
        format!("#!/bin/sh\ntouch '{}'\n{SAYS_ITS_VERSION}", mark.display()),
    );
    let again = runner.run().await;
    assert!(
        again.stderr.contains("damaged or changed"),
        "{}",
        again.stderr
    );
    again.program();
    assert!(!mark.exists());
    assert_eq!(
        fs::read_to_string(runner.in_tools()).unwrap(),
        SAYS_ITS_VERSION
    );
    runner.holds_one_release();
}

/// As a job has it that runs the program at this moment.
#[tokio::test]
async fn a_program_that_is_replaced_stays_as_it_was_for_whoever_has_it_open() {
    let Some(runner) = Runner::new().await else {
        return;
    };
    runner.run().await.program();
    let older = "#!/bin/sh\necho 'an older one'\n";
    put(&runner.in_tools(), older);
    let mut open = fs::File::open(runner.in_tools()).unwrap();
    runner.run().await.program();
    let mut text = String::new();
    open.read_to_string(&mut text).unwrap();
    assert_eq!(text, older);
}

#[tokio::test]
async fn a_mirror_is_asked_instead_of_the_release() {
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    runner.release("https://github.invalid/o/r/releases/download/v0");
    let mirror = format!("{}/mirror/", runner.shelf.url());
    runner.set("GHSWARM_MIRROR", mirror);
    runner.run().await.program();
    assert_eq!(
        runner.shelf.asked(),
        [format!("GET /mirror/{}", Runner::archive_name())]
    );
}

#[tokio::test]
async fn a_login_in_the_mirrors_url_is_refused_and_not_shown() {
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    runner.set("GHSWARM_MIRROR", "https://me:hunter2@mirror.invalid/");
    let ran = runner.run().await;
    ran.refusal(&["GHSWARM_MIRROR", "netrc"]);
    assert!(!ran.stderr.contains("hunter2"));
    assert!(runner.left().is_empty());
}

#[tokio::test]
async fn an_archive_of_this_machine_is_held_to_the_releases_hash() {
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    runner.set("GHSWARM_INSTALL_FILE", runner.archive().to_str().unwrap());
    assert_eq!(runner.run().await.program(), runner.in_tools());
    runner.holds_one_release();
    assert!(runner.shelf.asked().is_empty());

    // A build of one's own is another one, and has to be named as such.
    put(&runner.at("program"), format!("{SAYS_ITS_VERSION}# mine\n"));
    let own = runner.at("own");
    let program = format!("{}={}", target(), runner.at("program").display());
    assert!(
        package(&["--out", own.to_str().unwrap(), &program])
            .status
            .success()
    );
    let own = own.join(Runner::archive_name());
    runner.set("GHSWARM_INSTALL_FILE", own.to_str().unwrap());
    runner
        .run()
        .await
        .refusal(&["GHSWARM_INSTALL_SHA256", "damaged or another"]);
    let sum = std::process::Command::new("sha256sum")
        .arg(&own)
        .output()
        .unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    runner.set("GHSWARM_INSTALL_SHA256", sum.split(' ').next().unwrap());
    let program = runner.run().await.program();
    let place = format!("temp/ghswarm-install/local/{}/ghswarm", arch());
    assert_eq!(program, runner.at(&place), "it goes with the job");
    assert!(fs::read_to_string(program).unwrap().ends_with("# mine\n"));
    runner.set("GHSWARM_INSTALL_SHA256", "0".repeat(64));
    runner
        .run()
        .await
        .refusal(&["GHSWARM_INSTALL_SHA256 is 0000"]);
}

#[tokio::test]
async fn a_program_of_this_machine_is_used_where_it_stands() {
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    put(&runner.manifest(), NO_RELEASES);
    runner.set("GHSWARM_INSTALL_FILE", "program");
    assert_eq!(runner.run().await.program(), runner.at("program"));
    fs::set_permissions(runner.at("program"), fs::Permissions::from_mode(0o644)).unwrap();
    runner
        .run()
        .await
        .refusal(&["neither an archive", "chmod +x"]);
    fs::set_permissions(runner.at("program"), fs::Permissions::from_mode(0o755)).unwrap();
    put(
        &runner.at("program"),
        "#!/bin/sh\necho 'something else 1.0'\n",
    );
    runner
        .run()
        .await
        .refusal(&["is not ghswarm", "something else 1.0"]);
    put(
        &runner.at("program"),
        "#!/bin/sh\necho 'version GLIBC_2.99 not found' >&2\nexit 1\n",
    );
    runner
        .run()
        .await
        .refusal(&["does not run here", "GLIBC_2.99", "cargo install"]);
    runner.set("GHSWARM_INSTALL_FILE", "nothing");
    runner.run().await.refusal(&["names no file"]);
    assert!(runner.left().is_empty());
}

#[tokio::test]
async fn a_version_is_chosen_among_those_that_are_released() {
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    let manifest = fs::read_to_string(runner.manifest()).unwrap();
    let older = manifest.replace(&format!("    \"{VERSION}\": {{"), "    \"0.0.9\": {");
    put(&runner.manifest(), older);
    runner.run().await.refusal(&[
        &format!("no release {VERSION}"),
        "GHSWARM_VERSION",
        "GHSWARM_INSTALL_FILE",
    ]);
    runner.set("GHSWARM_VERSION", "../../escape");
    runner.run().await.refusal(&["is no version"]);
    assert!(runner.left().is_empty());
    assert!(runner.shelf.asked().is_empty());
    // The stand-in calls itself by its own version, so this one is not what it should be.
    runner.set("GHSWARM_VERSION", "v0.0.9");
    runner.run().await.refusal(&["is not ghswarm 0.0.9"]);
    assert!(runner.left().is_empty());
}

#[tokio::test]
async fn an_unknown_machine_is_told_what_it_can_do() {
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    runner.only_with(&["dirname", "sh"]);
    for (machine, words) in [
        ("Linux riscv64", "cargo install"),
        ("MINGW64_NT-10.0 x86_64", "install.ps1"),
    ] {
        put(
            &runner.at("bin/uname"),
            format!("#!/bin/sh\necho '{machine}'\n"),
        );
        runner.run().await.refusal(&[words]);
    }
    runner.only_with(&TOOLS);
    runner.run().await.refusal(&["curl or wget is needed"]);
    assert!(runner.left().is_empty());
}

#[tokio::test]
async fn a_signal_ends_the_download_and_removes_it() {
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let Some(runner) = Runner::new().await else {
            return;
        };
        runner.shelf.answers(&[Answer::Slow]);
        let child = runner.command_that_hears_sigint().spawn().unwrap();
        runner.shelf.was_asked(1).await;
        let pid = child.id().unwrap().to_string();
        let sent = std::process::Command::new("kill")
            .args([signal, &pid])
            .status();
        assert!(sent.unwrap().success());
        // A runner that cancels a job waits ten seconds. By itself, curl would give up after thirty.
        let output = tokio::time::timeout(Duration::from_secs(20), child.wait_with_output());
        let output = output.await.expect("an end").unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(output.stderr, b"ghswarm is not installed: interrupted\n");
        runner.shelf.was_left().await;
        assert!(runner.left().is_empty(), "{:?}", runner.left());
    }
}

/// A run that was killed cannot clean up: the next one does, an hour later.
#[tokio::test]
async fn what_a_killed_run_left_goes_later() {
    let Some(runner) = Runner::new().await else {
        return;
    };
    let place = runner.in_tools();
    let place = place.parent().unwrap();
    for (name, age) in [(".install.old", "2 hours ago"), (".install.new", "now")] {
        let left = place.join(name);
        fs::create_dir_all(&left).unwrap();
        put(&left.join("archive.tar.gz"), "half");
        let touched = std::process::Command::new("touch")
            .args(["-d", age])
            .arg(&left)
            .status();
        assert!(touched.unwrap().success());
    }
    ran(runner.command()).await.program();
    assert!(!place.join(".install.old").exists());
    assert!(
        place.join(".install.new").exists(),
        "it may belong to a run of this moment"
    );
}
