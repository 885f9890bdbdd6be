//! `ghswarm peers discover`, and `register` in the Actions cache.

use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use super::super::context::Context;
use super::super::print;
use super::super::table::{self, Column, Table};
use super::told;
use crate::cli::{ListFormat, Target};
use crate::discovery::stores::{Looked, Met, Store};

#[derive(Deserialize)]
struct Done {
    key: String,
}

pub(super) async fn register(target: &Target, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let request = (Method::POST, "/peers/register");
    let answer = told(target, context, request, Bytes::new()).await?;
    let done: Done =
        serde_json::from_slice(&answer).context("the daemon's answer makes no sense")?;
    print::bytes(format!("{}\n", table::plain(&done.key)).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn discover(
    format: ListFormat,
    target: &Target,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    let request = (Method::POST, "/peers/discover");
    let answer = told(target, context, request, Bytes::new()).await?;
    let looked: Vec<Looked> =
        serde_json::from_slice(&answer).context("the daemon's answer makes no sense")?;
    match format {
        ListFormat::Json => print::json(&looked)?,
        ListFormat::Table => {
            for line in remarks(&looked) {
                print::to_people(&line);
            }
            if looked.iter().any(|one| !one.found.is_empty()) {
                print::bytes(text(&looked, table::width(context)).as_bytes())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

const fn name(store: Store) -> &'static str {
    match store {
        Store::ActionsCache => "Actions cache",
        Store::CacheList => "list of keys",
    }
}

/// What a table has no place for.
fn remarks(looked: &[Looked]) -> Vec<String> {
    if looked.is_empty() {
        let none = "this daemon has no stores: it was started without ACTIONS_RESULTS_URL and \
                    ACTIONS_RUNTIME_TOKEN; `ghswarm peers --help` shows other ways";
        return vec![none.to_owned()];
    }
    let remark = |one: &Looked| {
        let reason = one.reason.as_ref()?;
        Some(format!("{}: {}", name(one.store), table::plain(reason)))
    };
    looked.iter().filter_map(remark).collect()
}

/// The column of any length last.
fn text(looked: &[Looked], width: usize) -> String {
    let mut table = Table::new([
        Column::Left("store"),
        Column::Left("peer"),
        Column::Left("how"),
        Column::Left("where"),
    ]);
    for one in looked {
        for found in &one.found {
            let how = match found.how {
                Met::New => "dialling",
                Met::Known => "known",
                Met::Ourselves => "we",
                Met::Expired => "gone",
                Met::Refused => "not taken",
            };
            let addresses: Vec<_> = found.addresses.iter().map(ToString::to_string).collect();
            table.row([
                name(one.store).to_owned(),
                found.peer_id.clone(),
                how.to_owned(),
                addresses.join(" "),
            ]);
        }
    }
    table.render(width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::stores::PeerFound;

    #[test]
    fn what_was_found_is_a_row_and_what_was_not_a_remark() {
        let found = PeerFound {
            peer_id: "12D3KooW".to_owned(),
            addresses: vec!["/ip4/10.0.0.1/tcp/9000".parse().unwrap()],
            expires: 1_800_000_000,
            how: Met::New,
        };
        let looked = [
            Looked {
                store: Store::ActionsCache,
                found: vec![found],
                reason: None,
            },
            Looked {
                store: Store::CacheList,
                found: Vec::new(),
                reason: Some("no\u{1b}".to_owned()),
            },
        ];
        let shown = text(&looked, 100);
        let row = "Actions cache  12D3KooW  dialling  /ip4/10.0.0.1/tcp/9000";
        assert!(shown.contains(row), "{shown}");
        assert_eq!(remarks(&looked), ["list of keys: no\u{fffd}"]);
        assert!(remarks(&[])[0].contains("ACTIONS_RUNTIME_TOKEN"));
    }
}
