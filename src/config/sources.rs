//! Everything that has a say, put together: flags > environment > env file > files > defaults.
//!
//! Nothing stops at the first problem: who has to put a file right wants to know all that is wrong.

mod files;
mod layer;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::Path;

use super::origin::{Origin, Problem, Slot, shown};
use super::setting::Setting;
use super::settings::Settings;
use super::table::{self, Effect, Kind, Place, Row, Status};
use super::{Environment, Error, env, near};
use crate::runner::variable;

use layer::Layer;

/// The variables of ours that are no setting: what the actions and the installer read and hand on, and what programs are told.
pub fn beside_settings() -> impl Iterator<Item = &'static str> {
    let told = [env::API_URL, env::ADMIN_URL, env::ADMIN_TOKEN_FILE];
    let of_jobs = [env::PROGRAM, variable::JOB_INDEX, variable::JOB_TOTAL];
    let inputs = table::rows().iter().map(|row| row.name.as_str());
    let inputs = inputs.filter(|name| name.starts_with(env::INPUT));
    let others = env::OF_THE_INSTALLER.into_iter().chain(told).chain(of_jobs);
    others.chain([env::CACHE_LIST_TOKEN]).chain(inputs)
}

/// Keys of parts that are not built, in the notice about them: the files of the documents have sixty.
const NOT_BUILT_NAMED: usize = 8;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// The environment and the env file: enough to find a daemon.
    Environment,
    /// And the file that `--config` names: enough to find the directories.
    Named,
    /// And, if no file is named, those of the workspace: what a daemon is started with.
    Everything,
}

/// What all sources say together.
#[derive(Debug)]
pub struct Read {
    /// What is set, with absolute paths. Whoever starts a daemon with it has read everything.
    pub settings: Settings,
    /// What people should know although it stops nothing.
    pub notices: Vec<String>,
    /// What cannot be done as it is written; it is left out of `settings`.
    pub problems: Vec<Problem>,
    /// How many of them, the last ones, are in files of the workspace.
    of_workspace: usize,
    origins: BTreeMap<Slot, Origin>,
}

impl Read {
    /// Where the value of `slot` comes from.
    pub fn origin(&self, slot: &Slot) -> &Origin {
        self.origins.get(slot).unwrap_or(&Origin::Default)
    }

    /// The settings and the notices, unless there is a problem.
    pub fn into_settings(self) -> Result<(Settings, Vec<String>), Error> {
        if self.problems.is_empty() {
            Ok((self.settings, self.notices))
        } else {
            Err(Error::Problems(self.problems))
        }
    }

    /// The same in a job, which does not fail for what a pull request wrote: problems in files of the
    /// workspace become one notice, and the defaults hold. With `--strict` they stay problems.
    pub fn into_settings_of_job(mut self) -> Result<(Settings, Vec<String>), Error> {
        let theirs = self.problems.len() == self.of_workspace;
        if theirs && !self.problems.is_empty() && !self.settings.is_strict() {
            let problems = Error::Problems(std::mem::take(&mut self.problems));
            self.notices
                .push(format!("the defaults hold instead: {problems}"));
        }
        self.into_settings()
    }

    /// Whether it is certain where GitHub is in spite of the problems: none of them is about an origin,
    /// or about something that could have been meant as one. A token must not go elsewhere for a slip.
    pub fn knows_origin(&self) -> bool {
        let knows = |problem: &Problem| {
            let name = match &problem.origin {
                Origin::Default => return true,
                Origin::Flag(name) | Origin::Variable(name) | Origin::Line { name, .. } => name,
            };
            let known = table::rows().iter().find(|row| row.name == *name);
            known.is_some_and(|row| {
                let is = |setting| row.status == Status::Effect(Effect::Same(setting));
                !is(Setting::Origin) && !is(Setting::OriginFor)
            })
        };
        self.problems.iter().all(knows)
    }
}

/// Reads what has a say beside `flags`.
pub fn read(
    mut flags: Settings,
    environment: &Environment,
    working_dir: &Path,
    reading: Reading,
) -> Read {
    let mut sources = Sources::new(environment, working_dir);
    let mut of_workspace = 0;
    let mut layers = vec![Layer::of_flags(&flags)];
    if !flags.settled {
        if flags.env_file.is_none() {
            flags.env_file = environment.path(env::ENV_FILE);
        }
        let in_file = sources.env_file(flags.env_file.as_deref());
        layers.extend(sources.variables(&Variables::Environment(environment)));
        layers.extend(sources.variables(&Variables::File(&in_file)));
        if flags.config.is_none() {
            let named = in_file.get(env::CONFIG).map(|(_, value)| Path::new(value));
            let of_file = || named.and_then(|path| environment.expand(path));
            flags.config = environment.path(env::CONFIG).or_else(of_file);
        }
        if let Some(path) = flags.config.clone().filter(|_| reading >= Reading::Named) {
            layers.push(sources.named_file(&path));
        } else if reading == Reading::Everything {
            let before = sources.problems.len();
            layers.push(sources.workspace());
            of_workspace = sources.problems.len() - before;
        }
        layers.push(implied(environment));
        flags.settled = true;
    }
    Read {
        of_workspace,
        ..sources.together(flags, layers)
    }
}

