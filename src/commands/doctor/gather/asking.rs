//! Facts that others on this machine have to be asked for: the daemon, its port, `gh`.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use super::super::daemon::Answer;
use super::super::gh;
use super::super::peers::Seen;
use super::super::port::Door;
use crate::config::env;
use crate::daemon::{AskError, Living};
use crate::stats::Snapshot;
use crate::swarm::PeerRow;

/// The longest wait for anything on this machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is said at the socket.
pub(super) async fn answer(living: &Living) -> Answer {
    match living.ready().await {
        Ok(ready) => Answer::Living(Box::new(ready)),
        // A socket that cannot be connected to is the business of its own check.
        Err(AskError::Nobody { .. } | AskError::Connect { .. }) => Answer::Nobody,
        Err(error) => Answer::Wrong(error.to_string()),
    }
}

/// The statistics, as far as this version understands them.
pub(super) async fn stats(living: &Living) -> Option<Snapshot> {
    let json = living.ask(Method::GET, "/stats", Bytes::new()).await.ok()?;
    serde_json::from_slice(&json).ok()
}

/// Whom it shares with.
pub(super) async fn peers(living: &Living) -> Seen {
    #[derive(Deserialize)]
    struct Listed {
        pool: String,
        multiaddrs: Vec<String>,
        deaf: bool,
        peers: Vec<PeerRow>,
    }
    let json = match living.ask(Method::GET, "/peers", Bytes::new()).await {
        Ok(json) => json,
        Err(AskError::Refused { status, .. }) if status.as_u16() == 409 => return Seen::Alone,
        Err(error) => return Seen::Unknown(error.to_string()),
    };
    match serde_json::from_slice::<Listed>(&json) {
        Ok(listed) => Seen::Sharing {
            pool: listed.pool,
            addresses: listed.multiaddrs,
            deaf: listed.deaf,
            rows: listed.peers,
        },
        Err(error) => Seen::Unknown(error.to_string()),
    }
}

/// Whether somebody answers at the socket.
pub(super) async fn answers(path: &Path) -> Result<bool, String> {
    match tokio::time::timeout(PATIENCE, UnixStream::connect(path)).await {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(error)) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(false),
            _ => Err(error.to_string()),
        },
        Err(_) => Err("nobody accepts the connection".to_owned()),
    }
}

/// Who answers at the port. The question names a host that the daemon refuses by itself, so nothing is
/// asked of GitHub.
pub(super) async fn door(api_url: &str) -> Door {
    let Some(address) = api_url.strip_prefix("http://") else {
        return Door::Unknown("not an HTTP address".to_owned());
    };
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: doctor.invalid\r\nConnection: close\r\n\r\n")
            .await?;
        let mut said = Vec::new();
        stream.take(4096).read_to_end(&mut said).await?;
        io::Result::Ok(said)
    };
    match tokio::time::timeout(PATIENCE, exchange).await {
        Ok(Ok(said)) if said.windows(7).any(|word| word == b"ghswarm") => Door::Ours,
        Ok(Ok(_)) => Door::Foreign,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Door::Closed,
        Ok(Err(error)) => Door::Unknown(error.to_string()),
        Err(_) => Door::Unknown("no answer in time".to_owned()),
    }
}

/// What `gh --version` says. It gets no token, and is told not to look for newer versions.
pub(super) async fn version_of(program: &Path) -> Option<(u32, u32)> {
    let mut command = tokio::process::Command::new(program);
    command
        .arg("--version")
        .env("GH_NO_UPDATE_NOTIFIER", "1")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    for token in env::TOKENS.map(OsString::from) {
        command.env_remove(token);
    }
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    gh::version(&String::from_utf8_lossy(&output.ok()?.ok()?.stdout))
}
