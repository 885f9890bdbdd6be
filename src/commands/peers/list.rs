//! `ghswarm peers list`.

use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};

use super::super::context::Context;
use super::super::print;
use super::super::table::{self, Column, Table};
use super::told;
use crate::cli::{ListFormat, Target};
use crate::swarm::{Multiaddr, PeerRow, Standing};

/// What the daemon says.
#[derive(Debug, Serialize, Deserialize)]
struct Listed {
    peer_id: String,
    pool: String,
    multiaddrs: Vec<Multiaddr>,
    /// A peer fell silent: everything is asked again for a while.
    deaf: bool,
    peers: Vec<PeerRow>,
}

pub(super) async fn run(
    format: ListFormat,
    target: &Target,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    let answer = told(target, context, (Method::GET, "/peers"), Bytes::new()).await?;
    let mut listed: Listed =
        serde_json::from_slice(&answer).context("the daemon's list makes no sense")?;
    listed
        .peers
        .sort_by(|one, other| (rank(one), &one.peer_id).cmp(&(rank(other), &other.peer_id)));
    match format {
        ListFormat::Json => print::json(&listed)?,
        ListFormat::Table => {
            print::to_people(&summary(&listed));
            if !listed.peers.is_empty() {
                print::bytes(text(&listed.peers, table::width(context)).as_bytes())?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Those that matter most first.
fn rank(row: &PeerRow) -> u8 {
    match row.standing {
        Standing::Connected => 0,
        Standing::Dropped => 1,
        Standing::Refused => 2,
        Standing::Known => 3,
    }
}

fn summary(listed: &Listed) -> String {
    let connected = listed.peers.iter().filter(|row| rank(row) == 0).count();
    let told = match listed.peers.len() {
        0 => "no peer is known; `ghswarm peers --help` says how they find each other".to_owned(),
        known => format!("{connected} connected of {known} known"),
    };
    let place = match listed.multiaddrs.first() {
        Some(first) => format!("we are {first}"),
        None => format!("we are {}, and listen nowhere yet", listed.peer_id),
    };
    let deaf = if listed.deaf {
        "\na peer fell silent: everything is asked again until it is back, for a minute at most"
    } else {
        ""
    };
    format!("pool {}: {told}\n{place}{deaf}", listed.pool)
}

/// The column of any length last. JSON has all of it.
fn text(rows: &[PeerRow], width: usize) -> String {
    let mut table = Table::new([
        Column::Left("peer"),
        Column::Left("standing"),
        Column::Left("by"),
        Column::Right("ms"),
        Column::Right("confirmed"),
        Column::Right("refuted"),
        Column::Left("why, or where"),
    ]);
    for row in rows {
        let addresses: Vec<_> = row.addresses.iter().map(ToString::to_string).collect();
        let standing = match row.standing {
            Standing::Connected => "connected",
            Standing::Known => "known",
            Standing::Refused => "refused",
            Standing::Dropped => "dropped",
        };
        table.row([
            row.peer_id.clone(),
            standing.to_owned(),
            row.admission.clone().unwrap_or_default(),
            row.rtt_ms.map_or_else(String::new, |ms| format!("{ms:.1}")),
            row.confirmed.to_string(),
            row.refuted.to_string(),
            row.reason.clone().unwrap_or_else(|| addresses.join(" ")),
        ]);
    }
    table.render(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(peer_id: &str, standing: Standing) -> PeerRow {
        PeerRow {
            peer_id: peer_id.to_owned(),
            standing,
            addresses: vec!["/ip4/10.0.0.1/tcp/9000".parse().unwrap()],
            admission: None,
            reason: None,
            rtt_ms: None,
            confirmed: 0,
            refuted: 0,
        }
    }

    #[test]
    fn a_row_says_how_we_stand_and_why_or_where() {
        let connected = PeerRow {
            admission: Some("secret".to_owned()),
            rtt_ms: Some(0.25),
            confirmed: 7,
            ..row("12D3KooWA", Standing::Connected)
        };
        let dropped = PeerRow {
            reason: Some("refuted-candidates".to_owned()),
            ..row("12D3KooWB", Standing::Dropped)
        };
        let shown = text(&[connected, dropped], 100);
        let words = |line: usize| {
            let line = shown.lines().nth(line).unwrap();
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let first = [
            "12D3KooWA",
            "connected",
            "secret",
            "0.2",
            "7",
            "0",
            "/ip4/10.0.0.1/tcp/9000",
        ];
        assert_eq!(words(1), first);
        assert_eq!(
            words(2),
            ["12D3KooWB", "dropped", "0", "0", "refuted-candidates"]
        );
    }

    #[test]
    fn who_knows_nobody_is_told_what_to_do() {
        let mut listed = Listed {
            peer_id: "12D3KooWA".to_owned(),
            pool: "a/b".to_owned(),
            multiaddrs: Vec::new(),
            deaf: false,
            peers: Vec::new(),
        };
        let told = summary(&listed);
        assert!(
            told.contains("peers --help") && told.contains("nowhere yet"),
            "{told}"
        );
        listed.peers = vec![row("x", Standing::Known), row("y", Standing::Connected)];
        let told = summary(&listed);
        assert!(
            told.contains("1 connected of 2 known") && !told.contains("silent"),
            "{told}"
        );
        listed.deaf = true;
        assert!(summary(&listed).contains("silent"));
    }
}
