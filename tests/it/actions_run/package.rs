//! A release: an archive with the program under test, made as releases are, and the manifest that knows its hash.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::runner::Runner;
use crate::needs;

/// What the installer looks for on this machine.
pub(super) const TARGET: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-musl"
} else {
    "x86_64-unknown-linux-musl"
};

/// The program under test, or the one that `GHSWARM_ACTIONS_PROGRAM` names: that of a release, say.
pub(super) fn program() -> PathBuf {
    let named = needs::environment("GHSWARM_ACTIONS_PROGRAM");
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_ghswarm").into())
}

/// The files of a release.
pub(super) struct Release {
    folder: tempfile::TempDir,
    archive: PathBuf,
}

impl Release {
    pub(super) fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("ghswarm");
        fs::copy(self::program(), &program).unwrap();
        // What is for debuggers is most of a development build, and takes seconds to pack. Without `strip` it does.
        let _ = Command::new("strip").arg(&program).status();
        let out = folder.path().join("out");
        let package = concat!(env!("CARGO_MANIFEST_DIR"), "/dist/package.py");
        let mut python = Command::new("python3");
        python.arg(package).arg("--out").arg(&out);
        python.arg(format!("{TARGET}={}", program.display()));
        let packed = python.output().unwrap();
        let error = String::from_utf8_lossy(&packed.stderr);
        assert!(packed.status.success(), "{error}");
        let mut entries = fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let archive = entries.find(|path| path.extension().is_some_and(|ending| ending == "gz"));
        Self {
            folder,
            archive: archive.unwrap(),
        }
    }

    /// A runner whose action belongs to this release, and gets its archive from this machine.
    pub(super) fn on(&self, runner: Runner) -> Runner {
        let manifest = self.folder.path().join("out/manifest.json");
        fs::copy(manifest, runner.path("action/dist/manifest.json")).unwrap();
        let archive = self.archive.display().to_string();
        runner.with("GHSWARM_INSTALL_FILE", &archive)
    }
}
