//! What is wrong with the flags, the variables and the places that they name.

use super::daemon::masked;
use super::finding::{Area, Finding};

/// `errors` are those of everything that was read: each names the flag or variable that it is about.
pub(super) fn check(errors: &[String]) -> Vec<Finding> {
    if errors.is_empty() {
        return vec![Finding::ok(
            Area::Config,
            "flags, variables and files can be understood",
        )];
    }
    let fix = "correct it, or unset it, and run `ghswarm config check`; `ghswarm start` refuses it";
    // A URL among them may have a password in it.
    let problem = |error: &String| Finding::problem(Area::Config, masked(error), fix);
    errors.iter().map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn what_cannot_be_understood_is_a_problem_and_shows_no_password() {
        Finding::assert_fine(&check(&[]));
        let error = "GHSWARM_ORIGIN=\"https://u:s3cret@h\": more than a host".to_owned();
        let found = check(&[error]);
        Finding::assert_one(&found, Level::Problem, "GHSWARM_ORIGIN");
        assert!(!found[0].what.contains("s3cret"));
    }
}
