//! How many files and sockets a process may open: each client takes one, each call to GitHub another.

use super::finding::{Area, Finding};

/// What a busy daemon needs.
const ENOUGH: u64 = 1024;

/// The limit of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenFiles {
    /// What holds; `None`: unlimited.
    pub(super) soft: Option<u64>,
    /// What it can be raised to; `None`: without end.
    pub(super) hard: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    /// What a daemon started from here would get.
    pub(super) here: OpenFiles,
    /// What the running daemon has.
    pub(super) daemon: Option<OpenFiles>,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let (limits, whose) = match facts.daemon {
        Some(limits) => (limits, "the daemon"),
        None => (facts.here, "a daemon started here"),
    };
    let soft = match limits.soft {
        Some(soft) if soft < ENOUGH => soft,
        _ => {
            return vec![Finding::ok(
                Area::Limits,
                "enough files and sockets may be open",
            )];
        }
    };
    let what =
        format!("{whose} may open only {soft} files and sockets; {ENOUGH} are needed under load");
    let raise = if limits.hard.is_none_or(|hard| hard >= ENOUGH) {
        format!(
            "`ulimit -n {ENOUGH}` before `ghswarm start`; in a systemd unit `LimitNOFILE={ENOUGH}`"
        )
    } else {
        format!(
            "the hard limit forbids more: raise it in /etc/security/limits.conf, with \
             `LimitNOFILE={ENOUGH}` in the unit of the runner, or `docker run --ulimit nofile={ENOUGH}`"
        )
    };
    vec![Finding::warning(Area::Limits, what, raise)]
}

/// The line `Max open files` of `/proc/PID/limits` (`proc_pid_limits(5)`).
pub(super) fn parse(limits: &str) -> Option<OpenFiles> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace();
    let mut limit = || match words.next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    Some(OpenFiles {
        soft: limit()?,
        hard: limit()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const fn of(soft: u64, hard: u64) -> OpenFiles {
        OpenFiles {
            soft: Some(soft),
            hard: Some(hard),
        }
    }

    #[test]
    fn a_low_limit_is_found_and_the_daemons_own_counts() {
        let judge = |here, daemon| check(&Facts { here, daemon });
        let unlimited = OpenFiles {
            soft: None,
            hard: None,
        };
        Finding::assert_fine(&judge(of(1024, 4096), None));
        Finding::assert_fine(&judge(unlimited, None));
        Finding::assert_fine(&judge(of(64, 64), Some(of(4096, 4096))));
        Finding::assert_one(
            &judge(of(256, 4096), None),
            Level::Warning,
            "ulimit -n 1024",
        );
        Finding::assert_one(&judge(of(256, 512), None), Level::Warning, "hard limit");
        let daemon = judge(unlimited, Some(of(64, 4096)));
        Finding::assert_one(&daemon, Level::Warning, "the daemon may open only 64");
    }

    #[test]
    fn the_kernels_table_is_read() {
        let table = "Limit  Soft Limit  Hard Limit  Units\n\
                     Max open files            1024                 unlimited            files     \n";
        let hard = None;
        assert_eq!(
            parse(table),
            Some(OpenFiles {
                soft: Some(1024),
                hard
            })
        );
        assert_eq!(parse("Max open files x y"), None);
        assert_eq!(parse(""), None);
    }
}
