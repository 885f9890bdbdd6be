//! Where files go. `INTERFACE` fixes the order of the places; scripts look there.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::{Environment, Error, Settings, env};
use crate::digest::Digest;

/// The longest path of a Unix socket on Linux, without the final zero byte (`sun_path` in unix(7)).
pub const SOCKET_PATH_LIMIT: usize = 107;

/// Where the host's daemon listens, for jobs that are told nothing. Root alone can make a directory in `/run`, so
/// whoever listens there was put there by root.
pub const HOST_SOCKET: &str = "/run/ghswarm/ghswarm.sock";

/// The directories and the socket of one daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// What belongs to one daemon: socket, ready file, log, counters.
    pub state: PathBuf,
    /// What all daemons of one user share: the store and the key of credential names.
    pub cache: PathBuf,
    /// The daemon's Unix socket.
    pub socket: PathBuf,
}

impl Directories {
    /// Finds the places. Nothing is made yet. Relative paths are those of `working_dir`.
    pub fn find(
        settings: &Settings,
        environment: &Environment,
        working_dir: &Path,
    ) -> Result<Self, Error> {
        let state = working_dir.join(state_dir(settings, environment)?);
        let cache = working_dir.join(cache_dir(settings, environment)?);
        let socket = match &settings.socket {
            Some(path) => given_socket(working_dir.join(path))?,
            None => socket_of(&state, environment),
        };
        Ok(Self {
            state,
            cache,
            socket,
        })
    }
}

/// `--state-dir` (or `GHSWARM_STATE_DIR`) > `$RUNNER_TEMP/ghswarm` > `$XDG_STATE_HOME/ghswarm` >
/// `~/.local/state/ghswarm`.
pub fn state_dir(settings: &Settings, environment: &Environment) -> Result<PathBuf, Error> {
    let named = || {
        let dir = environment.absolute(state_variable(environment)?)?;
        Some(dir.join("ghswarm"))
    };
    let home = || {
        Some(
            environment
                .absolute(env::HOME)?
                .join(".local/state/ghswarm"),
        )
    };
    settings
        .state_dir
        .clone()
        .or_else(named)
        .or_else(home)
        .ok_or(Error::NoHome {
            what: "state",
            flag: "--state-dir",
        })
}

/// The variable that says where the state is when the settings do not; `None` for the home directory.
pub fn state_variable(environment: &Environment) -> Option<&'static str> {
    [env::RUNNER_TEMP, env::XDG_STATE_HOME]
        .into_iter()
        .find(|variable| environment.absolute(variable).is_some())
}

/// What the settings say (`--cache-dir` > `GHSWARM_CACHE_DIR` > `P2P_CACHE_DIR` > `CACHE_DIR` >
/// `cache.directory` of a file named by `--config`) > `~/.cache/github-api-p2p`.
fn cache_dir(settings: &Settings, environment: &Environment) -> Result<PathBuf, Error> {
    let home = || {
        Some(
            environment
                .absolute(env::HOME)?
                .join(".cache/github-api-p2p"),
        )
    };
    settings
        .cache_dir
        .clone()
        .or_else(home)
        .ok_or(Error::NoHome {
            what: "cache",
            flag: "--cache-dir",
        })
}

fn given_socket(path: PathBuf) -> Result<PathBuf, Error> {
    let length = path.as_os_str().len();
    if length > SOCKET_PATH_LIMIT {
        return Err(Error::SocketPathTooLong {
            path,
            length,
            limit: SOCKET_PATH_LIMIT,
        });
    }
    Ok(path)
}

/// `ghswarm.sock` in the state directory, or, if that is too long for the kernel, in a folder of
/// the temporary directory that is named after the state directory.
pub fn socket_of(state: &Path, environment: &Environment) -> PathBuf {
    let path = state.join("ghswarm.sock");
    if path.as_os_str().len() <= SOCKET_PATH_LIMIT {
        return path;
    }
    let name = &Digest::of([state.as_os_str().as_bytes()]).hex()[..16];
    let temporary = environment.absolute(env::TMPDIR);
    temporary
        .into_iter()
        .map(|dir| dir.join(format!("ghswarm-{name}/ghswarm.sock")))
        .find(|path| path.as_os_str().len() <= SOCKET_PATH_LIMIT)
        .unwrap_or_else(|| format!("/tmp/ghswarm-{name}/ghswarm.sock").into())
}

