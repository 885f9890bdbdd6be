//! Peers of other makes: js-libp2p and py-libp2p, from their registries.
//!
//! `tests/clients/swarm.mjs` and `swarm.py` have the admission written a second time, from its description: they
//! share no line with ours.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ghswarm::clock::Clock;
use ghswarm::digest::Digest;
use ghswarm::swarm::Ticket;
use serde_json::{Value, json};
use tokio::process::Command;

use super::member::{Member, config};
use crate::needs;

/// What a stranger is told by identify, and no more.
const BEFORE: [&str; 3] = ["/ghswarm/admission/1", "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"];

/// A program that is one peer and tells what it saw.
struct Foreign {
    command: Vec<String>,
    folder: std::path::PathBuf,
}

impl Foreign {
    fn javascript() -> Option<Self> {
        let clients = needs::clients()?;
        needs::program("node")?;
        (clients.join("node_modules/libp2p").is_dir()).then(|| Self {
            // Run in the folder of the packages, where Node looks for them.
            command: [
                "node",
                "--input-type=module",
                "--eval",
                include_str!("../../clients/swarm.mjs"),
            ]
            .map(str::to_owned)
            .to_vec(),
            folder: clients,
        })
    }

    fn python() -> Option<Self> {
        let clients = needs::clients()?;
        let python = clients.join("venv/bin/python");
        let has = |folder: &Path| {
            let found = std::fs::read_dir(folder).ok()?;
            let mut found = found.filter_map(Result::ok);
            found.find(|each| each.path().join("site-packages/libp2p").is_dir())
        };
        has(&clients.join("venv/lib"))?;
        Some(Self {
            command: [
                &*python.to_string_lossy(),
                "-c",
                include_str!("../../clients/swarm.py"),
            ]
            .map(str::to_owned)
            .to_vec(),
            folder: clients,
        })
    }

    /// What it saw of `member`, with this ticket or without one.
    async fn meets(&self, member: &Member, ticket: Option<&Ticket>) -> Value {
        let address = member.address().await.to_string();
        let (bare, _) = address.split_once("/p2p/").unwrap_or((&address, ""));
        let address = format!("{bare}/p2p/{}", member.id());
        let mut command = Command::new(&self.command[0]);
        command
            .args(&self.command[1..])
            .arg(address)
            .arg("octo-org/app");
        if let Some(ticket) = ticket {
            let secret = Digest::from(*ticket.secret).hex();
            command
                .arg(ticket.expires.as_secs().to_string())
                .arg(secret);
        }
        let said = command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output();
        let said = tokio::time::timeout(Duration::from_mins(1), said).await;
        let said = said.expect("a program that ends").unwrap();
        let error = String::from_utf8_lossy(&said.stderr).into_owned();
        serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("{error}"))
    }
}

async fn comes_in_with_a_ticket_alone(foreign: &Foreign) {
    let member = Member::start(1, config());
    let mut seen = foreign.meets(&member, None).await;
    let mut protocols: Vec<String> = serde_json::from_value(seen["protocols"].take()).unwrap();
    protocols.retain(|protocol| !protocol.starts_with("/ipfs/id/push/"));
    protocols.sort();
    assert_eq!(protocols, BEFORE);
    let stranger = json!({
        "agent": "ghswarm", "protocols": null, "addresses": [], "pinged": true,
        "exchange_before": false, "admitted": false, "code": 2, "exchange_after": false,
    });
    assert_eq!(seen, stranger);

    let in_an_hour = Clock::system().now().plus(Duration::from_hours(1));
    let forged = Ticket {
        secret: [7; 32].into(),
        ..member.client.identity().ticket(in_an_hour)
    };
    let seen = foreign.meets(&member, Some(&forged)).await;
    assert_eq!(
        (&seen["admitted"], &seen["code"]),
        (&json!(false), &json!(4))
    );

    let real = member.client.identity().ticket(in_an_hour);
    let seen = foreign.meets(&member, Some(&real)).await;
    assert_eq!(seen["admitted"], true, "{seen}");
    assert_eq!(
        (&seen["exchange_before"], &seen["exchange_after"]),
        (&json!(false), &json!(true))
    );
}

#[tokio::test]
async fn a_peer_in_javascript_comes_in_with_a_ticket_alone() {
    match Foreign::javascript() {
        Some(foreign) => comes_in_with_a_ticket_alone(&foreign).await,
        None => needs::skip("js-libp2p"),
    }
}

#[tokio::test]
async fn a_peer_in_python_comes_in_with_a_ticket_alone() {
    match Foreign::python() {
        Some(foreign) => comes_in_with_a_ticket_alone(&foreign).await,
        None => needs::skip("py-libp2p"),
    }
}
