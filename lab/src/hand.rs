//! `/_lab/…`: the fake steered by hand.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::request::Call;
use crate::state::State;

impl Desk {
    /// Answers usage, changes the state, or goes back to the seed.
    pub(crate) fn by_hand(&mut self, call: &Call) -> Response<Bytes> {
        self.catch_up();
        let answer = match (call.method.as_str(), call.path.as_str()) {
            ("GET", "/_lab/usage") => serde_json::to_value(&self.ledger.usage).ok(),
            ("POST", "/_lab/change") => change(&mut self.state, &call.json()),
            ("POST", "/_lab/reset") => {
                self.replant();
                self.ledger.reset();
                Some(json!({"reset": true}))
            }
            _ => None,
        };
        let status = if answer.is_some() { 200 } else { 422 };
        let body = answer
            .unwrap_or_else(|| json!({"message": "no such change"}))
            .to_string();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        response
    }
}

/// Applies a change that came as JSON.
fn change(state: &mut State, wish: &Value) -> Option<Value> {
    let (kind, what) = wish.as_object()?.iter().next()?;
    let text = |name: &str| what[name].as_str().unwrap_or_default();
    let repo = what["repo"].as_str()?;
    match kind.as_str() {
        "create_issue" => {
            let number = state.create_issue(repo, text("title"), text("body")).ok()?;
            Some(json!({"number": number}))
        }
        "push_commit" => {
            let path = what["path"].as_str().unwrap_or("file.txt");
            let content = text("content").as_bytes();
            let branch = what["branch"].as_str().unwrap_or("main");
            let sha = state
                .push_commit(repo, branch, text("message"), &[(path, content)])
                .ok()?;
            Some(json!({"sha": sha}))
        }
        "create_run" => {
            let branch = what["branch"].as_str().unwrap_or("main");
            let id = state
                .create_run(repo, text("workflow"), branch, "push")
                .ok()?;
            Some(json!({"id": id}))
        }
        _ => None,
    }
}
