//! The inputs of an action as settings.

use super::super::context::Context;
use super::Told;
use crate::config::table::{self, Place};
use crate::config::{self, Reading, Settings, Sharing, env};

/// What a job asks for.
#[derive(Debug)]
pub(super) struct Inputs {
    /// What a daemon is started with. What was written wrongly is as if it were not given.
    pub(super) settings: Settings,
    /// Nobody wants to share: `enable-p2p: false`, or a file says so.
    pub(super) disabled: bool,
    /// `enable-peer-discovery`: whether records are restored and left for others.
    pub(super) discovery: bool,
    /// `cache`: whether answers are carried from job to job through the Actions cache.
    pub(super) cache: bool,
}

impl Inputs {
    /// What the variables and the files say. Everything that is wrong with them becomes one fault.
    pub(super) fn read(context: &Context<'_>, told: &mut Told) -> Self {
        let read = context.read(Settings::default(), Reading::Everything);
        let mut settings = context.proxied(read.settings);
        if settings.is_strict() {
            told.be_strict();
        }
        for notice in &read.notices {
            told.detail(notice.clone());
        }
        if !read.problems.is_empty() {
            let problems = config::Error::Problems(read.problems);
            told.fault(format!("the defaults hold instead: {problems}"));
        }
        let disabled = settings.no_p2p == Some(true);
        if let Err(error) = Sharing::find(&settings, context.environment()) {
            told.fault(format!("nothing is shared with other runners: {error}"));
            settings = alone(settings);
        }
        Self {
            disabled,
            settings,
            discovery: is_on("ENABLE_PEER_DISCOVERY", true, context),
            cache: is_on("CACHE", false, context),
        }
    }

    /// Whether records of peers are of any use.
    pub(super) fn meets_peers(&self) -> bool {
        self.discovery && self.settings.no_p2p != Some(true) && self.settings.pool.is_some()
    }
}

/// Without everything that could keep a daemon from starting for the sake of its peers.
fn alone(settings: Settings) -> Settings {
    Settings {
        no_p2p: Some(true),
        trust: None,
        admission: None,
        secret_file: None,
        secret_env: None,
        ..settings
    }
}

/// An input that is a switch and no setting of the daemon. A value that makes no sense was told of already.
fn is_on(input: &str, default: bool, context: &Context<'_>) -> bool {
    let name = format!("{}{input}", env::INPUT);
    let row = table::find(Place::Variable, &name);
    let said = context.environment().get(&name);
    let texts = row
        .zip(said)
        .and_then(|(row, said)| row.kind.read_text(said).ok());
    texts.map_or(default, |texts| texts == ["true"])
}
