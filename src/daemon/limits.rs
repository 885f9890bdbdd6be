//! The process's file descriptors, and how many connections they are enough for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not clients': connections to GitHub, the store, sealed bodies, parked requests,
/// connections of administration, and those that are turned away.
const OTHERS: u64 = 512;

/// Raises the soft limit on open files to the hard one, and says how many files may be open: most
/// systems give 1,024 to programs that do not ask, for the sake of select(2), which we do not use.
pub fn raise_descriptor_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    // `None` is no limit.
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum.unwrap_or(u64::MAX),
        Err(_) => current.unwrap_or(u64::MAX),
    }
}

/// How many of the `wanted` connections `descriptors` are enough for: the surplus is told so, rather
/// than left to wait for a descriptor that may never be free.
pub fn connections(wanted: usize, descriptors: u64) -> usize {
    let spare = OTHERS.min(descriptors / 2);
    let room = usize::try_from(descriptors - spare).unwrap_or(usize::MAX);
    wanted.min(room).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        assert_eq!(connections(10_240, u64::MAX), 10_240);
        assert_eq!(connections(10_240, 20_000), 10_240);
        assert_eq!(connections(10_240, 4096), 3584);
        assert_eq!(connections(10_240, 1024), 512);
        assert_eq!(connections(10_240, 64), 32);
        assert_eq!(connections(10_240, 0), 1);
    }

    #[test]
    fn the_limit_is_what_the_system_allows() {
        let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        assert_eq!(raise_descriptor_limit(), most);
    }
}
