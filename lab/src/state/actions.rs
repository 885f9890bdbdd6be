//! Workflows, runs, jobs, artifacts and runners.

use super::{Found, Missing, State};

/// A workflow.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// The id.
    pub id: u64,
    /// The name.
    pub name: String,
    /// The path, such as `.github/workflows/ci.yml`.
    pub path: String,
    /// When it was made.
    pub created_at: u64,
}

/// A run of a workflow.
#[derive(Clone, Debug)]
pub struct Run {
    /// The id.
    pub id: u64,
    /// The workflow's id.
    pub workflow: u64,
    /// The number among the workflow's runs.
    pub number: u64,
    /// The branch.
    pub branch: String,
    /// The commit.
    pub sha: String,
    /// Why it ran, such as `push`.
    pub event: String,
    /// `queued`, `in_progress`, `completed`, …
    pub status: String,
    /// `success`, `failure`, …; none until it is completed.
    pub conclusion: Option<String>,
    /// When it was made.
    pub created_at: u64,
    /// When it last changed.
    pub updated_at: u64,
}

/// A job of a run.
#[derive(Clone, Debug)]
pub struct Job {
    /// The id.
    pub id: u64,
    /// The run's id.
    pub run: u64,
    /// The name.
    pub name: String,
    /// As of [`Run::status`].
    pub status: String,
    /// As of [`Run::conclusion`].
    pub conclusion: Option<String>,
    /// When it started.
    pub started_at: u64,
    /// When it ended.
    pub completed_at: Option<u64>,
}

/// An artifact of a run.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The id.
    pub id: u64,
    /// The run's id.
    pub run: u64,
    /// The name.
    pub name: String,
    /// When it was made.
    pub created_at: u64,
}

/// A self-hosted runner.
#[derive(Clone, Debug)]
pub struct Runner {
    /// The id.
    pub id: u64,
    /// The name.
    pub name: String,
    /// Whether it is connected.
    pub online: bool,
    /// Whether it runs a job.
    pub busy: bool,
}

impl State {
    /// Adds a workflow and returns its id.
    pub fn create_workflow(&mut self, full_name: &str, name: &str, file: &str) -> Found<u64> {
        let (id, now) = (self.next_id(), self.now);
        let path = format!(".github/workflows/{file}");
        let workflow = Workflow {
            id,
            name: name.into(),
            path,
            created_at: now,
        };
        self.repo_mut(full_name)?.workflows.insert(id, workflow);
        Ok(id)
    }

    /// Starts a queued run with one job and returns its id; the workflow is made if need be.
    pub fn create_run(
        &mut self,
        full_name: &str,
        workflow_file: &str,
        branch: &str,
        event: &str,
    ) -> Found<u64> {
        let file = if workflow_file.is_empty() {
            "ci.yml"
        } else {
            workflow_file
        };
        let ending = format!("/{file}");
        let known = self
            .repo(full_name)?
            .workflows
            .values()
            .find(|w| w.path.ends_with(&ending));
        let workflow = match known.map(|workflow| workflow.id) {
            Some(id) => id,
            None => self.create_workflow(full_name, file.trim_end_matches(".yml"), file)?,
        };
        let (id, job, artifact, now) = (self.next_id(), self.next_id(), self.next_id(), self.now);
        let repo = self.repo_mut(full_name)?;
        let commit = repo
            .resolve(branch)
            .ok_or_else(|| Missing(format!("branch {branch}")))?;
        let sha = commit.sha.clone();
        let number = repo
            .runs
            .values()
            .filter(|run| run.workflow == workflow)
            .count()
            + 1;
        let run = Run {
            id,
            workflow,
            number: number as u64,
            branch: branch.into(),
            sha,
            event: event.into(),
            status: "queued".into(),
            conclusion: None,
            created_at: now,
            updated_at: now,
        };
        repo.runs.insert(id, run);
        let job_row = Job {
            id: job,
            run: id,
            name: "build".into(),
            status: "queued".into(),
            conclusion: None,
            started_at: now,
            completed_at: None,
        };
        repo.jobs.insert(job, job_row);
        let artifact_row = Artifact {
            id: artifact,
            run: id,
            name: "logs".into(),
            created_at: now,
        };
        repo.artifacts.insert(artifact, artifact_row);
        Ok(id)
    }

    /// Moves a run and its jobs on.
    pub fn set_run_status(
        &mut self,
        full_name: &str,
        run: u64,
        status: &str,
        conclusion: Option<&str>,
    ) -> Found<()> {
        let now = self.now;
        let repo = self.repo_mut(full_name)?;
        let entry = repo
            .runs
            .get_mut(&run)
            .ok_or_else(|| Missing(format!("run {run}")))?;
        entry.status = status.into();
        entry.conclusion = conclusion.map(str::to_owned);
        entry.updated_at = now;
        for job in repo.jobs.values_mut().filter(|job| job.run == run) {
            job.status = status.into();
            job.conclusion = conclusion.map(str::to_owned);
            job.completed_at = (status == "completed").then_some(now);
        }
        Ok(())
    }

    /// Adds a runner that is connected and idle, and returns its id.
    pub fn add_runner(&mut self, full_name: &str, name: &str) -> Found<u64> {
        let id = self.next_id();
        let runner = Runner {
            id,
            name: name.into(),
            online: true,
            busy: false,
        };
        self.repo_mut(full_name)?.runners.insert(id, runner);
        Ok(id)
    }

    /// Says whether a runner is connected and busy.
    pub fn set_runner(&mut self, full_name: &str, id: u64, online: bool, busy: bool) -> Found<()> {
        let repo = self.repo_mut(full_name)?;
        let runner = repo
            .runners
            .get_mut(&id)
            .ok_or_else(|| Missing(format!("runner {id}")))?;
        (runner.online, runner.busy) = (online, busy);
        Ok(())
    }
}
