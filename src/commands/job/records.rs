//! The folder of peer records in the workspace: what was restored into it is taken in, and our own record is
//! left in it for the official cache action to save.
//!
//! The workspace belongs to whoever wrote what was checked out. So no link is followed here, and what stands in the
//! folder before anything was restored is removed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::context::Context;
use super::names;
use crate::daemon::{AskError, Living};
use crate::discovery::Imported;
use crate::files;
use crate::registry::file::FILE_MAX;

/// The file of our record.
const OWN: &str = "record";
/// The most files that are looked at: each restored entry has one.
const MOST: usize = 16;
/// The longest wait until the daemon has an address for its record.
const PATIENCE: Duration = Duration::from_secs(5);

/// Our record in a store.
#[derive(Deserialize)]
struct Registration {
    name: String,
    /// It has tickets in it.
    file: String,
}

/// Removes whatever files are in the folder.
pub(super) fn empty(context: &Context<'_>) -> anyhow::Result<()> {
    for path in found(context)? {
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// The regular files in the folder.
fn found(context: &Context<'_>) -> anyhow::Result<Vec<PathBuf>> {
    let Some(folder) = existing(context)? else {
        return Ok(Vec::new());
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(&folder)?.take(MOST) {
        let entry = entry?;
        // Not what a link leads to.
        if entry.file_type()?.is_file() {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

/// The folder, if it is there; an error if it, or what it is in, is a link or somebody else's.
fn existing(context: &Context<'_>) -> anyhow::Result<Option<PathBuf>> {
    for name in [names::FOLDER, names::RECORDS] {
        let path = names::in_workspace(name, context);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            _ => files::private_dir(&path)?,
        }
    }
    Ok(Some(names::in_workspace(names::RECORDS, context)))
}

/// Tells the daemon of the peers whose records were restored.
pub(super) async fn take_in(living: &Living, context: &Context<'_>) -> anyhow::Result<Imported> {
    let mut all = Imported::default();
    for path in found(context)? {
        let text = Zeroizing::new(files::read_small(&path, FILE_MAX)?);
        let body = Bytes::copy_from_slice(&text);
        let answer = match living.ask(Method::POST, "/peers/import", body).await {
            // Not a file of records: who wrote it has the loss.
            Err(AskError::Refused { status, .. }) if status.as_u16() == 422 => continue,
            answer => answer?,
        };
        let one: Imported =
            serde_json::from_slice(&answer).context("the daemon's answer makes no sense")?;
        all.taken.extend(one.taken);
        all.known.extend(one.known);
        all.refused.extend(one.refused);
    }
    Ok(all)
}

/// Writes the record of the daemon into the folder, alone, and returns the key under which it is to be saved.
pub(super) async fn leave(
    living: &Living,
    repository: u64,
    context: &Context<'_>,
) -> anyhow::Result<String> {
    let asked = tokio::time::timeout(PATIENCE, own(living, repository)).await;
    let Registration { name, file } = asked.unwrap_or_else(|_| {
        let seconds = PATIENCE.as_secs();
        anyhow::bail!("the daemon had no address for its peers within {seconds} s")
    })?;
    for folder in [names::FOLDER, names::RECORDS] {
        files::private_dir(&names::in_workspace(folder, context))?;
    }
    empty(context)?;
    // Whoever asks git what changed in the workspace does not mean us.
    let ignored = Path::new(names::FOLDER).join(".gitignore");
    files::write_atomic(&names::workspace(context).join(ignored), b"*\n")?;
    let path = names::in_workspace(names::RECORDS, context).join(OWN);
    files::write_atomic(&path, Zeroizing::new(file).as_bytes())?;
    Ok(name)
}

async fn own(living: &Living, repository: u64) -> anyhow::Result<Registration> {
    let target = format!("/peers/register?repository={repository}");
    loop {
        match living.ask(Method::GET, &target, Bytes::new()).await {
            // The daemon has waited before it says so.
            Err(AskError::Refused { status, .. }) if status.as_u16() == 425 => {}
            answer => {
                return serde_json::from_slice(&answer?)
                    .context("the daemon's answer makes no sense");
            }
        }
    }
}
