//! What a job left behind: its end, and each line that act wrote about it.

use std::time::Duration;

use serde_json::Value;

/// A job that is over.
pub(super) struct Job {
    green: bool,
    lines: Vec<Value>,
    /// What is not of act's own form.
    rest: String,
    /// What steps in `sh` printed, all of it.
    kept: String,
}

impl Job {
    /// From what `act --json` printed, and what its steps in `sh` did.
    pub(super) fn read(green: bool, output: &[u8], kept: &[u8]) -> Self {
        let mut job = Self {
            green,
            lines: Vec::new(),
            rest: String::new(),
            kept: String::from_utf8_lossy(kept).into_owned(),
        };
        for line in String::from_utf8_lossy(output).lines() {
            match serde_json::from_str(line) {
                Ok(line) => job.lines.push(line),
                Err(_) => job.rest.extend([line, "\n"]),
            }
        }
        job
    }

    /// Holds the job to success.
    #[track_caller]
    pub(super) fn is_green(&self) -> &Self {
        assert!(self.green, "{}", self.log());
        self
    }

    /// Holds the job to failure.
    #[track_caller]
    pub(super) fn is_red(&self) -> &Self {
        assert!(!self.green, "{}", self.log());
        self
    }

    /// Holds the job to `words` in what its steps printed.
    #[track_caller]
    pub(super) fn says(&self, words: &[&str]) -> &Self {
        let said = self.said();
        for word in words {
            assert!(said.contains(word), "no {word:?}: {}", self.log());
        }
        self
    }

    /// Holds the job to exactly one annotation of ours, of this kind and with these words.
    #[track_caller]
    pub(super) fn tells_once(&self, kind: &str, words: &[&str]) -> &Self {
        let told = self.annotations();
        let right = |line: &String| {
            line.starts_with(&format!("::{kind} ")) && words.iter().all(|word| line.contains(word))
        };
        let one = told.len() == 1 && told.iter().all(right);
        assert!(
            one,
            "not one {kind} with {words:?}: {told:#?}\n{}",
            self.log()
        );
        self
    }

    /// Holds the job to no annotation of ours.
    #[track_caller]
    pub(super) fn tells_nothing(&self) -> &Self {
        let told = self.annotations();
        assert!(told.is_empty(), "{told:#?}\n{}", self.log());
        self
    }

    /// Our annotations, as the steps wrote them.
    pub(super) fn annotations(&self) -> Vec<String> {
        annotations(self.kept.lines(), |head| head.ends_with(" title=ghswarm"))
    }

    /// The annotations of other actions, which have no title, or another one.
    pub(super) fn annotations_of_others(&self) -> Vec<String> {
        let raw = self.lines.iter().map(|line| text(&line["raw"]));
        annotations(raw, |head| !head.ends_with(" title=ghswarm"))
    }

    /// How long each step took, by its id in its action.
    pub(super) fn times(&self) -> Vec<(String, Duration)> {
        let ends = self.lines.iter().filter(|line| line["stage"] == "Main");
        let times = ends.filter_map(|line| {
            let took = line["executionTime"].as_u64()?;
            Some((line["stepID"].to_string(), Duration::from_nanos(took)))
        });
        times.collect()
    }

    /// What the steps' summaries say.
    pub(super) fn summary(&self) -> String {
        let summaries = self
            .lines
            .iter()
            .filter(|line| line["command"] == "summary");
        summaries.map(|line| text(&line["content"])).collect()
    }

    /// What the steps printed, commands to the runner aside.
    pub(super) fn said(&self) -> String {
        let printed = self.lines.iter().filter(|line| line["raw_output"] == true);
        let lines: Vec<_> = printed.map(|line| text(&line["msg"]).trim_end()).collect();
        lines.join("\n")
    }

    /// All of it, for people.
    pub(super) fn log(&self) -> String {
        let lines = self.lines.iter();
        let lines: Vec<_> = lines.map(|line| text(&line["msg"]).trim_end()).collect();
        let act = lines.join("\n");
        format!(
            "{}{act}\nWhat steps in sh printed:\n{}",
            self.rest, self.kept
        )
    }
}

/// Those of `lines` whose command and properties are such. act takes a text's own `::` for their end; the runner takes
/// the first one, and so does this.
fn annotations<'a>(
    lines: impl Iterator<Item = &'a str>,
    wanted: impl Fn(&str) -> bool,
) -> Vec<String> {
    let annotation = |line: &&str| {
        let head = line
            .strip_prefix("::")
            .and_then(|line| line.split("::").next());
        let kinds = ["notice", "warning", "error"];
        let is_one = |head: &str| kinds.contains(&head.split(' ').next().unwrap_or_default());
        head.is_some_and(|head| is_one(head) && wanted(head))
    };
    let found = lines.map(str::trim).filter(annotation);
    found.map(str::to_owned).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
