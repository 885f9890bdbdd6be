//! `ghswarm cache import`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use rustix::fs::OFlags;
use serde::Serialize;

use super::super::context::Context;
use super::super::print;
use super::super::progress::Progress;
use super::super::table::plain;
use super::store::{self, Opened};
use super::{older, secret};
use crate::api::Key;
use crate::cli::{Import, StoreDir, SummaryFormat};
use crate::seal::SharedSecret;
use crate::stats::render;
use crate::store::entry::VARIANTS_MAX;
use crate::store::memory::Named;
use crate::store::snapshot::{Item, MAGIC, Reader};
use crate::store::{Entry, Slot};

/// The longest JSON file: it is read whole.
const JSON_MAX: u64 = 128 << 20;
/// Directories within directories; the older caches have none.
const DEPTH: usize = 4;
/// Files of all directories together.
const FILES: usize = 100_000;
/// What waits to be written before it is waited for, in bytes and in things: the writer is slower than we
/// read, and what it cannot hold it drops.
const AT_ONCE: (u64, u32) = (8 << 20, 256);
/// What the store reports when something was not written.
const LOST: [&str; 7] = [
    "disk-corrupt",
    "disk-full",
    "disk-io",
    "disk-readonly",
    "disk-too-large",
    "disk-unavailable",
    "disk-write-dropped",
];
/// Complaints that are shown; the summary counts all.
const COMPLAINTS: usize = 20;

