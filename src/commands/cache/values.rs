//! `ghswarm cache get`, `put` and `delete`: the key-value interface.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::{Method, StatusCode};
use serde_json::Value;

use super::super::context::{Context, NO_DAEMON};
use super::super::print;
use super::{ask, query, told};
use crate::cli::Key;
use crate::daemon::AskError;

/// `cache get` found nothing.
const MISS: u8 = 3;

pub(super) async fn get(key: &Key, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let path = query("/kv/get", &[("operation", &key.operation)]);
    let found = ask(
        &key.target,
        context,
        (Method::POST, &path),
        key_of(key)?.into(),
    )
    .await?;
    match found {
        Ok(value) => print::bytes(&value)?,
        Err(AskError::Refused {
            status: StatusCode::NOT_FOUND,
            ..
        }) => {
            return Ok(ExitCode::from(MISS));
        }
        Err(AskError::Nobody { .. }) => bail!(NO_DAEMON),
        Err(error) => return Err(error.into()),
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn put(
    mut key: Key,
    mut value: Option<OsString>,
    ttl: Option<Duration>,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    if key.key_file.is_some() && key.key.is_some() {
        // With the key in a file the only argument is the value.
        value = key.key.take();
    }
    let mut body = key_of(&key)?;
    let key_length = body.len().to_string();
    match value {
        Some(value) if value != "-" => body.extend_from_slice(value.as_bytes()),
        _ => {
            std::io::stdin()
                .lock()
                .read_to_end(&mut body)
                .context("cannot read stdin")?;
        }
    }
    let ttl = ttl.map(|ttl| ttl.as_secs_f64().to_string());
    let mut pairs = vec![
        ("operation", key.operation.as_str()),
        ("key_length", &key_length),
    ];
    pairs.extend(ttl.as_deref().map(|ttl| ("ttl", ttl)));
    told(
        &key.target,
        context,
        (Method::POST, &query("/kv/put", &pairs)),
        body.into(),
    )
    .await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn delete(key: &Key, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let path = query("/kv/delete", &[("operation", &key.operation)]);
    let answer = told(
        &key.target,
        context,
        (Method::POST, &path),
        key_of(key)?.into(),
    )
    .await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    print::to_people(if answer["deleted"] == true {
        "deleted"
    } else {
        "nothing to delete"
    });
    Ok(ExitCode::SUCCESS)
}

fn key_of(key: &Key) -> anyhow::Result<Vec<u8>> {
    match (&key.key_file, &key.key) {
        (Some(file), _) => std::fs::read(file)
            .with_context(|| format!("cannot read the key in {}", file.display())),
        (None, Some(key)) => Ok(key.as_bytes().to_vec()),
        (None, None) => bail!("give KEY or --key-file"),
    }
}
