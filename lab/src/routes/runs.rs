//! Workflows, runs, jobs, logs, artifacts.

use serde_json::{Value, json};

use super::{Route, Scope, list_url};
use crate::answer::{Answer, Refusal, Reply};
use crate::page;
use crate::redirect;
use crate::render::actions;
use crate::request::Call;
use crate::state::{Repo, Run, Workflow};

/// How long an address of a log is good.
const LOG_SECONDS: u64 = 60;

pub(super) fn routes() -> Vec<Route> {
    let runs = "rest/actions/workflow-runs";
    let flows = "rest/actions/workflows";
    let jobs = "rest/actions/workflow-jobs";
    let artifact = "rest/actions/artifacts";
    vec![
        Route::get("/repos/{owner}/{repo}/actions/workflows", flows, workflows),
        Route::get(
            "/repos/{owner}/{repo}/actions/workflows/{workflow_id}",
            flows,
            workflow,
        ),
        Route::get(
            "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs",
            runs,
            runs_of_workflow,
        ),
        Route::new(
            "POST",
            "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches",
            flows,
            dispatch,
        ),
        Route::get("/repos/{owner}/{repo}/actions/runs", runs, all_runs),
        Route::get("/repos/{owner}/{repo}/actions/runs/{run_id}", runs, run),
        Route::get(
            "/repos/{owner}/{repo}/actions/runs/{run_id}/jobs",
            jobs,
            jobs_of_run,
        ),
        Route::get(
            "/repos/{owner}/{repo}/actions/runs/{run_id}/logs",
            runs,
            run_logs,
        ),
        Route::get(
            "/repos/{owner}/{repo}/actions/runs/{run_id}/artifacts",
            artifact,
            of_run,
        ),
        Route::new(
            "POST",
            "/repos/{owner}/{repo}/actions/runs/{run_id}/cancel",
            runs,
            cancel,
        ),
        Route::new(
            "POST",
            "/repos/{owner}/{repo}/actions/runs/{run_id}/rerun",
            runs,
            rerun,
        ),
        Route::get("/repos/{owner}/{repo}/actions/jobs/{job_id}", jobs, job),
        Route::get(
            "/repos/{owner}/{repo}/actions/jobs/{job_id}/logs",
            jobs,
            job_logs,
        ),
        Route::get(
            "/repos/{owner}/{repo}/actions/artifacts",
            artifact,
            artifacts,
        ),
        Route::get(
            "/repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}",
            artifact,
            artifact_zip,
        ),
    ]
}

fn workflows(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (state, repo) = (&*scope.state, scope.repo(call)?);
    let url = list_url(state, repo, "/actions/workflows");
    let render = |it| actions::workflow(state, repo, it);
    Ok(page::wrapped(
        call,
        &url,
        repo.workflows.values().collect(),
        render,
        |total, items| json!({"total_count": total, "workflows": items}),
    ))
}

/// A workflow by id or file name.
fn find_workflow<'r>(repo: &'r Repo, call: &Call) -> Result<&'r Workflow, Refusal> {
    let name = call.param("workflow_id");
    let by_file = || {
        repo.workflows
            .values()
            .find(|it| it.path.ends_with(&format!("/{name}")))
    };
    let by_id = name
        .parse()
        .ok()
        .and_then(|id: u64| repo.workflows.get(&id));
    by_id.or_else(by_file).ok_or_else(Refusal::not_found)
}

fn workflow(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let found = find_workflow(repo, call)?;
    Ok(Answer::json(actions::workflow(scope.state, repo, found)))
}

fn page_of_runs(
    scope: &Scope<'_>,
    call: &Call,
    rest: &str,
    wanted: impl Fn(&Run) -> bool,
) -> Reply {
    let (state, repo) = (scope.state as &_, scope.repo(call)?);
    let equal = |name: &str, value: Option<&str>| {
        call.query(name)
            .is_none_or(|wish| wish.is_empty() || Some(wish.as_str()) == value)
    };
    let newest = repo.runs.values().rev().filter(|run| {
        let status = call.query("status").unwrap_or_default();
        wanted(run)
            && equal("branch", Some(&run.branch))
            && equal("event", Some(&run.event))
            && equal("head_sha", Some(&run.sha))
            && (status.is_empty()
                || status == run.status
                || Some(status.as_str()) == run.conclusion.as_deref())
    });
    let url = list_url(state, repo, rest);
    let render = |it| actions::run(state, repo, it);
    Ok(page::wrapped(
        call,
        &url,
        newest.collect(),
        render,
        |total, items| json!({"total_count": total, "workflow_runs": items}),
    ))
}

fn all_runs(scope: &mut Scope<'_>, call: &Call) -> Reply {
    page_of_runs(scope, call, "/actions/runs", |_| true)
}

