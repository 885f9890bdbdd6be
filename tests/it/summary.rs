//! The end of a job: `ghswarm job finish`, `job report` and the runner's hook, in jobs as the runner runs them.

mod left;
mod numbers;
mod pass;
mod read;
mod shared;
mod stage;
