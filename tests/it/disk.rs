//! The disk tier: what survives a restart, a kill, a damaged file and a full disk, and who shares it.

mod child;
mod damage;
mod faults;
mod limits;
mod secrets;
mod sharing;
mod stage;
mod upkeep;