/// What the place where a daemon is started says by itself, weaker than everything that somebody wrote: the
/// runners of a repository share with one another.
fn implied(environment: &Environment) -> Layer {
    let mut layer = Layer::default();
    if let Some(repository) = environment.get(env::GITHUB_REPOSITORY) {
        let origin = Origin::Variable(env::GITHUB_REPOSITORY.to_owned());
        // One that is none is no pool, and no problem either.
        let _ = layer.assign(Setting::Pool, &[repository.to_owned()], &origin);
    }
    layer
}

/// Variables by name: where from, and what.
type Lines = BTreeMap<String, (Origin, String)>;

enum Variables<'a> {
    Environment(&'a Environment),
    File(&'a Lines),
}

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<(Origin, OsString)> {
        match self {
            Self::Environment(environment) => {
                let value = environment.os(name)?.to_owned();
                Some((Origin::Variable(name.to_owned()), value))
            }
            Self::File(lines) => {
                let (origin, value) = lines.get(name)?;
                Some((origin.clone(), value.into()))
            }
        }
    }
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Author {
    /// Whoever starts the daemon named it, or set the variable.
    User,
    /// Anybody who opens a pull request.
    Anybody,
}

struct Sources<'a> {
    environment: &'a Environment,
    working_dir: &'a Path,
    notices: Vec<String>,
    problems: Vec<Problem>,
    not_built: Vec<Origin>,
    not_built_usual: Vec<Origin>,
    not_theirs: Vec<Origin>,
    too_much: Vec<String>,
}

impl<'a> Sources<'a> {
    fn new(environment: &'a Environment, working_dir: &'a Path) -> Self {
        Self {
            environment,
            working_dir,
            notices: Vec::new(),
            problems: Vec::new(),
            not_built: Vec::new(),
            not_built_usual: Vec::new(),
            not_theirs: Vec::new(),
            too_much: Vec::new(),
        }
    }

    fn problem(&mut self, origin: Origin, reason: impl Into<String>) {
        let reason = reason.into();
        self.problems.push(Problem { origin, reason });
    }

    /// What an action was given, in a weaker layer our own variables, and in a still weaker one those of the
    /// older documents.
    fn variables(&mut self, variables: &Variables<'_>) -> [Layer; 3] {
        let rows = table::rows()
            .iter()
            .filter(|row| row.place == Place::Variable);
        let (ours, old): (Vec<_>, Vec<_>) = rows.partition(|row| row.name.starts_with(env::PREFIX));
        let (inputs, ours): (Vec<_>, Vec<_>) = ours
            .into_iter()
            .partition(|row| row.name.starts_with(env::INPUT));
        if let Variables::Environment(environment) = variables {
            self.slips(environment);
        }
        [inputs, ours, old].map(|rows| {
            let mut layer = Layer::default();
            for row in rows {
                if let Some((origin, value)) = variables.get(&row.name) {
                    self.variable(&mut layer, row, origin, &value);
                }
            }
            layer
        })
    }

    fn variable(&mut self, layer: &mut Layer, row: &'static Row, origin: Origin, value: &OsStr) {
        if let (Kind::Path, Status::Effect(Effect::Same(setting))) = (row.kind, row.status) {
            // Of the two old names of the cache directory the first in the table wins.
            if setting == Setting::CacheDir && layer.has(setting) {
                return;
            }
            match self.environment.expand(Path::new(value)) {
                Some(path) => layer.put_path(setting, self.working_dir.join(path), origin),
                None => self.problem(origin, "HOME is not set, so ~ means nothing"),
            }
            return;
        }
        let Some(text) = value.to_str() else {
            return self.problem(origin, "not UTF-8 text");
        };
        match row.kind.read_text(text) {
            // An action gives its default also when nobody asked for anything.
            Ok(texts) if row.name.starts_with(env::INPUT) && texts == [row.default] => {}
            Ok(texts) => self.take(layer, row, &texts, &origin, Author::User),
            Err(reason) => self.problem(origin, reason),
        }
    }