fn runs_of_workflow(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let id = find_workflow(scope.repo(call)?, call)?.id;
    let rest = format!("/actions/workflows/{id}/runs");
    page_of_runs(scope, call, &rest, |run| run.workflow == id)
}

/// `workflow_dispatch`.
fn dispatch(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let file = find_workflow(scope.repo(call)?, call)?.path.clone();
    let file = file.rsplit('/').next().unwrap_or_default();
    let wish = call.json();
    let missing = || Refusal::invalid("WorkflowDispatch", "ref", "missing_field");
    let branch = wish["ref"].as_str().ok_or_else(missing)?;
    let branch = branch.trim_start_matches("refs/heads/");
    let made = scope
        .state
        .create_run(&full, file, branch, "workflow_dispatch");
    made.map_err(|_| Refusal::new(422, format!("No ref found for: {branch}")))?;
    Ok(Answer::no_content())
}

fn find_run<'r>(repo: &'r Repo, call: &Call) -> Result<&'r Run, Refusal> {
    let found = call.number("run_id").and_then(|id| repo.runs.get(&id));
    found.ok_or_else(Refusal::not_found)
}

fn run(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let found = find_run(repo, call)?;
    Ok(Answer::json(actions::run(scope.state, repo, found)))
}

fn jobs_of_run(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let (state, repo) = (&*scope.state, scope.repo(call)?);
    let run = find_run(repo, call)?;
    let jobs = repo.jobs.values().filter(|job| job.run == run.id).collect();
    let url = list_url(state, repo, &format!("/actions/runs/{}/jobs", run.id));
    let render = |it| actions::job(state, repo, run, it);
    Ok(page::wrapped(
        call,
        &url,
        jobs,
        render,
        |total, items| json!({"total_count": total, "jobs": items}),
    ))
}

fn job(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let repo = scope.repo(call)?;
    let job = call.number("job_id").and_then(|id| repo.jobs.get(&id));
    let job = job.ok_or_else(Refusal::not_found)?;
    let run = repo.runs.get(&job.run).ok_or_else(Refusal::not_found)?;
    Ok(Answer::json(actions::job(scope.state, repo, run, job)))
}

fn run_logs(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let id = find_run(scope.repo(call)?, call)?.id;
    Ok(redirect::found(
        redirect::RESULTS,
        &format!("/runs/{id}/logs"),
        scope.state.now,
        LOG_SECONDS,
    ))
}

fn job_logs(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let id = call.number("job_id").filter(|id| {
        scope
            .repo(call)
            .is_ok_and(|repo| repo.jobs.contains_key(id))
    });
    let path = format!("/jobs/{}/logs", id.ok_or_else(Refusal::not_found)?);
    Ok(redirect::found(
        redirect::RESULTS,
        &path,
        scope.state.now,
        LOG_SECONDS,
    ))
}

fn cancel(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let id = find_run(scope.repo(call)?, call)?.id;
    scope
        .state
        .set_run_status(&full, id, "completed", Some("cancelled"))?;
    Ok(accepted(202))
}

fn rerun(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let full = scope.writable(call)?;
    let id = find_run(scope.repo(call)?, call)?.id;
    scope.state.set_run_status(&full, id, "queued", None)?;
    Ok(accepted(201))
}

fn accepted(status: u16) -> Answer {
    let mut answer = Answer::json(json!({}));
    answer.status = status;
    answer
}

fn page_of_artifacts(scope: &Scope<'_>, call: &Call, rest: &str, run: Option<u64>) -> Reply {
    let (state, repo) = (scope.state as &_, scope.repo(call)?);
    let all = repo.artifacts.values().rev();
    let found = all
        .filter(|it| run.is_none_or(|run| it.run == run))
        .collect();
    let url = list_url(state, repo, rest);
    let render = |it| -> Value { actions::artifact(state, repo, it) };
    Ok(page::wrapped(
        call,
        &url,
        found,
        render,
        |total, items| json!({"total_count": total, "artifacts": items}),
    ))
}

fn artifacts(scope: &mut Scope<'_>, call: &Call) -> Reply {
    page_of_artifacts(scope, call, "/actions/artifacts", None)
}

fn of_run(scope: &mut Scope<'_>, call: &Call) -> Reply {
    let id = find_run(scope.repo(call)?, call)?.id;
    page_of_artifacts(
        scope,
        call,
        &format!("/actions/runs/{id}/artifacts"),
        Some(id),
    )
}

fn artifact_zip(scope: &mut Scope<'_>, call: &Call) -> Reply {
    scope.signed_in(call)?;
    let id = call.number("artifact_id").filter(|id| {
        scope
            .repo(call)
            .is_ok_and(|repo| repo.artifacts.contains_key(id))
    });
    let path = format!("/artifacts/{}.zip", id.ok_or_else(Refusal::not_found)?);
    Ok(redirect::found(
        redirect::ARTIFACTS,
        &path,
        scope.state.now,
        LOG_SECONDS,
    ))
}
