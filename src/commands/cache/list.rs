//! `ghswarm cache list` and `clear`.

use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use serde_json::{Map, Value};

use super::super::context::Context;
use super::super::print;
use super::super::table::{self, Column, Table};
use super::{query, told};
use crate::cli::{ListFormat, Target};
use crate::stats::render;

/// As much of an id as tells entries apart.
const ID: usize = 12;

pub(super) async fn run(
    limit: u64,
    format: ListFormat,
    target: &Target,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    let path = query("/cache", &[("limit", &limit.to_string())]);
    let rows = told(target, context, (Method::GET, &path), Bytes::new()).await?;
    let rows: Vec<Map<String, Value>> =
        serde_json::from_slice(&rows).context("the daemon's list makes no sense")?;
    match format {
        ListFormat::Json => print::json(&rows)?,
        ListFormat::Table if rows.is_empty() => print::to_people("nothing is stored"),
        ListFormat::Table => print::bytes(text(&rows, table::width(context)).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn clear(target: &Target, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let request = (Method::POST, "/cache/clear");
    let answer = told(target, context, request, Bytes::new()).await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    print::to_people(&format!("removed {}", answer["removed"]));
    Ok(ExitCode::SUCCESS)
}

/// What is shown of each row, the column of any length last. JSON has all of it.
fn text(rows: &[Map<String, Value>], width: usize) -> String {
    let mut table = Table::new([
        Column::Left("id"),
        Column::Left("operation"),
        Column::Right("size"),
        Column::Right("age"),
        Column::Right("bodies"),
        Column::Right("shown to"),
        Column::Left("what"),
    ]);
    for row in rows {
        let word = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str, shown: fn(u64) -> String| {
            row.get(name)
                .and_then(Value::as_u64)
                .map_or_else(String::new, shown)
        };
        table.row([
            word("id").chars().take(ID).collect(),
            word("operation").to_owned(),
            number("bytes", render::bytes),
            number("age_seconds", age),
            number("variants", |count| count.to_string()),
            number("grants", |count| count.to_string()),
            word("label").to_owned(),
        ]);
    }
    table.render(width)
}

/// Seconds in the largest unit of which there is one: `59s`, `3m`, `5h`, `400d`. What was imported was
/// never validated here, so its age says nothing.
fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        86_400..946_080_000 => format!("{}d", seconds / 86_400),
        _ => "never".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_sizes_and_ages_for_people() {
        let rows = r#"[{"id":"0123456789abcdef","operation":"issues","bytes":2048,"age_seconds":3700,
            "variants":1,"grants":2,"label":"GET api.github.com/user"},{"label":"x"}]"#;
        let shown = text(&serde_json::from_str::<Vec<_>>(rows).unwrap(), 100);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>(),
            [
                "0123456789ab",
                "issues",
                "2.0",
                "KiB",
                "1h",
                "1",
                "2",
                "GET",
                "api.github.com/user"
            ]
        );
        assert!(lines.len() == 3 && lines[2].trim() == "x", "{shown}");
    }

    #[test]
    fn an_age_has_one_unit_and_the_epoch_none() {
        for (seconds, shown) in [
            (59, "59s"),
            (60, "1m"),
            (7200, "2h"),
            (86_400 * 400, "400d"),
            (1_800_000_000, "never"),
        ] {
            assert_eq!(age(seconds), shown);
        }
    }
}
