//! Whether there is room for what is kept on disk, and for the small files without which nothing works.

use super::finding::{Area, Finding};

const MIB: u64 = 1 << 20;
/// With less than this even logs and `ready.json` are in danger.
const FLOOR: u64 = 16 * MIB;
/// The same for files: each needs an inode.
const INODES: u64 = 100;

/// One directory and the file system under it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// "state" or "cache".
    pub(super) what: &'static str,
    pub(super) path: String,
    /// Bytes that we may still write.
    pub(super) free: u64,
    /// Files that may still be made; `None`: the file system does not count them.
    pub(super) inodes: Option<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) places: Vec<Place>,
    /// What the store holds now.
    pub(super) store: u64,
    /// What it may grow to; `None`: nothing is kept on disk.
    pub(super) limit: Option<u64>,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    facts
        .places
        .iter()
        .map(|place| judge(place, facts))
        .collect()
}

fn judge(place: &Place, facts: &Facts) -> Finding {
    let Place {
        what,
        path,
        free,
        inodes,
    } = place;
    let here = format!("the {what} directory {path}");
    let free_text = bytes(*free);
    let flag = format!("free some, or take another place with --{what}-dir");
    if *free < FLOOR {
        let what = format!("{free_text} are left for {here}: nothing can be kept there");
        return Finding::problem(Area::Disk, what, flag);
    }
    if inodes.is_some_and(|inodes| inodes < INODES) {
        let what = format!("the file system of {here} has no room for more files (inodes)");
        return Finding::problem(
            Area::Disk,
            what,
            format!("{flag}; `df -i` shows who has them"),
        );
    }
    let grows = facts.limit.map(|limit| limit.saturating_sub(facts.store));
    if *what == "cache"
        && let (Some(grows), Some(limit)) = (grows, facts.limit)
        && *free < grows + FLOOR
    {
        let what = format!(
            "{free_text} are left for {here}, but the store (now {}) may grow to {}",
            bytes(facts.store),
            bytes(limit)
        );
        let fix = format!("{flag}, or give the store less with --disk-limit");
        return Finding::warning(Area::Disk, what, fix);
    }
    let store = match what {
        &"cache" if facts.store > 0 => format!("; the store has {}", bytes(facts.store)),
        _ => String::new(),
    };
    Finding::ok(
        Area::Disk,
        format!("{free_text} are free for {here}{store}"),
    )
}

/// A size for people.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..MIB => format!("{} KiB", bytes >> 10),
        MIB..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{}.{} GiB", bytes >> 30, (bytes >> 20) % 1024 * 10 / 1024),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn facts(free: u64, inodes: Option<u64>, store: u64) -> Facts {
        let place = Place {
            what: "cache",
            path: "/c".to_owned(),
            free,
            inodes,
        };
        Facts {
            places: vec![place],
            store,
            limit: Some(1 << 30),
        }
    }

    #[test]
    fn room_is_judged_by_what_the_store_may_grow_to() {
        Finding::assert_fine(&check(&facts(2 << 30, Some(1_000_000), 0)));
        Finding::assert_fine(&check(&facts(2 << 30, None, 0)));
        let half = check(&facts(512 * MIB, None, 0));
        Finding::assert_one(&half, Level::Warning, "--disk-limit");
        // The same room is enough for a store that has most of its size already.
        Finding::assert_fine(&check(&facts(512 * MIB, None, 600 * MIB)));
        Finding::assert_one(&check(&facts(MIB, None, 0)), Level::Problem, "--cache-dir");
        Finding::assert_one(
            &check(&facts(2 << 30, Some(3), 0)),
            Level::Problem,
            "inodes",
        );
        let without_disk = Facts {
            limit: None,
            ..facts(512 * MIB, None, 0)
        };
        Finding::assert_fine(&check(&without_disk));
    }

    #[test]
    fn sizes_read_well() {
        let shown = [999, 2048, 5 * MIB, (3 << 30) + 512 * MIB].map(bytes);
        assert_eq!(shown, ["999 B", "2 KiB", "5 MiB", "3.5 GiB"]);
    }
}
