//! `ghswarm cache` as people and scripts use it: the real binary, real git, and files that lie.

mod git_hook;
mod older;
mod shelf;
mod snapshots;
mod tables;
mod travel;
mod upkeep;
mod warm;