/// The folder that [`socket_of`] makes for a socket outside of its state directory, which goes with the socket.
pub fn folder_of_socket(socket: &Path) -> Option<&Path> {
    let folder = socket.parent()?;
    let name = folder.file_name()?.to_str()?.strip_prefix("ghswarm-")?;
    let is_ours = name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_ours.then_some(folder)
}

#[cfg(test)]
mod tests {
    use super::super::{Reading, sources};
    use super::*;

    fn find(settings: &Settings, pairs: &[(&str, &str)]) -> Result<Directories, Error> {
        let environment = Environment::from_pairs(pairs);
        let read = sources::read(
            settings.clone(),
            &environment,
            Path::new("/cwd"),
            Reading::Environment,
        );
        let settings = read.into_settings()?.0;
        Directories::find(&settings, &environment, Path::new("/cwd"))
    }

    #[test]
    fn the_state_directory_is_the_first_that_is_named() {
        let all = [
            ("GHSWARM_STATE_DIR", "/g"),
            ("RUNNER_TEMP", "/r"),
            ("XDG_STATE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        let flag = Settings {
            state_dir: Some("rel".into()),
            ..Settings::default()
        };
        assert_eq!(find(&flag, &all).unwrap().state, Path::new("/cwd/rel"));
        let places = ["/g", "/r/ghswarm", "/x/ghswarm", "/h/.local/state/ghswarm"];
        for (from, place) in places.into_iter().enumerate() {
            let found = find(&Settings::default(), &all[from..]).unwrap();
            assert_eq!(found.state, Path::new(place));
            assert_eq!(found.socket, Path::new(place).join("ghswarm.sock"));
        }
        let error = find(&Settings::default(), &[]).unwrap_err().to_string();
        assert!(error.contains("--state-dir"), "{error}");
    }

    #[test]
    fn the_cache_directory_is_the_first_that_is_named() {
        let all = [
            ("GHSWARM_CACHE_DIR", "/g"),
            ("P2P_CACHE_DIR", "~/p"),
            ("CACHE_DIR", "/c"),
            ("HOME", "/h"),
        ];
        let places = ["/g", "/h/p", "/c", "/h/.cache/github-api-p2p"];
        for (from, place) in places.into_iter().enumerate() {
            let found = find(&Settings::default(), &all[from..]).unwrap();
            assert_eq!(found.cache, Path::new(place));
        }
    }

    #[test]
    fn a_socket_that_would_be_too_long_moves_to_the_temporary_directory() {
        let deep = format!("/{}", "d".repeat(120));
        let pairs = [
            ("HOME", "/h"),
            ("GHSWARM_STATE_DIR", &deep),
            ("TMPDIR", "/t"),
        ];
        let socket = find(&Settings::default(), &pairs).unwrap().socket;
        assert!(
            socket.starts_with("/t") && socket.ends_with("ghswarm.sock"),
            "{socket:?}"
        );
        assert_eq!(folder_of_socket(&socket), socket.parent());
        assert_eq!(folder_of_socket(Path::new("/t/ghswarm-mine/s")), None);
        let pairs = [
            ("HOME", "/h"),
            ("GHSWARM_STATE_DIR", &deep),
            ("TMPDIR", &deep),
        ];
        let socket = find(&Settings::default(), &pairs).unwrap().socket;
        assert!(socket.starts_with("/tmp"), "{socket:?}");
    }

    #[test]
    fn a_socket_path_that_was_asked_for_is_never_silently_another() {
        let long = format!("/{}/s", "d".repeat(120));
        let flag = Settings {
            socket: Some(long.into()),
            ..Settings::default()
        };
        let error = find(&flag, &[("HOME", "/h")]).unwrap_err().to_string();
        assert!(error.contains("107"), "{error}");
    }
}
