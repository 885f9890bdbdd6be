//! `ghswarm cache`.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;
use url::form_urlencoded;

use super::context::{Context, NO_DAEMON};
use super::print;
use crate::cli::{Cache, CacheCommand, Key, ListFormat, Stale, Target};
use crate::daemon::AskError;

/// `cache get` found nothing.
const MISS: u8 = 3;

pub(super) async fn run(cache: Cache, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    match cache.command {
        CacheCommand::Get { key } => get(&key, context).await,
        CacheCommand::Put { key, value, ttl } => put(key, value, ttl, context).await,
        CacheCommand::Delete { key } => delete(&key, context).await,
        CacheCommand::List {
            limit,
            format,
            target,
        } => list(limit, format, &target, context).await,
        CacheCommand::Clear { target } => clear(&target, context).await,
        CacheCommand::Stale(stale) => mark_stale(&stale, context).await,
    }
}

/// Asks the daemon; without one there is nothing to be done.
async fn ask(
    target: &Target,
    context: &Context<'_>,
    (method, path): (Method, &str),
    body: Bytes,
) -> anyhow::Result<Result<Bytes, AskError>> {
    let daemon = context.daemon(target)?;
    Ok(daemon.ask(method, path, body).await)
}

/// The same, with an explanation.
async fn told(
    target: &Target,
    context: &Context<'_>,
    request: (Method, &str),
    body: Bytes,
) -> anyhow::Result<Bytes> {
    ask(target, context, request, body)
        .await?
        .map_err(|error| match error {
            AskError::Nobody { .. } => anyhow::anyhow!(NO_DAEMON),
            error => error.into(),
        })
}

async fn get(key: &Key, context: &Context<'_>) -> anyhow::Result<ExitCode> {
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

async fn put(
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

async fn delete(key: &Key, context: &Context<'_>) -> anyhow::Result<ExitCode> {
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

async fn list(
    limit: usize,
    format: ListFormat,
    target: &Target,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    let path = query("/cache", &[("limit", &limit.to_string())]);
    let rows = told(target, context, (Method::GET, &path), Bytes::new()).await?;
    let rows: Vec<serde_json::Map<String, Value>> =
        serde_json::from_slice(&rows).context("the daemon's list makes no sense")?;
    match format {
        ListFormat::Json => print::json(&rows)?,
        ListFormat::Table if rows.is_empty() => print::to_people("nothing is stored"),
        ListFormat::Table => print::bytes(table(&rows).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn clear(target: &Target, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let answer = told(
        target,
        context,
        (Method::POST, "/cache/clear"),
        Bytes::new(),
    )
    .await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    print::to_people(&format!("removed {}", answer["removed"]));
    Ok(ExitCode::SUCCESS)
}

async fn mark_stale(stale: &Stale, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    // The parser holds the line to one of the two.
    let namespace = stale.namespace.as_deref().unwrap_or("*");
    let body = Bytes::copy_from_slice(namespace.as_bytes());
    told(&stale.target, context, (Method::POST, "/cache/stale"), body).await?;
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

fn query(path: &str, pairs: &[(&str, &str)]) -> String {
    let pairs = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    format!("{path}?{pairs}")
}

/// What a row of the list shows, the column of any length last. JSON has all of it.
const COLUMNS: [&str; 7] = [
    "id",
    "operation",
    "bytes",
    "age_seconds",
    "variants",
    "grants",
    "label",
];
/// As much of an id as tells entries apart.
const ID: usize = 12;
/// As much of a text as is shown: a key of the key-value interface has any length.
const TEXT: usize = 100;

fn table(rows: &[serde_json::Map<String, Value>]) -> String {
    let cell = |row: &serde_json::Map<String, Value>, column: &str| match row.get(column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) if column == "id" => text.chars().take(ID).collect(),
        Some(Value::String(text)) => shown(text),
        Some(value) => value.to_string(),
    };
    let head = COLUMNS.map(str::to_owned);
    let lines: Vec<_> = std::iter::once(head)
        .chain(
            rows.iter()
                .map(|row| COLUMNS.map(|column| cell(row, column))),
        )
        .collect();
    let width = |column: usize| {
        lines
            .iter()
            .map(|cells| cells[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; COLUMNS.len()] = std::array::from_fn(width);
    let mut text = String::new();
    for cells in &lines {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The beginning of `text` on one line: what a key holds must not steer the terminal.
fn shown(text: &str) -> String {
    let plain = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    let mut start: String = text.chars().take(TEXT).map(plain).collect();
    if text.chars().nth(TEXT).is_some() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = serde_json::from_str::<Vec<_>>(
            r#"[{"id":"0123456789abcdef","label":"GET /user","bytes":12},{"label":"x"}]"#,
        );
        let shown = table(&rows.unwrap());
        assert!(
            shown.contains("GET /user") && !shown.contains("cdef") && shown.lines().count() == 3,
            "{shown}"
        );
        assert!(shown.lines().all(|line| line == line.trim_end()), "{shown}");
    }

    #[test]
    fn a_key_of_any_bytes_and_length_is_one_short_cell() {
        assert_eq!(shown("a\0b\n\u{1b}[2J"), "a\u{fffd}b\u{fffd}\u{fffd}[2J");
        let long = "é".repeat(1_000_000);
        assert_eq!(shown(&long).chars().count(), TEXT + 1);
        let row = serde_json::Map::from_iter([
            ("label".to_owned(), Value::from(long.as_str())),
            ("operation".to_owned(), Value::from(long)),
        ]);
        assert_eq!(table(&[row]).lines().count(), 2);
    }
}