    /// Says so if a variable looks like a slip of the finger. Not a problem: programs around us may have
    /// variables that begin as ours do.
    fn slips(&mut self, environment: &Environment) {
        let mut known: Vec<_> = Setting::all().map(Setting::variable).collect();
        known.extend([env::CONFIG, env::ENV_FILE]);
        known.extend(beside_settings());
        for name in environment.names() {
            let Some(rest) = name.strip_prefix(env::PREFIX) else {
                continue;
            };
            let names = known
                .iter()
                .filter_map(|known| known.strip_prefix(env::PREFIX));
            if !known.contains(&name)
                && let Some(near) = near::nearest(rest, names)
            {
                let meant = format!("{}{near}", env::PREFIX);
                self.notices
                    .push(format!("{name} means nothing here; did you mean {meant}?"));
            }
        }
    }

    /// Does with one value what the table says.
    fn take(
        &mut self,
        layer: &mut Layer,
        row: &'static Row,
        texts: &[String],
        origin: &Origin,
        author: Author,
    ) {
        let said = texts.join(",");
        match row.status {
            Status::Effect(effect) => {
                for (setting, mut texts) in effect.settings(texts) {
                    if author == Author::Anybody {
                        // A workspace may end sharing, and never begin it.
                        if setting == Setting::NoP2p && texts == ["false"] {
                            continue;
                        }
                        self.bound(setting, &mut texts, origin);
                    }
                    self.problems.extend(layer.assign(setting, &texts, origin));
                }
            }
            // Off is what it is, and nothing is none.
            Status::NotBuilt if said.is_empty() => {}
            Status::NotBuilt if row.kind == Kind::Boolean && said == "false" => {}
            Status::NotBuilt if said == row.default => self.not_built_usual.push(origin.clone()),
            Status::NotBuilt => self.not_built.push(origin.clone()),
            Status::Refused { reason, unless } => {
                if said != unless {
                    self.notices.push(format!("{origin}: not done: {reason}"));
                }
            }
        }
    }

    fn bound(&mut self, setting: Setting, texts: &mut [String], origin: &Origin) {
        for text in texts {
            if let Some(less) = table::bounded(setting, text) {
                self.too_much.push(format!("{origin} (taken as {less})"));
                *text = less;
            }
        }
    }

    fn together(mut self, flags: Settings, layers: Vec<Layer>) -> Read {
        // Most of what is copied from the documents has its usual value: what is not comes first.
        self.not_built.append(&mut self.not_built_usual);
        if !self.not_built.is_empty() {
            let named = self.not_built.len().min(NOT_BUILT_NAMED);
            let mut keys = together(&self.not_built[..named]);
            if self.not_built.len() > named {
                let _ = write!(keys, " and {} more", self.not_built.len() - named);
            }
            self.notices
                .push(format!("not built yet, so without effect: {keys}"));
        }
        if !self.too_much.is_empty() {
            self.notices.push(format!(
                "more than a workspace can ask for: {}; \
                 use a flag, a variable, or a file named by --config",
                self.too_much.join(", ")
            ));
        }
        if !self.not_theirs.is_empty() {
            let keys = together(&self.not_theirs);
            self.notices.push(format!(
                "a workspace cannot set these, so they are ignored: {keys}; \
                 use a flag, a variable, or a file named by --config"
            ));
        }
        let mut settings = flags;
        let mut origins = BTreeMap::new();
        for layer in layers {
            for (slot, origin) in layer.origins() {
                origins
                    .entry(slot.clone())
                    .or_insert_with(|| origin.clone());
            }
            settings = settings.or(layer.into_settings());
        }
        if settings.socket.is_none() {
            // A stronger layer chose another state directory.
            origins.retain(|slot, _| slot.setting != Setting::Socket);
        }
        // A stronger layer named another place.
        let gone = |setting| match setting {
            Setting::SecretFile => settings.secret_file.is_none(),
            Setting::SecretEnv => settings.secret_env.is_none(),
            _ => false,
        };
        origins.retain(|slot, _| !gone(slot.setting));
        Read {
            settings: settings.anchored(self.working_dir),
            notices: self.notices,
            problems: self.problems,
            of_workspace: 0,
            origins,
        }
    }
}

/// Several places in one line: `FILE: cache.directory (line 5), p2p.enabled (line 9)`.
fn together(origins: &[Origin]) -> String {
    let mut text = String::new();
    let mut file: Option<&Path> = None;
    for origin in origins {
        let (own, name) = match origin {
            Origin::Line { path, line, name } => {
                let name = format!("{} (line {line})", shown(name));
                (Some(path.as_ref()), name)
            }
            origin => (None, origin.to_string()),
        };
        if !text.is_empty() {
            text.push_str(", ");
        }
        if let Some(path) = own.filter(|own| Some(*own) != file) {
            let _ = write!(text, "{}: ", path.display());
        }
        text.push_str(&name);
        file = own;
    }
    text
}

#[cfg(test)]
mod tests;
