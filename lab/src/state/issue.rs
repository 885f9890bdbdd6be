//! Issues, pulls, comments and labels.

use super::{Found, Missing, State};

/// An issue, or a pull if [`Issue::pull`] is set.
#[derive(Clone, Debug)]
pub struct Issue {
    /// The id.
    pub id: u64,
    /// The number within the repository.
    pub number: u64,
    /// The title.
    pub title: String,
    /// The text.
    pub body: String,
    /// The author's login.
    pub author: String,
    /// Whether it is open.
    pub open: bool,
    /// Names of labels.
    pub labels: Vec<String>,
    /// Comments, oldest first.
    pub comments: Vec<Comment>,
    /// When it was made.
    pub created_at: u64,
    /// When it last changed.
    pub updated_at: u64,
    /// When it was closed.
    pub closed_at: Option<u64>,
    /// What makes it a pull.
    pub pull: Option<Pull>,
}

/// What a pull has more than an issue.
#[derive(Clone, Debug)]
pub struct Pull {
    /// The pull's own id.
    pub id: u64,
    /// The branch to merge.
    pub head: String,
    /// Its commit.
    pub head_sha: String,
    /// The branch to merge into.
    pub base: String,
    /// Its commit when the pull was made.
    pub base_sha: String,
    /// Whether it is a draft.
    pub draft: bool,
    /// When it was merged.
    pub merged_at: Option<u64>,
}

/// A comment.
#[derive(Clone, Debug)]
pub struct Comment {
    /// The id.
    pub id: u64,
    /// The author's login.
    pub author: String,
    /// The text.
    pub body: String,
    /// When it was made.
    pub created_at: u64,
    /// When it last changed.
    pub updated_at: u64,
}

/// A label.
#[derive(Clone, Debug)]
pub struct Label {
    /// The id.
    pub id: u64,
    /// The name.
    pub name: String,
    /// Six hexadecimal digits.
    pub color: String,
    /// The description.
    pub description: String,
}

impl State {
    /// Makes an issue by `octocat` and returns its number.
    pub fn create_issue(&mut self, full_name: &str, title: &str, body: &str) -> Found<u64> {
        let (id, now) = (self.next_id(), self.now);
        let repo = self.repo_mut(full_name)?;
        let number = repo.issues.keys().next_back().map_or(1, |last| last + 1);
        let issue = Issue {
            id,
            number,
            title: title.into(),
            body: body.into(),
            author: "octocat".into(),
            open: true,
            labels: Vec::new(),
            comments: Vec::new(),
            created_at: now,
            updated_at: now,
            closed_at: None,
            pull: None,
        };
        repo.issues.insert(number, issue);
        Ok(number)
    }

    /// Changes an issue or pull; `updated_at` follows.
    pub fn edit_issue<R>(
        &mut self,
        full_name: &str,
        number: u64,
        edit: impl FnOnce(&mut Issue) -> R,
    ) -> Found<R> {
        let now = self.now;
        let repo = self.repo_mut(full_name)?;
        let issue = repo.issues.get_mut(&number);
        let issue = issue.ok_or_else(|| Missing(format!("issue {full_name}#{number}")))?;
        let result = edit(issue);
        issue.updated_at = now;
        issue.closed_at = if issue.open {
            None
        } else {
            issue.closed_at.or(Some(now))
        };
        Ok(result)
    }

    /// Closes an issue or pull.
    pub fn close_issue(&mut self, full_name: &str, number: u64) -> Found<()> {
        self.edit_issue(full_name, number, |issue| issue.open = false)
    }

    /// Comments on an issue or pull and returns the comment's id.
    pub fn comment(&mut self, full_name: &str, number: u64, login: &str, body: &str) -> Found<u64> {
        let (id, now) = (self.next_id(), self.now);
        let comment = Comment {
            id,
            author: login.into(),
            body: body.into(),
            created_at: now,
            updated_at: now,
        };
        self.edit_issue(full_name, number, |issue| issue.comments.push(comment))?;
        Ok(id)
    }

    /// Makes a label and returns its id.
    pub fn create_label(&mut self, full_name: &str, name: &str, color: &str) -> Found<u64> {
        let id = self.next_id();
        let label = Label {
            id,
            name: name.into(),
            color: color.into(),
            description: format!("All about {name}"),
        };
        self.repo_mut(full_name)?.labels.insert(name.into(), label);
        Ok(id)
    }

    /// Makes a pull from branch `head` into `base` and returns its number.
    pub fn create_pull(
        &mut self,
        full_name: &str,
        title: &str,
        head: &str,
        base: &str,
    ) -> Found<u64> {
        let repo = self.repo(full_name)?;
        let tip = |name: &str| {
            let commit = repo
                .resolve(name)
                .ok_or_else(|| Missing(format!("branch {name}")))?;
            Ok::<_, Missing>(commit.sha.clone())
        };
        let (head_sha, base_sha) = (tip(head)?, tip(base)?);
        let number = self.create_issue(full_name, title, "What this changes, and why.")?;
        let pull = Pull {
            id: self.next_id(),
            head: head.into(),
            head_sha,
            base: base.into(),
            base_sha,
            draft: false,
            merged_at: None,
        };
        self.edit_issue(full_name, number, |issue| issue.pull = Some(pull))?;
        Ok(number)
    }

    /// Merges a pull: its base branch moves to its head.
    pub fn merge_pull(&mut self, full_name: &str, number: u64) -> Found<()> {
        let now = self.now;
        let target = self.edit_issue(full_name, number, |issue| {
            let pull = issue.pull.as_mut()?;
            pull.merged_at = Some(now);
            issue.open = false;
            Some((pull.base.clone(), pull.head_sha.clone()))
        })?;
        let (base, sha) = target.ok_or_else(|| Missing(format!("pull {number}")))?;
        self.create_ref(full_name, &format!("refs/heads/{base}"), &sha)
    }
}
