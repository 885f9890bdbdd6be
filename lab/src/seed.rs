//! What a fake knows when it starts.

use crate::state::{Found, State};

/// How long ago the seeded history begins.
const AGE: u64 = 40 * 86_400;

/// The first state of a fake.
#[derive(Clone, Debug)]
pub struct Seed {
    full: bool,
}

impl Default for Seed {
    /// `octo-org/hello` (public), `octo-org/secret` and `octo-org/app` (private; long lists).
    fn default() -> Self {
        Self { full: true }
    }
}

impl Seed {
    /// `octo-org` and `octocat` without any repository.
    pub const fn empty() -> Self {
        Self { full: false }
    }

    /// The seeded state.
    pub(crate) fn plant(&self, base: &str, now: u64) -> State {
        let mut state = State::new(base, now.saturating_sub(AGE));
        if self.full {
            let planted = small(&mut state, "octo-org/hello", false)
                .and_then(|()| small(&mut state, "octo-org/secret", true))
                .and_then(|()| large(&mut state));
            // The seed names only what it made itself; the tests would show if it didn't.
            debug_assert_eq!(planted, Ok(()));
        }
        state.now = now;
        state
    }
}

/// A repository with a little of everything.
fn small(state: &mut State, name: &str, private: bool) -> Found<()> {
    state.create_repo(name, private)?;
    let files: [(&str, &[u8]); 2] = [
        ("src/main.rs", b"fn main() {}\n"),
        ("docs/guide/start.md", b"# Start\n"),
    ];
    let sha = state.push_commit(name, "main", "Add sources", &files)?;
    state.set_status(name, &sha, "ci/build", "success")?;
    let number = state.create_issue(name, "First issue", &text(1))?;
    state.edit_issue(name, number, |issue| issue.labels.push("bug".into()))?;
    state.comment(name, number, "octocat", "I see this too.")?;
    state.create_issue(name, "Second issue", &text(2))?;
    state.push_commit(
        name,
        "feature",
        "Start a feature",
        &[("feature.txt", b"new\n")],
    )?;
    state.create_pull(name, "A feature", "feature", "main")?;
    let run = state.create_run(name, "ci.yml", "main", "push")?;
    state.set_run_status(name, run, "completed", Some("success"))?;
    let release = state.create_release(name, "v1.0.0", "One")?;
    state.add_asset(name, release, "hello.tar.gz", 1024)?;
    state.add_runner(name, "runner-1")?;
    Ok(())
}

/// `octo-org/app`: every list has more than one page.
fn large(state: &mut State) -> Found<()> {
    let name = "octo-org/app";
    small(state, name, true)?;
    for number in 0..38_u64 {
        state.now += 600;
        let content = text(number);
        let path = format!("src/part{}.rs", number % 7);
        let message = format!("Change part {}", number % 7);
        state.push_commit(name, "main", &message, &[(&path, content.as_bytes())])?;
    }
    for number in 0..66_u64 {
        state.now += 300;
        let issue = state.create_issue(name, &format!("Issue {number}"), &text(number))?;
        state.edit_issue(name, issue, |issue| issue.labels.push("enhancement".into()))?;
        if number % 11 == 10 {
            state.close_issue(name, issue)?;
        }
    }
    for number in 0..36_u64 {
        state.now += 300;
        let branch = format!("topic-{number}");
        let content = text(number);
        state.push_commit(name, &branch, "Try it", &[("try.txt", content.as_bytes())])?;
        state.create_pull(name, &format!("Pull {number}"), &branch, "main")?;
    }
    for number in 0..12_u64 {
        state.create_workflow(
            name,
            &format!("Flow {number}"),
            &format!("flow-{number}.yml"),
        )?;
    }
    for number in 0..72_u64 {
        state.now += 120;
        let flow = format!("flow-{}.yml", number % 12);
        let run = state.create_run(name, &flow, "main", "push")?;
        let conclusion = if number % 5 == 4 {
            "failure"
        } else {
            "success"
        };
        state.set_run_status(name, run, "completed", Some(conclusion))?;
    }
    for number in 0..33_u64 {
        state.create_label(name, &format!("area-{number}"), "ededed")?;
        state.create_release(name, &format!("v0.{number}.0"), &format!("Zero {number}"))?;
    }
    Ok(())
}

/// A text of 1 to 19 KiB, always the same for the same number.
fn text(number: u64) -> String {
    const LINES: [&str; 5] = [
        "When the cache is cold, the first request takes longer than expected.",
        "Steps to reproduce: start two runners, ask for the same page, compare the answers.",
        "```\nGET /repos/octo-org/app/issues?per_page=100\n```",
        "See also the discussion from last week, where the same thing was found — twice.",
        "> It works on my machine \"most of the time\".",
    ];
    let count = 14 + (number * 37) % 256;
    (0..count)
        .filter_map(|line| LINES.get(usize::try_from((line * 3 + number) % 5).unwrap_or(0)))
        .flat_map(|line| [*line, "\n"])
        .collect()
}
