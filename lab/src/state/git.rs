//! Commits, trees and blobs, with git's real object ids.

use std::collections::BTreeMap;

use sha1::{Digest, Sha1};

use super::{Found, Missing, State, issue::Pull};
use crate::etag::hex;

/// A commit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The id.
    pub sha: String,
    /// The root tree's id.
    pub tree: String,
    /// The parent's id; none for the first.
    pub parent: Option<String>,
    /// The message.
    pub message: String,
    /// The author's login.
    pub author: String,
    /// When it was made.
    pub date: u64,
    /// Blob ids of all files by path.
    pub files: BTreeMap<String, String>,
}

/// A commit status.
#[derive(Clone, Debug)]
pub struct Status {
    /// The id.
    pub id: u64,
    /// The commit.
    pub sha: String,
    /// `success`, `failure`, `pending` or `error`.
    pub state: String,
    /// What it is about.
    pub context: String,
    /// When it was set.
    pub created_at: u64,
}

/// An entry of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path within the tree.
    pub path: String,
    /// The object's id.
    pub sha: String,
    /// Whether it is a tree.
    pub is_tree: bool,
}

/// The id of a git object.
pub fn object_id(kind: &str, content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("{kind} {}\0", content.len()));
    hash.update(content);
    hex(&hash.finalize())
}

/// The entries of the folder `prefix` (empty, or ending in `/`), one level deep.
pub fn folder(files: &BTreeMap<String, String>, prefix: &str) -> Vec<Entry> {
    let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
    for (path, sha) in files.range(prefix.to_owned()..) {
        let Some(rest) = path.strip_prefix(prefix) else {
            break;
        };
        let (name, is_tree) = rest
            .split_once('/')
            .map_or((rest, false), |(folder, _)| (folder, true));
        // Git sorts folders as if their names ended in a slash.
        let key = if is_tree {
            format!("{name}/")
        } else {
            name.to_owned()
        };
        if entries.contains_key(&key) {
            continue;
        }
        let sha = if is_tree {
            tree_id(files, &format!("{prefix}{name}/"))
        } else {
            sha.clone()
        };
        entries.insert(
            key,
            Entry {
                path: name.into(),
                sha,
                is_tree,
            },
        );
    }
    entries.into_values().collect()
}

/// The id of the tree at `prefix`.
pub fn tree_id(files: &BTreeMap<String, String>, prefix: &str) -> String {
    let mut content = Vec::new();
    for entry in folder(files, prefix) {
        let mode = if entry.is_tree { "40000" } else { "100644" };
        content.extend(format!("{mode} {}\0", entry.path).into_bytes());
        content.extend((0..entry.sha.len()).step_by(2).filter_map(|at| {
            entry
                .sha
                .get(at..at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        }));
    }
    object_id("tree", &content)
}

impl State {
    /// Commits files on a branch (made if it isn't there) and returns the commit's id.
    pub fn push_commit(
        &mut self,
        full_name: &str,
        branch: &str,
        message: &str,
        changes: &[(&str, &[u8])],
    ) -> Found<String> {
        let now = self.now;
        let repo = self.repo_mut(full_name)?;
        let key = format!("refs/heads/{branch}");
        let tip = repo.refs.get(&key).cloned();
        let start = tip.or_else(|| repo.resolve("HEAD").map(|commit| commit.sha.clone()));
        let parent = start.as_ref().and_then(|sha| repo.commits.get(sha));
        let mut files = parent
            .map(|commit| commit.files.clone())
            .unwrap_or_default();
        for (path, content) in changes {
            let blob = object_id("blob", content);
            repo.blobs.insert(blob.clone(), content.to_vec());
            files.insert((*path).to_owned(), blob);
        }
        let tree = tree_id(&files, "");
        let parents = start
            .as_ref()
            .map(|sha| format!("parent {sha}\n"))
            .unwrap_or_default();
        let who = format!("octocat <octocat@users.noreply.github.com> {now} +0000");
        let text = format!("tree {tree}\n{parents}author {who}\ncommitter {who}\n\n{message}\n");
        let sha = object_id("commit", text.as_bytes());
        let commit = Commit {
            sha: sha.clone(),
            tree,
            parent: start.filter(|parent| *parent != sha),
            message: message.into(),
            author: "octocat".into(),
            date: now,
            files,
        };
        repo.commits.insert(sha.clone(), commit);
        repo.refs.insert(key, sha.clone());
        repo.pushed_at = now;
        for issue in repo.issues.values_mut() {
            if let Some(Pull {
                head,
                head_sha,
                merged_at: None,
                ..
            }) = &mut issue.pull
                && head == branch
            {
                head_sha.clone_from(&sha);
                issue.updated_at = now;
            }
        }
        Ok(sha)
    }

    /// Points a full ref such as `refs/heads/x` at a commit.
    pub fn create_ref(&mut self, full_name: &str, name: &str, sha: &str) -> Found<()> {
        let repo = self.repo_mut(full_name)?;
        if !repo.commits.contains_key(sha) {
            return Err(Missing(format!("commit {sha}")));
        }
        repo.refs.insert(name.into(), sha.into());
        Ok(())
    }

    /// Removes a full ref.
    pub fn delete_ref(&mut self, full_name: &str, name: &str) -> Found<()> {
        let removed = self.repo_mut(full_name)?.refs.remove(name);
        removed
            .map(drop)
            .ok_or_else(|| Missing(format!("ref {name}")))
    }

    /// Sets a commit's status and returns the status's id.
    pub fn set_status(
        &mut self,
        full_name: &str,
        sha: &str,
        context: &str,
        state: &str,
    ) -> Found<u64> {
        let (id, now) = (self.next_id(), self.now);
        let repo = self.repo_mut(full_name)?;
        repo.statuses.push(Status {
            id,
            sha: sha.into(),
            state: state.into(),
            context: context.into(),
            created_at: now,
        });
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_gits_own() {
        assert_eq!(
            object_id("blob", b"hello\n"),
            "ce013625030ba8dba906f756967f9e9ca394464a"
        );
        assert_eq!(
            object_id("tree", b""),
            "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
        );
    }
}
