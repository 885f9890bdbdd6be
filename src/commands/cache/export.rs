//! `ghswarm cache export`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde::Serialize;

use super::super::context::Context;
use super::super::print;
use super::super::progress::Progress;
use super::{secret, store};
use crate::cli::{Export, SecretSource, StoreDir, SummaryFormat};
use crate::seal::SharedSecret;
use crate::stats::render;
use crate::store::Slot;
use crate::store::snapshot::{Error, Fresh, LeftOut, Writer};

/// What was written and what was not.
#[derive(Debug, Default, Serialize)]
struct Summary {
    sealed: bool,
    exported: u64,
    /// Before compression.
    bytes: u64,
    not_public: u64,
    not_shareable: u64,
    values_unsealed: u64,
    expired: u64,
    over_limit: u64,
}

pub(super) fn run(export: &Export, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let secret = secret::find(&export.secret, context)?;
    let to_stdout = export.file.as_os_str() == "-";
    let summary = if to_stdout {
        let out = io::stdout();
        if out.is_terminal() {
            bail!("a snapshot is not for a terminal; name a FILE, or pipe it on");
        }
        write(BufWriter::new(out.lock()), secret.as_ref(), export, context)?
    } else {
        let draft = Draft::of(&context.working_dir().join(&export.file))?;
        let summary = write(
            BufWriter::new(&draft.file),
            secret.as_ref(),
            export,
            context,
        )?;
        draft.keep()?;
        summary
    };
    match export.format {
        SummaryFormat::Json if !to_stdout => print::json(&summary)?,
        _ => print::to_people(&text(&summary)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes what of the store in `cache_dir` anybody may read to `path`, at most `limit` bytes of it. How many entries
/// that were, and a sentence about them.
pub(in crate::commands) fn public(
    path: &Path,
    cache_dir: &Path,
    limit: u64,
    context: &Context<'_>,
) -> anyhow::Result<(u64, String)> {
    let export = Export {
        file: path.to_owned(),
        limit,
        secret: SecretSource::default(),
        format: SummaryFormat::default(),
        store: StoreDir {
            cache_dir: Some(cache_dir.to_owned()),
        },
    };
    let draft = Draft::of(path)?;
    let summary = write(BufWriter::new(&draft.file), None, &export, context)?;
    draft.keep()?;
    Ok((summary.exported, text(&summary)))
}

fn write<W: io::Write>(
    out: W,
    secret: Option<&SharedSecret>,
    export: &Export,
    context: &Context<'_>,
) -> anyhow::Result<Summary> {
    let opened = store::open(&export.store, context)?;
    let now = opened.clock.now();
    let mut writer = match secret {
        None => Writer::public(out)?,
        Some(secret) => Writer::sealed(out, secret, fresh()?)?,
    };
    let mut summary = Summary {
        sealed: secret.is_some(),
        ..Summary::default()
    };
    let progress = Progress::new("writing", "entries");
    let total = opened.disk.counts().entries;
    let (mut done, mut failed) = (0, None::<Error>);
    opened.disk.each(&mut |key, slot| {
        done += 1;
        progress.at(done, total);
        if writer.plain_bytes().saturating_add(weight(&slot)) > export.limit {
            summary.over_limit += 1;
            return true;
        }
        match writer.add(&key, &slot, now) {
            Ok(None) => summary.exported += 1,
            Ok(Some(LeftOut::NotPublic)) => summary.not_public += 1,
            Ok(Some(LeftOut::NotShareable)) => summary.not_shareable += 1,
            Ok(Some(LeftOut::Named)) => summary.values_unsealed += 1,
            Ok(Some(LeftOut::Expired)) => summary.expired += 1,
            Ok(Some(LeftOut::TooLarge)) => summary.over_limit += 1,
            Err(error) => failed = Some(error),
        }
        failed.is_none()
    })?;
    if let Some(error) = failed {
        return Err(error).context("cannot write the snapshot");
    }
    summary.bytes = writer.plain_bytes();
    writer.finish().context("cannot write the snapshot")?;
    Ok(summary)
}

/// Bytes that a thing may take in a snapshot, at most.
fn weight(slot: &Slot) -> u64 {
    match slot {
        Slot::Answers(entry) => entry.weight(),
        Slot::Named(named) => (named.key.len() + named.value.len()) as u64 + 256,
    }
}

fn fresh() -> anyhow::Result<Fresh> {
    let mut fresh = Fresh {
        salt: Default::default(),
        prefix: Default::default(),
    };
    getrandom::fill(&mut fresh.salt)
        .and_then(|()| getrandom::fill(&mut fresh.prefix))
        .map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    Ok(fresh)
}

fn text(summary: &Summary) -> String {
    let kind = if summary.sealed { "sealed" } else { "public" };
    let mut text = format!(
        "exported {} entries, {}, into a {kind} snapshot",
        summary.exported,
        render::bytes(summary.bytes)
    );
    for (count, what) in [
        (
            summary.not_public,
            "not known to be public; --secret-file would seal them",
        ),
        (
            summary.values_unsealed,
            "values of `cache put`, which only a sealed snapshot takes",
        ),
        (summary.not_shareable, "of one credential alone"),
        (summary.expired, "expired"),
        (summary.over_limit, "over --limit"),
    ] {
        if count > 0 {
            let _ = write!(text, "\n  left out {count}: {what}");
        }
    }
    text
}

/// A file beside the one that is meant, which it becomes when all is well. Only its owner can read it.
struct Draft {
    file: File,
    temporary: Option<PathBuf>,
    path: PathBuf,
}

impl Draft {
    fn of(path: &Path) -> anyhow::Result<Self> {
        let name = path
            .file_name()
            .with_context(|| format!("{} is not the name of a file", path.display()))?;
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(hidden);
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary);
        let file = file.with_context(|| format!("cannot create {}", temporary.display()))?;
        Ok(Self {
            file,
            temporary: Some(temporary),
            path: path.to_owned(),
        })
    }

    fn keep(mut self) -> anyhow::Result<()> {
        if let Some(temporary) = self.temporary.take() {
            fs::rename(&temporary, &self.path)
                .with_context(|| format!("cannot write {}", self.path.display()))?;
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Half a snapshot is of no use to anybody.
            let _ = fs::remove_file(temporary);
        }
    }
}
