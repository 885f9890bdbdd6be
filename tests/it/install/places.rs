//! Directories that take no program. What is mounted is seen by the process of the story alone.

use std::fs;

use super::{NO_RELEASES, Runner, SAYS_ITS_VERSION, VERSION, arch, put, ran};
use crate::needs;

/// Whether this user may mount things, and be without a network, for processes of its own.
fn can_be_apart() -> bool {
    let tried = std::process::Command::new("unshare")
        .args(["-rmn", "mount", "-t", "tmpfs", "none", "/mnt"])
        .output();
    tried.is_ok_and(|output| output.status.success())
}

fn in_temp() -> String {
    format!("temp/ghswarm-install/{VERSION}/{}/ghswarm", arch())
}

/// Runs the installer where the tool cache is mounted with these options; what it left.
async fn with_tools(runner: &Runner, options: &str) -> (super::Ran, Vec<String>) {
    let mount = format!("mount -t tmpfs -o mode=700,{options} none tools");
    let ran = ran(runner.command_apart("-rm", &mount)).await;
    (ran, runner.left_apart())
}

#[tokio::test]
async fn a_tool_cache_that_takes_nothing_is_passed_over_with_a_notice() {
    if !can_be_apart() {
        return needs::skip("mount");
    }
    for (options, why) in [
        ("ro", "cannot be written to"),
        ("noexec", "lets no program run (is it mounted noexec?)"),
        ("size=16k", "has no room"),
    ] {
        let Some(runner) = Runner::new().await else {
            return;
        };
        let (ran, left) = with_tools(&runner, options).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(ran.stdout.trim(), runner.at(&in_temp()).to_str().unwrap());
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(
            ran.stderr.starts_with("ghswarm: ") && ran.stderr.contains(why),
            "{}",
            ran.stderr
        );
        assert_eq!(
            left.iter().filter(|path| path.starts_with("tools")).count(),
            0,
            "{left:?}"
        );
        assert_eq!(left.last(), Some(&in_temp()));
        assert_eq!(left.len(), 4, "{left:?}");
    }
}

#[tokio::test]
async fn a_release_in_a_tool_cache_that_is_read_only_is_used() {
    if !can_be_apart() {
        return needs::skip("mount");
    }
    let Some(runner) = Runner::new().await else {
        return;
    };
    runner.run().await.program();
    let bind = "mount --bind tools tools && mount -o remount,ro,bind tools";
    let ran = ran(runner.command_apart("-rm", bind)).await;
    assert_eq!(ran.program(), runner.in_tools());
    assert_eq!(ran.stderr, "");
    assert_eq!(runner.shelf.asked().len(), 1);
    runner.holds_one_release();
}

#[tokio::test]
async fn a_machine_that_takes_nothing_anywhere_says_why() {
    if !can_be_apart() {
        return needs::skip("mount");
    }
    for (options, why) in [
        ("ro", "cannot be written to"),
        ("noexec", "noexec"),
        ("size=16k", "has no room"),
    ] {
        let Some(runner) = Runner::new().await else {
            return;
        };
        let all = format!(
            "for d in tools temp home; do mount -t tmpfs -o mode=700,{options} none $d; done"
        );
        let ran = ran(runner.command_apart("-rm", &all)).await;
        ran.refusal(&["no place for it", why, "RUNNER_TEMP"]);
        assert!(runner.left_apart().is_empty(), "{:?}", runner.left_apart());
        assert!(
            runner.shelf.asked().is_empty(),
            "nothing is downloaded for nothing"
        );
    }
}

/// Room for the archive, as it seems, but not for what is in it: nobody says how large an archive of one's own unpacks.
#[tokio::test]
async fn a_disk_that_fills_up_while_unpacking_leaves_nothing() {
    if !can_be_apart() {
        return needs::skip("mount");
    }
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    put(
        &runner.at("program"),
        format!("{SAYS_ITS_VERSION}{}", "#".repeat(1 << 20)),
    );
    runner.release("https://example.invalid");
    put(&runner.manifest(), NO_RELEASES);
    runner.set("GHSWARM_INSTALL_FILE", runner.archive().to_str().unwrap());
    let mount = "mount -t tmpfs -o mode=700,size=256k none temp";
    let ran = ran(runner.command_apart("-rm", mount)).await;
    ran.refusal(&["no room to unpack", "RUNNER_TEMP"]);
    assert!(runner.left_apart().is_empty(), "{:?}", runner.left_apart());
}

#[tokio::test]
async fn a_machine_without_a_network_says_so() {
    if !can_be_apart() {
        return needs::skip("network namespaces");
    }
    for program in ["curl", "wget"] {
        let Some(mut runner) = Runner::new().await else {
            return;
        };
        runner.release("https://github.invalid/o/r/releases/download/v0");
        runner.without(if program == "wget" { "curl" } else { "wget" });
        let ran = ran(runner.command_apart("-rmn", ":")).await;
        ran.refusal(&["github.invalid is not known here", "DNS", "GHSWARM_MIRROR"]);
        assert!(runner.left_apart().is_empty(), "{:?}", runner.left_apart());
    }
}

#[tokio::test]
async fn without_a_runner_it_goes_to_the_home_directory() {
    let Some(mut runner) = Runner::new().await else {
        return;
    };
    runner
        .set("RUNNER_TOOL_CACHE", "")
        .set("RUNNER_TEMP", "")
        .set("GITHUB_OUTPUT", "");
    let place = format!("home/.local/share/ghswarm/{VERSION}/{}", arch());
    assert_eq!(
        runner.run().await.program(),
        runner.at(&place).join("ghswarm")
    );
    assert_eq!(fs::read_dir(runner.at(&place)).unwrap().count(), 1);
    runner.set("XDG_DATA_HOME", runner.at("temp").to_str().unwrap());
    let place = format!("temp/ghswarm/{VERSION}/{}/ghswarm", arch());
    assert_eq!(runner.run().await.program(), runner.at(&place));
}
