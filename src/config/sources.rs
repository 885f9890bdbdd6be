//! Everything that has a say, put together: flags > environment > env file > files > defaults.
//!
//! Nothing stops at the first problem: who has to put a file right wants to know all that is wrong.

mod layer;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::origin::{Origin, Problem, Slot, shown};
use super::setting::Setting;
use super::settings::Settings;
use super::table::{self, Effect, Kind, Place, Reach, Row, Status, Value};
use super::{Environment, Error, document, env, env_file, near, workspace};

use layer::Layer;

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
}

/// Reads what has a say beside `flags`.
pub fn read(
    mut flags: Settings,
    environment: &Environment,
    working_dir: &Path,
    reading: Reading,
) -> Read {
    let mut sources = Sources::new(environment, working_dir);
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
            layers.push(sources.workspace());
        }
        flags.settled = true;
    }
    sources.together(flags, layers)
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
            not_theirs: Vec::new(),
            too_much: Vec::new(),
        }
    }

    fn problem(&mut self, origin: Origin, reason: impl Into<String>) {
        let reason = reason.into();
        self.problems.push(Problem { origin, reason });
    }

    /// Our own variables, and in a weaker layer those of the older documents.
    fn variables(&mut self, variables: &Variables<'_>) -> [Layer; 2] {
        let is_ours = |row: &&Row| row.name.starts_with(env::PREFIX);
        let rows = table::rows()
            .iter()
            .filter(|row| row.place == Place::Variable);
        let (ours, old): (Vec<_>, Vec<_>) = rows.partition(is_ours);
        if let Variables::Environment(environment) = variables {
            self.slips(environment);
        }
        [ours, old].map(|rows| {
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
            Ok(texts) => self.take(layer, row, &texts, &origin, Author::User),
            Err(reason) => self.problem(origin, reason),
        }
    }

    /// Says so if a variable looks like a slip of the finger. Not a problem: programs around us may have
    /// variables that begin as ours do.
    fn slips(&mut self, environment: &Environment) {
        let mut known: Vec<_> = Setting::all().map(Setting::variable).collect();
        known.extend([env::CONFIG, env::ENV_FILE]);
        known.extend([env::API_URL, env::ADMIN_URL, env::ADMIN_TOKEN_FILE]);
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

    /// The lines of an env file.
    fn env_file(&mut self, path: Option<&Path>) -> Lines {
        let mut lines = Lines::new();
        let Some(path) = path.map(|path| self.working_dir.join(path)) else {
            return lines;
        };
        let path: Arc<Path> = path.into();
        let at = |line, name: &str| Origin::Line {
            path: path.clone(),
            line,
            name: name.to_owned(),
        };
        let bytes = match workspace::read_named(&path) {
            Ok(bytes) => bytes,
            Err(reason) => {
                self.problem(at(0, ""), reason);
                return lines;
            }
        };
        let (read, wrong) = env_file::read(&bytes);
        for wrong in wrong {
            self.problem(at(wrong.number, ""), wrong.reason);
        }
        let mut not_ours = Vec::new();
        for line in read {
            let origin = at(line.number, &line.name);
            let known =
                line.name == env::CONFIG || table::find(Place::Variable, &line.name).is_some();
            let looks_like_ours = [env::PREFIX, "CACHE_", "P2P_"];
            if known {
                // An empty variable is an absent one, here as in the environment.
                if line.value.is_empty() {
                    lines.remove(&line.name);
                } else {
                    lines.insert(line.name, (origin, line.value));
                }
            } else if looks_like_ours
                .iter()
                .any(|start| line.name.starts_with(start))
            {
                let names = table::rows()
                    .iter()
                    .filter(|row| row.place == Place::Variable);
                let near = near::did_you_mean(&line.name, names.map(|row| row.name.as_str()));
                self.problem(origin, format!("no such variable{near}"));
            } else {
                not_ours.push(origin);
            }
        }
        if !not_ours.is_empty() {
            self.notices
                .push(format!("means nothing here: {}", together(&not_ours)));
        }
        lines
    }

    /// The file that somebody named.
    fn named_file(&mut self, path: &Path) -> Layer {
        let path = self.working_dir.join(path);
        match workspace::read_named(&path) {
            Ok(bytes) => {
                let mut layer = Layer::default();
                self.document(&mut layer, &path, &bytes, Author::User);
                layer
            }
            Err(reason) => {
                let (path, name) = (path.into(), String::new());
                self.problem(
                    Origin::Line {
                        path,
                        line: 0,
                        name,
                    },
                    reason,
                );
                Layer::default()
            }
        }
    }

    /// The files of the workspace.
    fn workspace(&mut self) -> Layer {
        let mut layer = Layer::default();
        let Some(root) = workspace::find(self.environment, self.working_dir) else {
            return layer;
        };
        for name in workspace::NAMES {
            let path = root.join(workspace::FOLDER).join(name);
            match workspace::read(&root, name) {
                Ok(None) => {}
                Ok(Some(bytes)) => self.document(&mut layer, &path, &bytes, Author::Anybody),
                Err(reason) => {
                    let (path, name) = (path.into(), String::new());
                    self.problem(
                        Origin::Line {
                            path,
                            line: 0,
                            name,
                        },
                        reason,
                    );
                }
            }
        }
        layer
    }

    fn document(&mut self, layer: &mut Layer, path: &Path, bytes: &[u8], author: Author) {
        let path: Arc<Path> = path.into();
        let at = |line, name: &str| Origin::Line {
            path: path.clone(),
            line,
            name: name.to_owned(),
        };
        let (entries, wrong) = document::read(bytes);
        for wrong in wrong {
            self.problem(at(wrong.line, &wrong.key), wrong.reason);
        }
        for entry in entries {
            let origin = at(entry.line, &entry.row.name);
            let row = entry.row;
            match row.kind.read(&entry.value) {
                _ if entry.value == Value::Null => {}
                Ok(texts) if author == Author::Anybody && !is_theirs(row) => {
                    // What they copied from the documents asks for nothing.
                    if texts.join(",") != row.default {
                        self.not_theirs.push(origin);
                    }
                }
                Ok(texts) => match self.placed(row, texts, &path) {
                    Ok(texts) => self.take(layer, row, &texts, &origin, author),
                    Err(reason) => self.problem(origin, reason),
                },
                Err(reason) => self.problem(origin, reason),
            }
        }
    }

    /// The home directory in the place of `~`, and paths from the folder of their file on.
    fn placed(&self, row: &Row, texts: Vec<String>, file: &Path) -> Result<Vec<String>, String> {
        if row.kind != Kind::Path {
            return Ok(texts);
        }
        let absolute = |text: String| {
            let path = self.environment.expand(Path::new(&text));
            let path = path.ok_or("HOME is not set, so ~ means nothing")?;
            let folder = file.parent().unwrap_or(self.working_dir);
            let path = folder.join(path).into_os_string();
            path.into_string()
                .map_err(|_| "the path is not UTF-8 text".to_owned())
        };
        texts.into_iter().map(absolute).collect()
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
                        self.bound(setting, &mut texts, origin);
                    }
                    self.problems.extend(layer.assign(setting, &texts, origin));
                }
            }
            // Off is what it is.
            Status::NotBuilt if row.kind == Kind::Boolean && said == "false" => {}
            Status::NotBuilt => {
                if said != row.default {
                    self.not_built.push(origin.clone());
                }
            }
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
        if !self.not_built.is_empty() {
            let keys = together(&self.not_built);
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
        Read {
            settings: settings.anchored(self.working_dir),
            notices: self.notices,
            problems: self.problems,
            origins,
        }
    }
}

/// Whether a workspace may set it. What has no effect points nowhere either, and gets its usual notice.
fn is_theirs(row: &Row) -> bool {
    match row.status {
        Status::Effect(effect) => effect.reach() == Reach::Workspace,
        Status::NotBuilt | Status::Refused { .. } => true,
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
