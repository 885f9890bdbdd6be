//! What the runner says of a job.

use std::path::PathBuf;

use crate::digest::Digest;

/// Variables by which the runner speaks to a step. `config::env` has those that say how a daemon is set up.
pub mod variable {
    /// The file of variables for later steps.
    pub const GITHUB_ENV: &str = "GITHUB_ENV";
    /// The file of this step's outputs.
    pub const GITHUB_OUTPUT: &str = "GITHUB_OUTPUT";
    /// The file of folders for `PATH`.
    pub const GITHUB_PATH: &str = "GITHUB_PATH";
    /// The file of this step's summary.
    pub const GITHUB_STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";
    /// The file of an action's state.
    pub const GITHUB_STATE: &str = "GITHUB_STATE";
    /// `OWNER/REPO`.
    pub const GITHUB_REPOSITORY: &str = "GITHUB_REPOSITORY";
    /// Its number.
    pub const GITHUB_REPOSITORY_ID: &str = "GITHUB_REPOSITORY_ID";
    /// The number of the run; the same in all of its jobs and attempts.
    pub const GITHUB_RUN_ID: &str = "GITHUB_RUN_ID";
    /// Which attempt at the run, from 1.
    pub const GITHUB_RUN_ATTEMPT: &str = "GITHUB_RUN_ATTEMPT";
    /// The job's key in the workflow; the same in all jobs of a matrix.
    pub const GITHUB_JOB: &str = "GITHUB_JOB";
    /// The job's scratch directory, emptied when it ends.
    pub const RUNNER_TEMP: &str = "RUNNER_TEMP";
    /// `github-hosted` or `self-hosted`.
    pub const RUNNER_ENVIRONMENT: &str = "RUNNER_ENVIRONMENT";
    /// `strategy.job-index`, which the action hands on: the runner has no variable of it.
    pub const JOB_INDEX: &str = "GHSWARM_JOB_INDEX";
    /// `strategy.job-total`, likewise.
    pub const JOB_TOTAL: &str = "GHSWARM_JOB_TOTAL";
}

/// The jobs of a large matrix that keep their record in a store. The Actions cache takes 200 new entries a minute
/// from a repository, and a few records open the whole fleet.
const RECORDS: u64 = 24;

/// A job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// `OWNER/REPO`.
    pub repository: Option<String>,
    /// Its number; 0 where nobody says.
    pub repository_id: u64,
    /// The number of the run.
    pub run_id: u64,
    /// Which attempt at the run.
    pub run_attempt: u64,
    /// Its key in the workflow.
    pub key: Option<String>,
    /// Its scratch directory.
    pub temp: Option<PathBuf>,
    /// Whether the machine goes away with the job, and all its files: any that is not `self-hosted`.
    pub hosted: bool,
    /// Its place among the jobs of a matrix.
    pub strategy: Strategy,
}

/// A job's place among the jobs of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strategy {
    /// From 0.
    pub index: u64,
    /// How many there are, at least 1.
    pub total: u64,
}

impl Default for Strategy {
    fn default() -> Self {
        Self { index: 0, total: 1 }
    }
}

impl Job {
    /// What the variables say. What is missing or makes no sense is as if there were none.
    pub fn of<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Self {
        let number = |name| variable(name)?.trim().parse::<u64>().ok();
        let total = number(variable::JOB_TOTAL).unwrap_or(1).max(1);
        let index = number(variable::JOB_INDEX).unwrap_or(0) % total;
        let temp = variable(variable::RUNNER_TEMP).map(PathBuf::from);
        Self {
            repository: variable(variable::GITHUB_REPOSITORY).map(str::to_owned),
            repository_id: number(variable::GITHUB_REPOSITORY_ID).unwrap_or(0),
            run_id: number(variable::GITHUB_RUN_ID).unwrap_or(0),
            run_attempt: number(variable::GITHUB_RUN_ATTEMPT).unwrap_or(1),
            key: variable(variable::GITHUB_JOB).map(str::to_owned),
            temp: temp.filter(|temp| temp.is_absolute()),
            hosted: variable(variable::RUNNER_ENVIRONMENT) != Some("self-hosted"),
            strategy: Strategy { index, total },
        }
    }

    /// Whether this job keeps its record in a store: every job of a small matrix, and 24 of a large one, which are
    /// spread evenly over it and are others in every run.
    pub fn keeps_record(&self) -> bool {
        let Strategy { index, total } = self.strategy;
        if total <= RECORDS {
            return true;
        }
        let digest = Digest::of([self.run_id.to_be_bytes().as_slice()]);
        let offset = u64::from_str_radix(&digest.hex()[..8], 16).unwrap_or(0);
        // Of `total` numbers in a row, 24 are where a line of this slope takes its next step.
        let place = (index % total + offset % total) % total;
        u128::from(place) * u128::from(RECORDS) % u128::from(total) < u128::from(RECORDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(index: u64, total: u64, run_id: u64) -> Job {
        Job {
            run_id,
            strategy: Strategy { index, total },
            ..Job::default()
        }
    }

    #[test]
    fn of_a_large_matrix_24_jobs_keep_their_records() {
        for total in [1, 2, 24] {
            assert!((0..total).all(|index| job(index, total, 7).keeps_record()));
        }
        for total in [25, 47, 100, 256, 1000] {
            for run_id in [0, 1, 17_000_000_001] {
                let keeps = |index: &u64| job(*index, total, run_id).keeps_record();
                let kept: Vec<_> = (0..total).filter(keeps).collect();
                assert_eq!(kept.len(), 24, "{total} {run_id}");
                let apart = kept.windows(2).map(|pair| pair[1] - pair[0]).max();
                assert!(apart <= Some(total.div_ceil(24)), "{total}: {kept:?}");
            }
        }
        let of_run = |run| (0..256).map(move |index| job(index, 256, run).keeps_record());
        let others = (2..9).filter(|run| of_run(1).ne(of_run(*run)));
        assert!(others.count() > 4, "the same jobs in every run");
    }

    #[test]
    fn what_makes_no_sense_is_as_if_nobody_had_said_it() {
        let of = |pairs: &'static [(&str, &str)]| {
            Job::of(|name| Some(pairs.iter().find(|pair| pair.0 == name)?.1))
        };
        let nothing = Job {
            run_attempt: 1,
            hosted: true,
            ..Job::default()
        };
        assert_eq!(of(&[]), nothing);
        let nonsense = [
            ("GHSWARM_JOB_INDEX", "-1"),
            ("GHSWARM_JOB_TOTAL", "0"),
            ("GITHUB_REPOSITORY_ID", "x"),
            ("RUNNER_TEMP", "relative"),
        ];
        assert_eq!(
            Job::of(|name| Some(nonsense.iter().find(|pair| pair.0 == name)?.1)),
            nothing
        );
        let real = of(&[
            ("GITHUB_REPOSITORY", "octo-org/app"),
            ("GITHUB_REPOSITORY_ID", "17"),
            ("GITHUB_RUN_ID", "99"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_JOB", "build"),
            ("RUNNER_TEMP", "/t"),
            ("RUNNER_ENVIRONMENT", "self-hosted"),
            ("GHSWARM_JOB_INDEX", "3"),
            ("GHSWARM_JOB_TOTAL", "8"),
        ]);
        let expected = Job {
            repository: Some("octo-org/app".to_owned()),
            repository_id: 17,
            run_id: 99,
            run_attempt: 2,
            key: Some("build".to_owned()),
            temp: Some("/t".into()),
            hosted: false,
            strategy: Strategy { index: 3, total: 8 },
        };
        assert_eq!(real, expected);
    }
}
