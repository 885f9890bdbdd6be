//! Log lines on stderr, and the bounds of the file that stderr of a daemon is.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::Context as _;
use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::context::Context;
use super::print;
use crate::config::Settings;
use crate::config::settings::LogFormat;
use crate::files::Identity;

/// The log of a daemon that `start` started, in the state directory.
pub(super) const FILE: &str = "daemon.log";
/// A log that has grown beyond this is set aside; one old one is kept.
pub(super) const LIMIT: u64 = 8 << 20;
/// How many bytes are written before the length is looked at again.
const LOOK_EVERY: u64 = 256 << 10;

/// Sends log lines to stderr from now on, and panics, too.
pub(super) fn start(settings: &Settings, context: &Context<'_>) -> anyhow::Result<()> {
    let level = settings.log_level.as_deref().unwrap_or("info");
    let filter = EnvFilter::try_new(level)
        .with_context(|| format!("--log-level={level}: write error, warn, info, debug or trace"))?;
    let state = context.directories(settings)?.state;
    let out = Out(Arc::new(Growing::of_stderr(state.join(FILE), LIMIT)));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || out.clone())
        .with_ansi(print::colours_stderr(context));
    let all = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(is_harmless));
    match settings.log_format.unwrap_or_default() {
        LogFormat::Text => all.with(lines).init(),
        LogFormat::Json => all.with(lines.json().flatten_event(true)).init(),
    }
    std::panic::set_hook(Box::new(report_panic));
    Ok(())
}

/// How the targets of the libraries begin that speak with peers.
const OF_PEERS: [&str; 7] = [
    "libp2p",
    "quinn",
    "yamux",
    "multistream_select",
    "hickory",
    "netlink",
    "rtnetlink",
];

/// What the libraries below us say in detail has header fields in it, and so tokens: they are heard from
/// `info` on, whatever was asked for. Those that speak with peers warn of whatever a peer does, and of being alone: we
/// say ourselves what matters of that, once.
fn is_harmless(event: &Metadata<'_>) -> bool {
    let target = event.target();
    let ours = target == "ghswarm" || target.starts_with("ghswarm::");
    let of_peers = OF_PEERS.iter().any(|library| target.starts_with(library));
    let least = if of_peers { Level::ERROR } else { Level::INFO };
    ours || *event.level() <= least
}

/// As a line of the log, which every reader of it understands.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or_default();
    let place = panic.location().map(ToString::to_string);
    tracing::error!(what, place, "a defect of ghswarm: a part of it panicked");
}

/// stderr. A line that cannot be written is lost and nothing else: a full disk must not end a daemon.
#[derive(Clone)]
struct Out(Arc<Growing>);

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // There is no other place to say that this one cannot be written.
        let _ = io::stderr().write_all(bytes);
        self.0.grew(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is appended to, by us and by others, and must not grow for ever.
struct Growing {
    /// Absent for whatever is not our own file.
    log: Option<(PathBuf, File)>,
    limit: u64,
    unseen: AtomicU64,
}

impl Growing {
    /// stderr, if it is the file at `path`.
    fn of_stderr(path: PathBuf, limit: u64) -> Self {
        let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from);
        let log = stderr.ok().filter(|file| {
            let found = file.metadata().ok();
            found.is_some_and(|found| {
                found.is_file() && Some(Identity::of(&found)) == Identity::at(&path)
            })
        });
        Self {
            log: log.map(|file| (path, file)),
            limit,
            unseen: AtomicU64::new(0),
        }
    }

    fn grew(&self, by: u64) {
        let Some((path, file)) = &self.log else {
            return;
        };
        if self.unseen.fetch_add(by, Relaxed) + by < LOOK_EVERY {
            return;
        }
        self.unseen.store(0, Relaxed);
        let Ok(found) = file.metadata() else { return };
        if found.len() <= self.limit {
            return;
        }
        let old = path.with_extension("log.1");
        // Copied and cut off, because others hold the same file open. A link is not followed.
        let _ = std::fs::remove_file(&old);
        if Identity::at(path) == Some(Identity::of(&found)) {
            // A full disk takes no copy; then the old lines are lost.
            let _ = std::fs::copy(path, old);
        }
        let _ = file.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::files;

    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<u8>>>);

    impl Write for Said {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn libraries_are_not_heard_in_detail() {
        let said = Said::default();
        let out = said.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || out.clone());
        let all = tracing_subscriber::registry()
            .with(EnvFilter::new("trace"))
            .with(filter_fn(is_harmless))
            .with(lines);
        tracing::subscriber::with_default(all, || {
            tracing::debug!(target: "h2::codec", "authorization: secret");
            tracing::trace!(target: "ghswarmish", "authorization: secret");
            tracing::warn!(target: "h2::codec", "a warning");
            tracing::trace!(target: "ghswarm::proxy", "our own detail");
        });
        let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
        assert!(!said.contains("secret"), "{said}");
        assert!(
            said.contains("a warning") && said.contains("our own detail"),
            "{said}"
        );
    }

    #[test]
    fn a_log_stays_below_its_limit_and_one_old_one_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let mut file = files::open_append_private(&path).unwrap();
        let log = Growing {
            log: Some((path.clone(), file.try_clone().unwrap())),
            limit: 1 << 20,
            unseen: AtomicU64::new(0),
        };
        let line = [b'x'; 1 << 10];
        for _ in 0..5000 {
            file.write_all(&line).unwrap();
            log.grew(1 << 10);
            assert!(path.metadata().unwrap().len() <= (1 << 20) + LOOK_EVERY);
        }
        let old = path.with_extension("log.1");
        assert!(old.metadata().unwrap().len() > 1 << 20);
        std::fs::remove_file(&path).unwrap();
        for _ in 0..2000 {
            file.write_all(&line).unwrap();
            log.grew(1 << 10);
        }
        assert!(
            file.metadata().unwrap().len() <= (1 << 20) + LOOK_EVERY,
            "nobody sees it grow"
        );
    }
}
