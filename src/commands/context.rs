//! What every command knows: the environment, the working directory, and which daemon is meant.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::print;
use crate::cli::Target;
use crate::config::{
    self, Directories, Environment, Owner, Reading, Settings, directories, env, sources,
};
use crate::daemon::{JobEnd, Living, Ready};
use crate::files;
use crate::github;

/// The surroundings of a command.
pub(super) struct Context<'a> {
    environment: &'a Environment,
    working_dir: PathBuf,
}

impl<'a> Context<'a> {
    pub(super) fn new(environment: &'a Environment) -> anyhow::Result<Self> {
        let working_dir = std::env::current_dir().context("no working directory")?;
        Ok(Self {
            environment,
            working_dir,
        })
    }

    pub(super) fn environment(&self) -> &'a Environment {
        self.environment
    }

    pub(super) fn working_dir(&self) -> &Path {
        &self.working_dir
    }

    /// What a daemon is started with: the flags, and where they say nothing the environment, the env
    /// file and the files. Paths are absolute. Says what people should know about it.
    pub(super) fn settings(&self, flags: Settings) -> anyhow::Result<Settings> {
        let read = self.read(flags, Reading::Everything);
        let (settings, notices) = match Owner::of(self.environment) {
            Owner::Job => read.into_settings_of_job(),
            Owner::Host | Owner::User => read.into_settings(),
        }?;
        for notice in notices {
            print::complaint(&notice);
        }
        Ok(self.proxied(settings))
    }

    /// The same with every notice, problem and origin, and nothing said.
    pub(super) fn read(&self, flags: Settings, reading: Reading) -> sources::Read {
        sources::read(flags, self.environment, &self.working_dir, reading)
    }

    /// For whom a daemon with these settings is.
    pub(super) fn owner(&self, settings: &Settings) -> Owner {
        settings
            .owner
            .unwrap_or_else(|| Owner::of(self.environment))
    }

    /// Whether this command runs in a job.
    pub(super) fn in_job(&self) -> bool {
        Owner::of(self.environment) == Owner::Job
    }

    /// Where the files of a daemon with these settings go.
    pub(super) fn directories(&self, settings: &Settings) -> anyhow::Result<Directories> {
        Ok(Directories::find(
            settings,
            self.environment,
            &self.working_dir,
        )?)
    }

    /// What tells a process of a job's daemon that the job is gone; nothing if `owner` is not a job.
    pub(super) fn job_end(
        &self,
        owner: Owner,
        state_dir: &Path,
        keeper: Option<u32>,
    ) -> Option<JobEnd> {
        if owner != Owner::Job {
            return None;
        }
        if keeper.is_none() {
            // It has to be there to be missed. Who needs it says so if it cannot be made. A keeper has made it.
            let _ = files::private_dir(state_dir);
        }
        let temp = self.environment.absolute(env::RUNNER_TEMP);
        Some(JobEnd::new(state_dir, temp.as_deref(), keeper))
    }

    /// The settings of a daemon that `target` means, as far as its directories depend on them: files of
    /// the workspace have no say in those. What is written wrongly is left out: who has nothing to start
    /// needs no more than the places.
    pub(super) fn settings_of(&self, target: &Target) -> Settings {
        self.read(target.settings(), Reading::Named).settings
    }

    /// How GitHub is asked when no daemon answers. A setting that is wrong fails nothing, except with
    /// `--strict`; the inner error is that of one that may say where GitHub is, and stops only who has
    /// to know.
    pub(super) fn github(
        &self,
        target: &Target,
    ) -> anyhow::Result<Result<github::Config, config::Error>> {
        let read = self.read(target.settings(), Reading::Named);
        if read.settings.is_strict() || !read.knows_origin() {
            let strict = read.settings.is_strict();
            return match read.into_settings() {
                Ok((settings, _)) => Ok(Ok(self.proxied(settings).github())),
                Err(error) if strict => Err(error.into()),
                Err(error) => Ok(Err(error)),
            };
        }
        Ok(Ok(self.proxied(read.settings).github()))
    }

    /// The same with the proxies of the environment, which no layer has.
    pub(super) fn proxied(&self, mut settings: Settings) -> Settings {
        settings.proxies = self.environment.proxies();
        settings
    }

    /// The daemon that `target` means, dead or alive, after a notice if it caches nothing.
    pub(super) fn daemon(&self, target: &Target) -> anyhow::Result<Living> {
        // What is written wrongly concerns the next start, which says so. It must not keep anybody from
        // using or stopping the daemon that runs.
        let settings = self.read(target.settings(), Reading::Environment).settings;
        if let Some(socket) = settings.socket {
            return Ok(Living::at(socket));
        }
        let state = directories::state_dir(&settings, self.environment)?;
        let announced = Ready::read(&state);
        if announced.as_ref().is_some_and(Ready::passes_through) {
            notice_pass_through(&state);
        }
        let default = directories::socket_of(&state, self.environment);
        Ok(Living::of(&state, default))
    }

    pub(super) fn no_color(&self) -> bool {
        self.environment.os(env::NO_COLOR).is_some()
    }
}

fn notice_pass_through(state: &Path) {
    print::complaint(&format!(
        "the daemon keeps dying, so nothing is cached for now; see {}",
        state.join("daemon.log").display()
    ));
}

/// What to say when no daemon answers.
pub(super) const NO_DAEMON: &str = "no daemon is running; start one with `ghswarm start`";
