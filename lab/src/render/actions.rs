//! Workflows, runs, jobs, artifacts, runners.

use serde_json::{Value, json};

use super::{api, html, repo, time, user};
use crate::clock::iso;
use crate::state::{Artifact, Job, Repo, Run, Runner, State, Workflow, node_id};

/// `workflow`.
pub(crate) fn workflow(state: &State, repo: &Repo, workflow: &Workflow) -> Value {
    let file = workflow.path.rsplit('/').next().unwrap_or_default();
    json!({
        "id": workflow.id,
        "node_id": node_id("Workflow", workflow.id),
        "name": workflow.name,
        "path": workflow.path,
        "state": "active",
        "created_at": iso(workflow.created_at),
        "updated_at": iso(workflow.created_at),
        "url": api(state, repo, &format!("/actions/workflows/{}", workflow.id)),
        "html_url": html(state, repo, &format!("/blob/main/{}", workflow.path)),
        "badge_url": html(state, repo, &format!("/actions/workflows/{file}/badge.svg")),
    })
}

/// `workflow-run`.
pub(crate) fn run(state: &State, repo: &Repo, run: &Run) -> Value {
    let url = api(state, repo, &format!("/actions/runs/{}", run.id));
    let workflow = repo.workflows.get(&run.workflow);
    let suite = run.id + 1_000_000;
    let commit = repo.commits.get(&run.sha);
    let message = commit.map_or("", |commit| commit.message.as_str());
    let person = json!({"name": "octocat", "email": "octocat@users.noreply.github.com"});
    json!({
        "id": run.id,
        "name": workflow.map(|workflow| workflow.name.as_str()),
        "node_id": node_id("WorkflowRun", run.id),
        "head_branch": run.branch,
        "head_sha": run.sha,
        "path": workflow.map_or("", |workflow| workflow.path.as_str()),
        "display_title": message,
        "run_number": run.number,
        "run_attempt": 1,
        "referenced_workflows": [],
        "event": run.event,
        "status": run.status,
        "conclusion": run.conclusion,
        "workflow_id": run.workflow,
        "check_suite_id": suite,
        "check_suite_node_id": node_id("CheckSuite", suite),
        "url": url,
        "html_url": html(state, repo, &format!("/actions/runs/{}", run.id)),
        "pull_requests": [],
        "created_at": iso(run.created_at),
        "updated_at": iso(run.updated_at),
        "run_started_at": iso(run.created_at),
        "actor": user(state, "octocat"),
        "triggering_actor": user(state, "octocat"),
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "check_suite_url": api(state, repo, &format!("/check-suites/{suite}")),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "previous_attempt_url": null,
        "workflow_url": api(state, repo, &format!("/actions/workflows/{}", run.workflow)),
        "head_commit": {
            "id": run.sha,
            "tree_id": commit.map_or("", |commit| commit.tree.as_str()),
            "message": message,
            "timestamp": iso(commit.map_or(0, |commit| commit.date)),
            "author": person,
            "committer": person,
        },
        "repository": repo::minimal(state, repo),
        "head_repository": repo::minimal(state, repo),
    })
}

/// `job`.
pub(crate) fn job(state: &State, repo: &Repo, run: &Run, job: &Job) -> Value {
    let workflow = repo.workflows.get(&run.workflow);
    let step = |number: u64, name: &str| {
        json!({"name": name, "status": job.status, "conclusion": job.conclusion, "number": number,
            "started_at": iso(job.started_at), "completed_at": time(job.completed_at)})
    };
    let page = format!("/actions/runs/{}/job/{}", run.id, job.id);
    json!({
        "id": job.id,
        "run_id": run.id,
        "workflow_name": workflow.map(|workflow| workflow.name.as_str()),
        "head_branch": run.branch,
        "run_url": api(state, repo, &format!("/actions/runs/{}", run.id)),
        "run_attempt": 1,
        "node_id": node_id("CheckRun", job.id),
        "head_sha": run.sha,
        "url": api(state, repo, &format!("/actions/jobs/{}", job.id)),
        "html_url": html(state, repo, &page),
        "status": job.status,
        "conclusion": job.conclusion,
        "created_at": iso(run.created_at),
        "started_at": iso(job.started_at),
        "completed_at": time(job.completed_at),
        "name": job.name,
        "steps": [step(1, "Set up job"), step(2, "Run make"), step(3, "Complete job")],
        "check_run_url": api(state, repo, &format!("/check-runs/{}", job.id)),
        "labels": ["self-hosted"],
        "runner_id": 1,
        "runner_name": "runner-1",
        "runner_group_id": 1,
        "runner_group_name": "Default",
    })
}

/// `runner`.
pub(crate) fn runner(runner: &Runner) -> Value {
    let label = |id: u64, name: &str| json!({"id": id, "name": name, "type": "read-only"});
    json!({
        "id": runner.id,
        "name": runner.name,
        "os": "linux",
        "status": if runner.online { "online" } else { "offline" },
        "busy": runner.busy,
        "ephemeral": false,
        "runner_group_id": 1,
        "labels": [label(1, "self-hosted"), label(2, "Linux"), label(3, "X64")],
    })
}

/// `artifact`.
pub(crate) fn artifact(state: &State, repo: &Repo, artifact: &Artifact) -> Value {
    let url = api(state, repo, &format!("/actions/artifacts/{}", artifact.id));
    json!({
        "id": artifact.id,
        "node_id": node_id("Artifact", artifact.id),
        "name": artifact.name,
        "size_in_bytes": 2600,
        "url": url,
        "archive_download_url": format!("{url}/zip"),
        "expired": false,
        "created_at": iso(artifact.created_at),
        "updated_at": iso(artifact.created_at),
        "expires_at": iso(artifact.created_at + 90 * 86_400),
        "workflow_run": {"id": artifact.run, "repository_id": repo.id,
            "head_repository_id": repo.id},
    })
}
