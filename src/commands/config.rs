//! `ghswarm config`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::context::Context;
use super::print;
use crate::cli::{Config, ConfigCommand, ConfigFormat};
use crate::config::{
    Error, Origin, Read, Reading, Setting, Settings, Sharing, Slot, directories, schema,
};

pub(super) fn run(config: Config, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    match config.command {
        ConfigCommand::Show { format, settings } => show(*settings, format, context),
        ConfigCommand::Check { settings } => Ok(check(*settings, context)),
        ConfigCommand::Schema => {
            print::json(&schema::schema())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// One setting, or the lifetime of one operation.
struct Shown {
    name: String,
    value: String,
    origin: Origin,
}

fn show(flags: Settings, format: ConfigFormat, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let read = context.read(flags, Reading::Everything);
    let rows = rows(&read, context);
    match format {
        ConfigFormat::Table => {
            print::bytes(table(&rows).as_bytes())?;
            for notice in &read.notices {
                print::complaint(notice);
            }
        }
        ConfigFormat::Json => {
            let settings = rows.iter().map(|row| (row.name.as_str(), as_json(row)));
            let problems = read.problems.iter().map(ToString::to_string);
            print::json(&json!({
                "settings": settings.collect::<BTreeMap<_, _>>(),
                "notices": read.notices,
                "problems": problems.collect::<Vec<_>>(),
            }))?;
        }
    }
    if read.problems.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(Error::Problems(read.problems).into())
    }
}

fn check(flags: Settings, context: &Context<'_>) -> ExitCode {
    let mut read = context.read(flags, Reading::Everything);
    // Directories that cannot be found are found wanting here, too.
    let unplaced = context.directories(&read.settings).err();
    let unshared = Sharing::find(&read.settings, context.environment());
    read.notices.extend(
        unshared
            .as_ref()
            .ok()
            .and_then(Sharing::notice)
            .map(str::to_owned),
    );
    for notice in &read.notices {
        print::complaint(notice);
    }
    if !read.problems.is_empty() {
        let problems = std::mem::take(&mut read.problems);
        print::complaint(&Error::Problems(problems).to_string());
        return ExitCode::FAILURE;
    }
    if let Some(error) = unplaced.or(unshared.err().map(Into::into)) {
        print::complaint(&format!("{error:#}"));
        return ExitCode::FAILURE;
    }
    let notices = read.notices.len();
    print::to_people(&match notices {
        0 => "the configuration is fine".to_owned(),
        1 => "the configuration is fine, with the notice above".to_owned(),
        _ => format!("the configuration is fine, with the {notices} notices above"),
    });
    ExitCode::SUCCESS
}

/// Every setting in the order of the table, with its default where nobody set it.
fn rows(read: &Read, context: &Context<'_>) -> Vec<Shown> {
    let mut effective = read.settings.clone().or(Settings::defaults());
    effective.owner = Some(context.owner(&effective));
    // Without a place for them nothing starts, and `config check` says so.
    if let Ok(directories) = context.directories(&effective) {
        effective.state_dir = Some(directories.state);
        effective.cache_dir = Some(directories.cache);
        effective.socket = Some(directories.socket);
    }
    let mut rows = Vec::new();
    for setting in Setting::all() {
        let mut values = effective.values(setting);
        values.sort();
        if setting != Setting::Lifetime {
            let texts: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
            let slot = Slot {
                setting,
                operation: None,
            };
            let mut origin = read.origin(&slot).clone();
            if setting == Setting::StateDir
                && origin == Origin::Default
                && let Some(variable) = directories::state_variable(context.environment())
            {
                origin = Origin::Variable(variable.to_owned());
            }
            rows.push(Shown {
                name: slot.name(),
                value: texts.join(" "),
                origin,
            });
            continue;
        }
        rows.extend(values.iter().map(|value| {
            let slot = Slot::of(setting, value);
            let text = value.to_string_lossy();
            Shown {
                name: slot.name(),
                value: text
                    .split_once('=')
                    .map_or("", |(_, lasts)| lasts)
                    .to_owned(),
                origin: read.origin(&slot).clone(),
            }
        }));
    }
    rows
}

fn as_json(row: &Shown) -> Value {
    let (from, place) = match &row.origin {
        Origin::Default => ("default", Value::Null),
        Origin::Flag(name) => ("flag", json!(name)),
        Origin::Variable(name) => ("variable", json!(name)),
        Origin::Line { path, line, name } => (
            "file",
            json!({"path": path.to_string_lossy(), "line": line, "key": name}),
        ),
    };
    json!({"value": row.value, "from": from, "where": place})
}

fn table(rows: &[Shown]) -> String {
    let width = |text: fn(&Shown) -> &str| {
        let widths = rows.iter().map(|row| text(row).chars().count());
        // A path may be of any length, and pushes only its own line out.
        widths.filter(|width| *width <= 40).max().unwrap_or(0)
    };
    let (names, values) = (width(|row| &row.name), width(|row| &row.value));
    let mut text = String::new();
    for row in rows {
        let value = if row.value.is_empty() {
            "-"
        } else {
            &row.value
        };
        // Whatever a file or a variable holds must not steer the terminal.
        let value = value.escape_debug().to_string();
        let _ = writeln!(
            text,
            "{:<names$}  {value:<values$}  {}",
            row.name, row.origin
        );
    }
    text
}