/// What became of everything.
#[derive(Debug, Default, Serialize)]
struct Summary {
    dry_run: bool,
    /// Files read, snapshots among them.
    files: u64,
    snapshots: u64,
    /// Answers that GitHub will be asked about.
    candidates: u64,
    /// Values of the key-value interface.
    values: u64,
    bytes: u64,
    /// What was here already, or is newer here.
    known: u64,
    expired: u64,
    rejected: BTreeMap<&'static str, u64>,
    skipped: Vec<Skipped>,
    /// What went wrong with the store, by name.
    disk: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
struct Skipped {
    path: String,
    reason: String,
}

pub(super) async fn run(import: &Import, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let mut run = Run {
        secret: secret::find(&import.secret, context)?,
        store: store::open(&import.store, context)?,
        left: import.limit,
        waiting: (0, 0),
        summary: Summary {
            dry_run: import.dry_run,
            ..Summary::default()
        },
    };
    let mut files = Vec::new();
    let mut failed = false;
    for path in &import.paths {
        let found = if path.as_os_str() == "-" {
            run.snapshot("-".as_ref(), io::stdin().lock()).await
        } else {
            gather(
                &context.working_dir().join(path),
                0,
                &mut files,
                &mut run.summary,
            )
        };
        if let Err(error) = found {
            failed = true;
            run.skip(path, &error);
        }
    }
    let progress = Progress::new("reading", "files");
    for (done, (path, named)) in files.iter().enumerate() {
        progress.at(done as u64, files.len() as u64);
        if let Err(error) = run.file(path, *named).await {
            failed |= *named;
            run.skip(path, &error);
        }
    }
    run.store.disk.flush().await;
    drop(progress);
    let reasons = run.store.disk.counts().reasons;
    let troubles = reasons.into_iter().filter(|(_, count)| *count > 0);
    run.summary.disk = troubles.collect();
    failed |= run.summary.disk.keys().any(|why| LOST.contains(why));
    match import.format {
        SummaryFormat::Json => print::json(&run.summary)?,
        SummaryFormat::Text => print::to_people(&text(&run.summary)),
    }
    // What is amiss inside a directory is one file of many; what was named was meant.
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Takes the snapshot at `path` into the store in `cache_dir`, at most `limit` bytes of it; a sentence about that.
pub(in crate::commands) async fn snapshot(
    path: &Path,
    cache_dir: &Path,
    limit: u64,
    context: &Context<'_>,
) -> anyhow::Result<String> {
    let store = StoreDir {
        cache_dir: Some(cache_dir.to_owned()),
    };
    let mut run = Run {
        secret: None,
        store: store::open(&store, context)?,
        left: limit,
        waiting: (0, 0),
        summary: Summary::default(),
    };
    gather(path, 0, &mut Vec::new(), &mut run.summary)?;
    run.file(path, true).await?;
    run.store.disk.flush().await;
    Ok(text(&run.summary))
}

/// A file to read, and whether it was named itself.
type Found = (PathBuf, bool);

/// Finds the files at `path`. Links are not followed: they could lead anywhere.
fn gather(
    path: &Path,
    depth: usize,
    files: &mut Vec<Found>,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() {
        bail!("it is a symbolic link, which is not followed");
    }
    if found.is_file() {
        if files.len() == FILES {
            bail!("there are more than {FILES} files");
        }
        files.push((path.to_owned(), depth == 0));
        return Ok(());
    }
    if !found.is_dir() {
        bail!("it is neither a file nor a directory");
    }
    if depth == DEPTH {
        bail!("it is {DEPTH} directories deep");
    }
    for entry in fs::read_dir(path)? {
        let below = entry?.path();
        if let Err(error) = gather(&below, depth + 1, files, summary) {
            skip(summary, &below, &error);
        }
    }
    Ok(())
}

struct Run {
    secret: Option<SharedSecret>,
    store: Opened,
    /// Bytes that may still be taken.
    left: u64,
    /// What waits to be written.
    waiting: (u64, u32),
    summary: Summary,
}

impl Run {
    async fn file(&mut self, path: &Path, named: bool) -> anyhow::Result<()> {
        let mut file = open(path)?;
        let mut magic = Vec::new();
        (&mut file)
            .take(MAGIC.len() as u64)
            .read_to_end(&mut magic)?;
        file.seek(SeekFrom::Start(0))?;
        if magic == MAGIC {
            return self.snapshot(path, BufReader::new(file)).await;
        }
        let is_json = path
            .extension()
            .is_some_and(|extension| extension == "json");
        if !is_json && !named {
            // Directories hold other things, too.
            return Ok(());
        }
        let mut bytes = Vec::new();
        file.take(JSON_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > JSON_MAX {
            bail!("it is longer than {}", render::bytes(JSON_MAX));
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let (entries, malformed) = older::read(&bytes, &stem)
            .context("it is neither a snapshot nor a file of an older cache")?;
        drop(bytes);
        self.summary.files += 1;
        self.rejected("malformed", malformed);
        let now = self.store.clock.now();
        for entry in entries {
            if let Some((keys, candidate)) = entry.candidate() {
                for key in keys {
                    self.candidate(key, candidate.clone()).await?;
                }
            }
            match entry.value(now) {
                Some((key, named)) => self.value(key, named).await?,
                None => self.summary.expired += 1,
            }
        }
        Ok(())
    }

    async fn snapshot(&mut self, path: &Path, input: impl Read) -> anyhow::Result<()> {
        let now = self.store.clock.now();
        let mut reader = Reader::open(input, self.secret.as_ref(), self.left)?;
        let before = self.summary.candidates + self.summary.values;
        loop {
            match reader.next_item(now) {
                Ok(None) => break,
                Ok(Some(Item::Candidate(key, entry))) => self.candidate(key, entry).await?,
                Ok(Some(Item::Named(key, named))) => self.value(key, named).await?,
                Ok(Some(Item::Rejected(why))) => self.rejected(why.name(), 1),
                Err(error) => {
                    let taken = self.summary.candidates + self.summary.values - before;
                    let path = path.display();
                    return Err(error).context(format!("after {taken} entries of {path}"));
                }
            }
        }
        self.summary.files += 1;
        self.summary.snapshots += 1;
        Ok(())
    }

    /// Takes over the bodies that are not here yet, as far as there is room beside those that are: what
    /// nobody has confirmed must not displace what GitHub did.
    async fn candidate(&mut self, key: Key, mut entry: Entry) -> anyhow::Result<()> {
        if let Some(Slot::Answers(held)) = self.store.disk.get(&key) {
            let known = |digest| held.variant(digest).is_some();
            entry.variants.retain(|variant| !known(variant.digest));
            let room = VARIANTS_MAX.saturating_sub(held.variants.len());
            entry.variants.truncate(room);
        }
        if entry.variants.is_empty() {
            self.summary.known += 1;
            return Ok(());
        }
        let bytes = entry.weight();
        self.summary.candidates += 1;
        self.put(key, Slot::Answers(entry.into()), bytes).await
    }

    /// Takes over a value, unless a newer one is here.
    async fn value(&mut self, key: Key, named: Named) -> anyhow::Result<()> {
        if let Some(Slot::Named(held)) = self.store.disk.get(&key)
            && held.stored_at >= named.stored_at
        {
            self.summary.known += 1;
            return Ok(());
        }
        let bytes = (named.key.len() + named.value.len()) as u64;
        self.summary.values += 1;
        self.put(key, Slot::Named(named.into()), bytes).await
    }

    async fn put(&mut self, key: Key, slot: Slot, bytes: u64) -> anyhow::Result<()> {
        self.left = self
            .left
            .checked_sub(bytes)
            .context("there is more than --limit allows")?;
        self.summary.bytes += bytes;
        if self.summary.dry_run {
            return Ok(());
        }
        self.store.disk.put(key, slot);
        self.waiting.0 += bytes;
        self.waiting.1 += 1;
        if self.waiting.0 >= AT_ONCE.0 || self.waiting.1 >= AT_ONCE.1 {
            self.waiting = (0, 0);
            self.store.disk.flush().await;
        }
        Ok(())
    }

    fn rejected(&mut self, why: &'static str, count: u64) {
        if count > 0 {
            *self.summary.rejected.entry(why).or_default() += count;
        }
    }

    fn skip(&mut self, path: &Path, error: &anyhow::Error) {
        skip(&mut self.summary, path, error);
    }
}

fn skip(summary: &mut Summary, path: &Path, error: &anyhow::Error) {
    summary.skipped.push(Skipped {
        path: plain(&path.display().to_string()),
        reason: format!("{error:#}"),
    });
}

/// Opens a regular file: not through a link that was put there since we looked, nor waiting for a pipe.
fn open(path: &Path) -> anyhow::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        bail!("it is not a regular file");
    }
    Ok(file)
}

fn text(summary: &Summary) -> String {
    let verb = if summary.dry_run {
        "would import"
    } else {
        "imported"
    };
    let mut lines = vec![format!(
        "{verb} {} answers that GitHub has to confirm and {} values, {}, from {} files",
        summary.candidates,
        summary.values,
        render::bytes(summary.bytes),
        summary.files,
    )];
    for (count, what) in [
        (summary.known, "were here already"),
        (summary.expired, "had expired"),
    ] {
        if count > 0 {
            lines.push(format!("  {count} {what}"));
        }
    }
    for (why, count) in &summary.rejected {
        lines.push(format!("  {count} not taken over: {why}"));
    }
    for (why, count) in &summary.disk {
        lines.push(format!("  the store reported {why} {count} times"));
    }
    for skipped in summary.skipped.iter().take(COMPLAINTS) {
        lines.push(format!("  skipped {}: {}", skipped.path, skipped.reason));
    }
    if summary.skipped.len() > COMPLAINTS {
        let more = summary.skipped.len() - COMPLAINTS;
        lines.push(format!("  skipped {more} more; --format json names them"));
    }
    lines.join("\n")
}
