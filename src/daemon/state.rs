//! The state directory of one daemon: its lock, and the files that others find it by.

use std::path::{Path, PathBuf};

use tracing::warn;
use zeroize::Zeroizing;

use tokio::sync::watch;

use super::{Config, Error, Ready, remains, sockets};
use crate::clock::Clock;
use crate::config::{Environment, Owner, directories};
use crate::digest::Digest;
use crate::discovery::Discovery;
use crate::files::{self, Identity, Lock};
use crate::proxy::Listeners;
use crate::proxy::admin::Admin;
use crate::proxy::finish::Finish;
use crate::secret::LocalSecret;
use crate::stats::Counters;
use crate::store::epoch_log::Teller;

/// A state directory that belongs to this process.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// Which directory that was when it was opened.
    identity: Option<Identity>,
    cache: Option<PathBuf>,
    secret: LocalSecret,
    socket: PathBuf,
    ready_file: Option<PathBuf>,
    // Held, never read. `None` when a keeper holds it for us.
    _lock: Option<Lock>,
    // Last, so that the directory goes after everything in it was closed.
    _scratch: Option<Scratch>,
}

impl StateDir {
    /// Makes the directories and takes the lock.
    pub(super) fn open(config: &Config) -> Result<Self, Error> {
        let (path, scratch) = match &config.state_dir {
            Some(path) => (path.clone(), None),
            None => Scratch::new().map(|scratch| (scratch.0.clone(), Some(scratch)))?,
        };
        let cache = config
            .cache_dir
            .clone()
            .unwrap_or_else(|| path.join("cache"));
        files::private_dir(&path).map_err(|source| unusable(&path, source))?;
        let lock = match config.keeper_pid {
            Some(_) => None,
            None => Some(lock(&path)?),
        };
        let (cache, secret) = match open_cache(&cache) {
            Ok(secret) => (Some(cache), secret),
            Err(source) if config.strict => {
                let path = cache.display().to_string();
                return Err(Error::CacheDir { path, source });
            }
            Err(error) => {
                let reason = files::Chain(&error);
                warn!(%reason, "the cache directory cannot be used: nothing is kept on disk");
                (None, passing_secret()?)
            }
        };
        let socket = config.socket.clone();
        let socket =
            socket.unwrap_or_else(|| directories::socket_of(&path, &Environment::default()));
        let ready_file = config.ready_file.clone();
        Ok(Self {
            identity: Identity::at(&path),
            path,
            cache,
            secret,
            socket,
            ready_file,
            _lock: lock,
            _scratch: scratch,
        })
    }

