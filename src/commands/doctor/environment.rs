//! The shell or step that this runs in: misspelt variables, old ones, root, and what a job has.

use super::finding::{Area, Finding};

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// The variables that are set and begin with `GHSWARM_`.
    pub(super) ours: Vec<String>,
    /// Those that mean something.
    pub(super) known: Vec<String>,
    /// The older variable that says where the cache is, if one does.
    pub(super) old_cache: Option<&'static str>,
    pub(super) in_job: bool,
    /// In a job: whether `RUNNER_TEMP` is set, and its directory there.
    pub(super) runner_temp: bool,
    pub(super) root: bool,
    pub(super) sudo: bool,
    pub(super) container: bool,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<_> = facts
        .ours
        .iter()
        .filter(|name| !facts.known.contains(name))
        .map(|name| unknown(name, &facts.known))
        .collect();
    if let Some(variable) = facts.old_cache {
        let what =
            format!("{variable} says where the cache is; programs of other makers read it, too");
        let fix = "GHSWARM_CACHE_DIR or --cache-dir mean ghswarm alone";
        findings.push(Finding::note(Area::Environment, what).fixed_by(fix));
    }
    if facts.sudo {
        let what = "this runs with sudo: what it makes belongs to root, and daemons of the user \
                    cannot use it";
        let fix = "run ghswarm without sudo: it needs no rights of root";
        findings.push(Finding::warning(Area::Environment, what, fix));
    } else if facts.root && !facts.container && !facts.in_job {
        let what = "this runs as root, which nothing in ghswarm needs";
        findings.push(Finding::note(Area::Environment, what).fixed_by("use an account of its own"));
    }
    if facts.in_job && !facts.runner_temp {
        let what = "this is a job, but RUNNER_TEMP names no directory: the daemon's files go to the \
                    home directory and outlive the job";
        let fix = "in a container step pass RUNNER_TEMP on, or give --state-dir";
        findings.push(Finding::warning(Area::Environment, what, fix));
    }
    if facts.in_job {
        let what =
            "this is a job: the runner sets GITHUB_API_URL anew at every step; GH_CONFIG_DIR stays";
        let fix = "`eval \"$(ghswarm env)\"` or `ghswarm exec` in each step that needs it";
        findings.push(Finding::note(Area::Environment, what).fixed_by(fix));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(Area::Environment, "nothing unusual"));
    }
    findings
}

fn unknown(name: &str, known: &[String]) -> Finding {
    let nearest = known
        .iter()
        .map(|known| (distance(name, known), known))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    let what = format!("{name} means nothing to ghswarm");
    let fix = match nearest {
        Some((_, known)) => format!("is {known} meant? Then rename it; else `unset {name}`"),
        None => format!("`unset {name}`; `ghswarm start --help` lists what there is"),
    };
    Finding::warning(Area::Environment, what, fix)
}

/// How many letters have to be added, taken away or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, against) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(letter != against);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn facts(ours: &[&str]) -> Facts {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Facts {
            ours: names(ours),
            known: names(&["GHSWARM_MAX_WAIT", "GHSWARM_CACHE_DIR"]),
            ..Facts::default()
        }
    }

    #[test]
    fn a_misspelt_variable_is_named_with_the_nearest() {
        Finding::assert_fine(&check(&facts(&["GHSWARM_MAX_WAIT"])));
        let typo = check(&facts(&["GHSWARM_MAXWAIT"]));
        Finding::assert_one(&typo, Level::Warning, "is GHSWARM_MAX_WAIT meant");
        let other = check(&facts(&["GHSWARM_FROBNICATE"]));
        Finding::assert_one(&other, Level::Warning, "unset GHSWARM_FROBNICATE");
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn sudo_and_a_job_without_scratch_are_warnings() {
        let sudo = Facts {
            sudo: true,
            root: true,
            ..facts(&[])
        };
        Finding::assert_one(&check(&sudo), Level::Warning, "without sudo");
        let root = Facts {
            root: true,
            ..facts(&[])
        };
        Finding::assert_fine(&check(&root));
        let job = |runner_temp| Facts {
            in_job: true,
            runner_temp,
            ..facts(&[])
        };
        Finding::assert_fine(&check(&job(true)));
        Finding::assert_one(&check(&job(false)), Level::Warning, "RUNNER_TEMP");
        let old = Facts {
            old_cache: Some("CACHE_DIR"),
            ..facts(&[])
        };
        Finding::assert_one(&check(&old), Level::Note, "CACHE_DIR");
    }
}
