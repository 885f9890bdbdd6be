//! The first line of a daemon's log: what it is, where, and within which bounds.

use std::path::{Path, PathBuf};

use tracing::info;

use super::{Config, Ready};

/// What it says besides the addresses.
pub(super) struct FirstLine {
    origin: String,
    memory: u64,
    body: usize,
    connections: usize,
    concurrency: usize,
}

impl FirstLine {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            // Its host alone: a URL may have credentials in it.
            origin: config
                .github
                .origin
                .host_str()
                .unwrap_or_default()
                .to_owned(),
            memory: config.tiered.memory_limit,
            body: config.tiered.body_limit,
            connections: config.proxy.max_connections,
            concurrency: config.github.concurrency,
        }
    }

    pub(super) fn tell(&self, ready: &Ready) {
        let path = |path: Option<&PathBuf>| {
            let path = path.map_or(Path::new("none"), PathBuf::as_path);
            path.display().to_string()
        };
        info!(
            version = ready.version,
            api_url = ready.api_url,
            socket = path(ready.socket.as_ref()),
            admin_url = ready.admin_url.as_deref().unwrap_or("none"),
            state_dir = %ready.state_dir.display(),
            cache_dir = path(ready.cache_dir.as_ref()),
            origin = self.origin,
            memory_limit = self.memory,
            body_limit = self.body,
            max_connections = self.connections,
            upstream_concurrency = self.concurrency,
            "listening"
        );
    }
}
