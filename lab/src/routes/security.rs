//! Dependabot alerts.

use serde_json::{Value, json};

use super::{Route, Scope, list_url};
use crate::answer::Reply;
use crate::clock::iso;
use crate::page;
use crate::render::{api, html};
use crate::request::Call;
use crate::state::{Repo, State};

pub(super) fn routes() -> Vec<Route> {
    let docs = "rest/dependabot/alerts";
    vec![Route::get(
        "/repos/{owner}/{repo}/dependabot/alerts",
        docs,
        alerts,
    )]
}

fn alerts(scope: &mut Scope<'_>, call: &Call) -> Reply {
    scope.writable(call)?;
    let repo = scope.repo(call)?;
    let url = list_url(scope.state, repo, "/dependabot/alerts");
    let numbers = (1..=repo.alerts).rev().collect();
    Ok(page::list(call, &url, numbers, |number| {
        alert(scope.state, repo, number)
    }))
}

fn alert(state: &State, repo: &Repo, number: u64) -> Value {
    let package = json!({"ecosystem": "npm", "name": "lodash"});
    let ghsa = format!("GHSA-rf4j-j272-f{number:03}");
    let vulnerability = json!({
        "package": package,
        "severity": "high",
        "vulnerable_version_range": "< 4.17.21",
        "first_patched_version": {"identifier": "4.17.21"},
    });
    json!({
        "number": number,
        "state": "open",
        "dependency": {"package": package, "manifest_path": "package-lock.json",
            "scope": "runtime"},
        "security_advisory": {
            "ghsa_id": ghsa,
            "cve_id": "CVE-2021-23337",
            "summary": "Command injection",
            "description": "Versions before 4.17.21 are open to command injection.",
            "vulnerabilities": [vulnerability],
            "severity": "high",
            "cvss": {"score": 7.2, "vector_string": "CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H"},
            "cwes": [{"cwe_id": "CWE-94", "name": "Code injection"}],
            "identifiers": [{"type": "GHSA", "value": ghsa}],
            "references": [{"url": "https://nvd.nist.gov/vuln/detail/CVE-2021-23337"}],
            "published_at": "2021-05-06T16:05:51Z",
            "updated_at": "2023-01-29T05:06:00Z",
            "withdrawn_at": null,
        },
        "security_vulnerability": vulnerability,
        "url": api(state, repo, &format!("/dependabot/alerts/{number}")),
        "html_url": html(state, repo, &format!("/security/dependabot/{number}")),
        "created_at": iso(repo.created_at),
        "updated_at": iso(repo.created_at),
        "dismissed_at": null,
        "dismissed_by": null,
        "dismissed_reason": null,
        "dismissed_comment": null,
        "fixed_at": null,
        "auto_dismissed_at": null,
    })
}
