//! The store on disk, without a daemon.

use std::path::PathBuf;

use anyhow::Context as _;

use super::super::context::Context;
use crate::cli::StoreDir;
use crate::clock::Clock;
use crate::config::{Reading, Settings};
use crate::files;
use crate::secret::LocalSecret;
use crate::store::{Disk, disk};

/// A store that is opened for one command.
pub(super) struct Opened {
    pub(super) disk: Disk,
    pub(super) directory: PathBuf,
    pub(super) clock: Clock,
}

/// Opens the store, or makes it.
pub(super) fn open(store: &StoreDir, context: &Context<'_>) -> anyhow::Result<Opened> {
    let flags = Settings {
        cache_dir: store.cache_dir.clone(),
        ..Settings::default()
    };
    // Files of the workspace have no say in where it is, and are not asked.
    let (settings, _) = context.read(flags, Reading::Named).into_settings()?;
    let cache = context.directories(&settings)?.cache;
    files::private_dir(&cache)?;
    let kept = files::read_or_create_secret(&cache.join("hmac.key"))?;
    let directory = cache.join("store");
    let clock = Clock::system();
    let config = disk::Config {
        directory: directory.clone(),
        // How much it may take is the daemons' business: a command that does not know their limit must
        // not evict for it.
        limit: u64::MAX,
    };
    let disk = Disk::open(&config, &LocalSecret::new(*kept.secret), clock.clone())
        .with_context(|| format!("cannot open the store in {}", directory.display()))?;
    Ok(Opened {
        disk,
        directory,
        clock,
    })
}
