//! The part of the admin interface about peers.
//!
//! `GET /peers` lists them, `GET /peers/export` is a file with our record and whom we know, `GET
//! /peers/register` the same with its name in a store; `POST /peers/import` takes such a file, `POST
//! /peers/add` an address, `POST /peers/discover` asks the stores, `POST /peers/register` puts our record into the
//! Actions cache. An export has tickets in it: this interface is for whoever may use it at all.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::{Query, Refusal, json, not_found, nothing, typed};
use crate::discovery::stores::Registered;
use crate::discovery::{Discovery, NoAddress};
use crate::swarm::{Multiaddr, PeerRow};

/// What the paths of this part begin with.
pub(super) const PREFIX: &str = "/peers";

/// The list.
#[derive(Serialize)]
struct List {
    /// We ourselves.
    peer_id: String,
    /// With whom we share.
    pool: String,
    /// Where we are reached.
    multiaddrs: Vec<Multiaddr>,
    /// A peer fell silent: nothing is shown as fresh for a while.
    deaf: bool,
    peers: Vec<PeerRow>,
}

/// What `ready.json` says by now: peers reach us later than clients do.
pub(super) fn ready(ready: &Value, peers: Option<&Discovery>) -> Value {
    let mut ready = ready.clone();
    if let Some(peers) = peers {
        let addresses = peers.addresses().borrow().clone();
        if !addresses.is_empty() {
            ready["multiaddrs"] = serde_json::to_value(addresses).unwrap_or_default();
        }
    }
    ready
}

/// The peers, if this daemon shares with any.
pub(super) fn or_none(peers: Option<&Discovery>) -> Result<&Discovery, Refusal> {
    peers.ok_or_else(|| {
        Refusal::new(
            StatusCode::CONFLICT,
            "this daemon shares with nobody: start it with --pool OWNER/REPO, and without --no-p2p",
        )
    })
}

pub(super) async fn read(
    peers: &Discovery,
    path: &str,
    query: &Query,
) -> Result<Response<Bytes>, Refusal> {
    match path {
        "/peers" => {
            let client = peers.client();
            let rows = client.peers().await;
            json(&List {
                peer_id: client.identity().peer_id().to_string(),
                pool: peers.pool().name().to_owned(),
                multiaddrs: peers.addresses().borrow().clone(),
                deaf: client.contact().is_lost(),
                peers: rows,
            })
        }
        "/peers/export" => {
            let file = peers.export().await.map_err(unreachable)?;
            let bytes = Bytes::copy_from_slice(file.as_bytes());
            Ok(typed("text/plain; charset=utf-8", bytes))
        }
        "/peers/register" => {
            let repository = query.number("repository")?.unwrap_or(0);
            let registration = peers.register(repository as u64).await;
            let registration = registration.map_err(unreachable)?;
            json(&serde_json::json!({
                "name": registration.name,
                "file": registration.file.as_str(),
            }))
        }
        _ => Err(not_found()),
    }
}

pub(super) async fn write(
    peers: &Discovery,
    path: &str,
    body: &Bytes,
) -> Result<Response<Bytes>, Refusal> {
    match path {
        "/peers/import" => {
            let imported = peers
                .import(body)
                .map_err(|why| Refusal::owned(StatusCode::UNPROCESSABLE_ENTITY, why.to_string()))?;
            json(&imported)
        }
        "/peers/add" => {
            let text = std::str::from_utf8(body).ok();
            let address = text.and_then(|text| text.trim().parse::<Multiaddr>().ok());
            let address = address.ok_or_else(|| {
                Refusal::new(StatusCode::BAD_REQUEST, "the body is not a multiaddress")
            })?;
            peers.add(address);
            Ok(nothing())
        }
        "/peers/discover" => json(&peers.look_in_stores().await),
        "/peers/register" => match peers.register_in_cache().await {
            Registered::Done { key } => json(&serde_json::json!({ "key": key })),
            Registered::NoAddress => Err(unreachable(NoAddress)),
            Registered::NoStore => Err(Refusal::new(
                StatusCode::CONFLICT,
                "the daemon was started without ACTIONS_RESULTS_URL and ACTIONS_RUNTIME_TOKEN, so it has no \
                 Actions cache; `--directory DIR` registers in a directory",
            )),
            Registered::Busy => Err(Refusal::new(
                StatusCode::GATEWAY_TIMEOUT,
                "the Actions cache has not answered yet; ask again",
            )),
            Registered::Failed { reason } => Err(Refusal::owned(
                StatusCode::BAD_GATEWAY,
                format!("our record is not in the Actions cache: {reason}"),
            )),
        },
        _ => Err(not_found()),
    }
}

fn unreachable(error: NoAddress) -> Refusal {
    // It may have one soon: whoever asks can ask again.
    Refusal::owned(StatusCode::TOO_EARLY, error.to_string())
}
