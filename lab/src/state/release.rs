//! Releases and their assets.

use super::{Found, Missing, State};

/// A release.
#[derive(Clone, Debug)]
pub struct Release {
    /// The id.
    pub id: u64,
    /// The tag.
    pub tag: String,
    /// The title.
    pub name: String,
    /// When it was made.
    pub created_at: u64,
}

/// An asset of a release.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The id.
    pub id: u64,
    /// The release's id.
    pub release: u64,
    /// The file's name.
    pub name: String,
    /// The length in bytes.
    pub size: u64,
    /// When it was made.
    pub created_at: u64,
}

impl State {
    /// Makes a release (and its tag, at the default branch) and returns its id.
    pub fn create_release(&mut self, full_name: &str, tag: &str, name: &str) -> Found<u64> {
        let (id, now) = (self.next_id(), self.now);
        let repo = self.repo_mut(full_name)?;
        if let Some(sha) = repo.resolve("HEAD").map(|commit| commit.sha.clone()) {
            repo.refs.entry(format!("refs/tags/{tag}")).or_insert(sha);
        }
        let release = Release {
            id,
            tag: tag.into(),
            name: name.into(),
            created_at: now,
        };
        repo.releases.insert(id, release);
        Ok(id)
    }

    /// Adds an asset of `size` bytes to a release and returns its id.
    pub fn add_asset(
        &mut self,
        full_name: &str,
        release: u64,
        name: &str,
        size: u64,
    ) -> Found<u64> {
        let (id, now) = (self.next_id(), self.now);
        let repo = self.repo_mut(full_name)?;
        if !repo.releases.contains_key(&release) {
            return Err(Missing(format!("release {release}")));
        }
        let asset = Asset {
            id,
            release,
            name: name.into(),
            size,
            created_at: now,
        };
        repo.assets.insert(id, asset);
        Ok(id)
    }
}
