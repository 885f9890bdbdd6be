//! The files: opened, read, and each of their values handed to the table.

use std::path::Path;
use std::sync::Arc;

use super::super::origin::Origin;
use super::super::table::{self, Kind, Place, Reach, Row, Status, Value};
use super::super::{document, env, env_file, near, workspace};
use super::layer::Layer;
use super::{Author, Lines, Sources, together};

impl Sources<'_> {
    /// The lines of an env file.
    pub(super) fn env_file(&mut self, path: Option<&Path>) -> Lines {
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
    pub(super) fn named_file(&mut self, path: &Path) -> Layer {
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
    pub(super) fn workspace(&mut self) -> Layer {
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
}

/// Whether a workspace may set it. What has no effect points nowhere either, and gets its usual notice.
fn is_theirs(row: &Row) -> bool {
    match row.status {
        Status::Effect(effect) => effect.reach() == Reach::Workspace,
        Status::NotBuilt | Status::Refused { .. } => true,
    }
}
