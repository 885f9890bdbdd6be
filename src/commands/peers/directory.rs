//! A directory as a store of records: `ghswarm peers register` and `cleanup`.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::super::context::Context;
use super::super::print;
use super::told_in_time;
use crate::cli::{SummaryFormat, Target};
use crate::clock::Clock;
use crate::config::env;
use crate::files;
use crate::registry::file::FILE_MAX;
use crate::registry::{Name, Paper, file, record};
use crate::time::Timestamp;

/// Parts of a name after what all begin with: repository, pool, hour, and the rest.
const LEVELS: usize = 4;
/// The most records that are looked at.
const MOST: usize = 10_000;

/// Our record as the daemon tells it.
#[derive(Deserialize)]
struct Registration {
    name: String,
    file: String,
}

pub(super) async fn register(
    directory: &Path,
    repository: Option<u64>,
    target: &Target,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    let of_job = || {
        context
            .environment()
            .get(env::GITHUB_REPOSITORY_ID)?
            .parse()
            .ok()
    };
    let repository = repository.or_else(of_job).unwrap_or(0);
    let path = format!("/peers/register?repository={repository}");
    let answer = told_in_time(target, context, &path).await?;
    let Registration { name, file } =
        serde_json::from_slice(&answer).context("the daemon's answer makes no sense")?;
    let ours = Name::read(&name).context("the daemon's answer makes no sense")?;
    let directory = context.working_dir().join(directory);
    let before = records(&directory)?;
    let path = directory.join(&name);
    if let Some(folder) = path.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    files::write_atomic(&path, file.as_bytes())?;
    for (older, name) in before {
        let same = Name::read(&name)
            .is_ok_and(|older| (older.peer, &older.pool) == (ours.peer, &ours.pool));
        if same && older != path {
            // Who removes it first does not matter.
            let _ = fs::remove_file(older);
        }
    }
    print::bytes(format!("{}\n", path.display()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// What `cleanup` did.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Summary {
    expired: usize,
    broken: usize,
    kept: usize,
    /// What could not be removed.
    failed: usize,
}

pub(super) fn cleanup(
    directory: &Path,
    format: SummaryFormat,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    let directory = context.working_dir().join(directory);
    if !directory.is_dir() {
        bail!("{} is not a directory", directory.display());
    }
    let summary = clean(&directory, Clock::system().now())?;
    match format {
        SummaryFormat::Json => print::json(&summary)?,
        SummaryFormat::Text => print::to_people(&format!(
            "removed {} expired and {} broken, kept {}",
            summary.expired, summary.broken, summary.kept
        )),
    }
    if summary.failed > 0 {
        print::complaint(&format!("{} could not be removed", summary.failed));
    }
    Ok(ExitCode::from(u8::from(summary.failed > 0)))
}

fn clean(directory: &Path, now: Timestamp) -> anyhow::Result<Summary> {
    let mut summary = Summary::default();
    for (path, name) in records(directory)? {
        let text = files::read_small(&path, FILE_MAX).map(Zeroizing::new);
        let text = text.as_ref().map_or(&[][..], |text| text.as_slice());
        let place = match fate(&name, text, now) {
            Fate::Kept => {
                summary.kept += 1;
                continue;
            }
            Fate::Expired => &mut summary.expired,
            Fate::Broken => &mut summary.broken,
        };
        match fs::remove_file(&path) {
            Ok(()) => *place += 1,
            Err(_) => summary.failed += 1,
        }
        // The folder of an hour, if that was the last one in it.
        if let Some(folder) = path.parent() {
            let _ = fs::remove_dir(folder);
        }
    }
    Ok(summary)
}

/// What is to become of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Expired,
    Broken,
}

/// The fate of what `name` and the file under it say. Of the records in the file, the first is the one that
/// the name is about.
fn fate(name: &str, text: &[u8], now: Timestamp) -> Fate {
    let Ok(name) = Name::read(name) else {
        return Fate::Broken;
    };
    let papers = file::read(text).unwrap_or_default();
    let first = papers.into_iter().next();
    let Some(Paper {
        envelope: Some(envelope),
        ..
    }) = first
    else {
        return Fate::Broken;
    };
    match record::expiry(&envelope) {
        Err(_) => Fate::Broken,
        Ok(until) if until != name.expires => Fate::Broken,
        Ok(until) if until <= now => Fate::Expired,
        Ok(_) => Fate::Kept,
    }
}

/// The files of all records in `directory`, with what they hold.
pub(super) fn files(directory: &Path) -> anyhow::Result<Vec<(PathBuf, Zeroizing<Vec<u8>>)>> {
    let read = |(path, _): (PathBuf, String)| {
        let text = files::read_small(&path, FILE_MAX).ok()?;
        Some((path, Zeroizing::new(text)))
    };
    Ok(records(directory)?.into_iter().filter_map(read).collect())
}

/// What is where a record may be: its path, and the name that this makes. Links and hidden files, which
/// somebody may be writing, are left alone.
fn records(directory: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut level = vec![(directory.join("ghswarm/1"), "ghswarm/1".to_owned())];
    for _ in 0..LEVELS {
        let mut below = Vec::new();
        for (folder, name) in level {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let Ok(last) = entry.file_name().into_string() else {
                    continue;
                };
                if last.starts_with('.') || entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                    continue;
                }
                if below.len() == MOST {
                    bail!("{} has more than {MOST} records", directory.display());
                }
                below.push((entry.path(), format!("{name}/{last}")));
            }
        }
        level = below;
    }
    Ok(level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Signed;
    use crate::swarm::{Identity, Pool};

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    /// A record's name and file, of the peer of `seed`.
    fn registered(seed: u8, at: Timestamp) -> (String, Zeroizing<String>) {
        let identity = Identity::from_seed(&Zeroizing::new([seed; 32])).unwrap();
        let pool = Pool::new("a/b").unwrap();
        let address = "/ip4/10.0.0.1/tcp/9000".parse().unwrap();
        let signed = Signed::own(&identity, &pool, &[address], at, true).unwrap();
        let name = Name::of(&signed.record, &pool, 1).sign(&identity).unwrap();
        (name, file::write([signed.expose()]))
    }

    fn put(directory: &Path, name: &str, text: &str) {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        files::write_atomic(&path, text.as_bytes()).unwrap();
    }

    #[test]
    fn what_has_expired_or_is_broken_goes_and_the_rest_stays() {
        let dir = tempfile::tempdir().unwrap();
        let old = NOW.minus(record::VALIDITY);
        let (good, file) = registered(1, NOW);
        put(dir.path(), &good, &file);
        let (expired, of_expired) = registered(2, old);
        put(dir.path(), &expired, &of_expired);
        // The file of another one, and a name that nobody signed.
        put(dir.path(), &registered(3, NOW).0, &of_expired);
        put(dir.path(), "ghswarm/1/1/pool/0/x", "x");
        // What is not in the place of a record is none of ours.
        for other in [
            "x",
            "ghswarm/1/y",
            "ghswarm/2/1/pool/0/x",
            "ghswarm/1/1/p/0/.z",
        ] {
            put(dir.path(), other, "x");
        }
        let summary = clean(dir.path(), NOW).unwrap();
        let expected = Summary {
            expired: 1,
            broken: 2,
            kept: 1,
            failed: 0,
        };
        assert_eq!(summary, expected);
        assert!(dir.path().join(&good).exists() && !dir.path().join(&expired).exists());
        for other in [
            "x",
            "ghswarm/1/y",
            "ghswarm/2/1/pool/0/x",
            "ghswarm/1/1/p/0/.z",
        ] {
            assert!(dir.path().join(other).exists(), "{other}");
        }
        assert_eq!(files(dir.path()).unwrap().len(), 1);
    }

    #[test]
    fn a_link_is_not_followed() {
        let (outside, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(outside.path(), "1/pool/0/x", "x");
        fs::create_dir(dir.path().join("ghswarm")).unwrap();
        fs::create_dir(dir.path().join("ghswarm/1")).unwrap();
        let link = dir.path().join("ghswarm/1/1");
        std::os::unix::fs::symlink(outside.path().join("1"), link).unwrap();
        assert_eq!(clean(dir.path(), NOW).unwrap(), Summary::default());
        assert!(outside.path().join("1/pool/0/x").exists());
    }
}