    /// Where the Unix socket goes.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// What all daemons of a user share. `None`: it cannot be used, and nothing is kept on disk.
    pub(super) fn cache(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    /// The key under which credentials are named: that of the cache directory, which all daemons of a
    /// user have in common, or without one this daemon's own.
    pub(super) fn secret(&self) -> LocalSecret {
        self.secret.clone()
    }

    /// The seed of this daemon's key in the swarm, kept in `identity`.
    pub(super) fn identity(&self) -> Result<Zeroizing<[u8; 32]>, Error> {
        let kept = files::read_or_create_secret(&self.path.join("identity"))
            .map_err(|source| unusable(&self.path, source))?;
        if kept.replaced {
            warn!("the identity could not be read and is replaced: peers know this daemon anew");
        }
        Ok(kept.secret)
    }

    /// Where whom we know is kept.
    pub(super) fn peers(&self) -> PathBuf {
        self.path.join("peers")
    }

    /// What `ready.json` will say.
    pub(super) fn describe(&self, config: &Config, listeners: &Listeners) -> Result<Ready, Error> {
        let admin = listeners.admin.as_ref().map(sockets::address).transpose()?;
        let unix = listeners
            .unix
            .as_ref()
            .and_then(|unix| unix.local_addr().ok());
        Ok(Ready {
            api_url: format!("http://{}", sockets::address(&listeners.tcp)?),
            socket: unix.and_then(|address| address.as_pathname().map(Path::to_owned)),
            admin_url: admin.map(|address| format!("http://{address}")),
            admin_token_file: admin.map(|_| admin_token_file(&self.path)),
            peer_id: None,
            multiaddrs: None,
            pid: Some(std::process::id()),
            keeper_pid: config.keeper_pid,
            owner: config.owner,
            state_dir: self.path.clone(),
            cache_dir: self.cache.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// What administration needs.
    pub(super) fn admin(
        &self,
        ready: &Ready,
        stop: watch::Sender<bool>,
        peers: Option<Discovery>,
        finish: Option<Finish>,
    ) -> Result<Admin, Error> {
        Ok(Admin {
            token: admin_token(&self.path)?,
            ready: serde_json::to_value(ready).unwrap_or_default(),
            stop,
            peers,
            finish,
        })
    }

    /// The numbers of a daemon of the same keeper that has died.
    pub(super) fn earlier(&self, ready: &Ready) -> Option<Counters> {
        ready.keeper_pid.and_then(|_| remains::counters(&self.path))
    }

    /// How the daemon of a job finishes. One whose earlier self has finished has finished, too.
    pub(super) fn finish(&self, ready: &Ready, clock: &Clock) -> Option<Finish> {
        if ready.owner == Owner::Host {
            return None;
        }
        let cache = self.cache.clone();
        let teller = cache.map(|cache| Teller::new(cache, clock.clone()));
        let finish = Finish::new(teller, Some(remains::report_file(&self.path)));
        // Without a keeper there was no earlier self.
        let report = ready.keeper_pid.and_then(|_| remains::report(&self.path));
        Some(
            match report.and_then(|report| serde_json::to_vec(&report).ok()) {
                Some(report) => finish.over(report.into()),
                None => finish,
            },
        )
    }

    /// Says that clients can connect, and how.
    pub(super) fn announce(&self, ready: &Ready) -> Result<(), files::Error> {
        for path in self.ready_files() {
            ready.write(&path)?;
        }
        Ok(())
    }

    /// Whether the directory is still the one that was opened. When it was removed and another daemon
    /// has made it anew, nothing in it is ours.
    fn is_there(&self) -> bool {
        self.identity.is_some() && Identity::at(&self.path) == self.identity
    }

    /// Takes back what was announced, and `socket` if that is ours: a clean end leaves nothing that looks alive.
    pub(super) fn withdraw(&self, socket: Option<&Path>) {
        let ours = |path: &PathBuf| self.is_there() || !path.starts_with(&self.path);
        let socket = socket.map(Path::to_owned);
        let announced = self.ready_files().into_iter().chain(socket);
        for path in announced.filter(ours) {
            if let Err(error) = std::fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                warn!(path = %path.display(), %error, "cannot remove");
            }
            if let Some(folder) = directories::folder_of_socket(&path) {
                // Only if it is empty.
                let _ = std::fs::remove_dir(folder);
            }
        }
    }

    /// Writes `counters.json`: what is left of a daemon that the runner killed.
    pub(super) fn write_counters(&self, counters: &Counters) -> Result<(), files::Error> {
        if !self.is_there() {
            return Err(files::Error::Gone(self.path.clone()));
        }
        let json = serde_json::to_vec(counters).unwrap_or_default();
        files::write_atomic(&remains::counters_file(&self.path), &json)
    }

    fn ready_files(&self) -> Vec<PathBuf> {
        let mut paths = vec![Ready::path(&self.path)];
        paths.extend(self.ready_file.clone());
        paths
    }
}

/// Makes the directory that daemons share, and finds or makes the secret in it.
fn open_cache(path: &Path) -> Result<LocalSecret, files::Error> {
    files::private_dir(path)?;
    files::check_writable(path)?;
    let kept = files::read_or_create_secret(&path.join("hmac.key"))?;
    if kept.replaced {
        warn!(
            path = %path.join("hmac.key").display(),
            "the local secret could not be read and is replaced: what it was made for is asked anew"
        );
    }
    Ok(LocalSecret::new(*kept.secret))
}

/// A secret that is gone with the process.
fn passing_secret() -> Result<LocalSecret, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(Error::Random)?;
    Ok(LocalSecret::new(*bytes))
}

/// Takes the lock of a state directory: one daemon each.
pub fn lock(state_dir: &Path) -> Result<Lock, Error> {
    files::lock(&lock_file(state_dir)).map_err(|error| match error {
        files::Error::Locked(_) => Error::Running {
            state_dir: state_dir.display().to_string(),
        },
        error => unusable(state_dir, error),
    })
}

fn unusable(state_dir: &Path, source: files::Error) -> Error {
    let path = state_dir.display().to_string();
    Error::StateDir { path, source }
}

/// The file whose lock says that a daemon or its keeper lives.
pub(super) fn lock_file(state_dir: &Path) -> PathBuf {
    state_dir.join("lock")
}

fn admin_token_file(state_dir: &Path) -> PathBuf {
    state_dir.join("admin-token")
}

/// The bearer token of the administration port, made on first use. It survives a restart, so that
/// whoever read it can go on; one that is cut off, or that others could read, is replaced.
pub fn admin_token(state_dir: &Path) -> Result<Zeroizing<String>, Error> {
    let path = admin_token_file(state_dir);
    let kept = files::read_small_private(&path, 64).unwrap_or_default();
    if let Ok(kept) = String::from_utf8(kept).map(Zeroizing::new)
        && kept.len() == 64
        && kept.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Ok(kept);
    }
    let mut random = Zeroizing::new([0; 32]);
    getrandom::fill(random.as_mut_slice()).map_err(Error::Random)?;
    let token = Zeroizing::new(Digest::from(*random).hex());
    files::write_atomic(&path, token.as_bytes()).map_err(|source| unusable(state_dir, source))?;
    Ok(token)
}

/// A temporary directory that goes with its daemon: tests and examples name none.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(Error::Random)?;
        Ok(Self(std::env::temp_dir().join(format!(
            "ghswarm-{}",
            &Digest::from(random).hex()[..12]
        ))))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays for the cleaning of the temporary directory.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
