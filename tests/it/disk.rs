//! The disk tier: what survives a restart, a kill, a damaged file and a full disk, and who shares it.

mod sharing;
mod stage;
mod upkeep;
