//! A job: steps one after another, and its end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::log::{Annotation, Log};
use super::{file_command, process};

/// How long the runner waits for the end of a step's output once its process has ended (`ProcessInvoker`).
const OUTPUT: Duration = Duration::from_secs(5);
/// The longest that a step may take here.
const STEP: Duration = Duration::from_mins(1);
/// What `GITHUB_ENV` does not set, whatever its case.
const BLOCKED: &str = "NODE_OPTIONS";
/// The file commands: the variable, and what the names of their files begin with.
const FILES: [(&str, &str); 5] = [
    ("GITHUB_ENV", "set_env_"),
    ("GITHUB_OUTPUT", "set_output_"),
    ("GITHUB_PATH", "add_path_"),
    ("GITHUB_STEP_SUMMARY", "step_summary_"),
    ("GITHUB_STATE", "save_state_"),
];

/// A step: a script, with the environment of `run:`, or with what only actions in JavaScript get.
#[derive(Debug, Clone, Default)]
pub struct Step {
    script: String,
    variables: BTreeMap<String, String>,
    is_action: bool,
}

impl Step {
    /// `run:`, in `sh -e`.
    pub fn run(script: &str) -> Self {
        Self {
            script: script.to_owned(),
            ..Self::default()
        }
    }

    /// The same with the variables of the service, as an action in JavaScript has them.
    pub fn action(script: &str) -> Self {
        Self {
            is_action: true,
            ..Self::run(script)
        }
    }

    /// `env:` of the step.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// How a step ended.
#[derive(Debug, Clone, Default)]
pub struct Ended {
    /// Its exit code; -1 after a signal.
    pub code: i32,
    /// Whether the job shows a red cross: the exit code, or a file or line that the runner could not take.
    pub failed: bool,
    /// What is shown of its output.
    pub log: String,
    /// What is shown with the run.
    pub annotations: Vec<Annotation>,
    /// Its outputs.
    pub outputs: BTreeMap<String, String>,
    /// Its summary, with secrets hidden.
    pub summary: String,
    /// Somebody kept its output open after its process had ended, which held the job up.
    pub held_up: bool,
    /// How long it took.
    pub took: Duration,
}

/// A job, its directories and what its steps left for each other.
#[derive(Debug)]
pub struct Job {
    root: PathBuf,
    tracking: String,
    context: BTreeMap<String, String>,
    service: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    folders: Vec<String>,
    log: Log,
    steps: u64,
    before: Vec<u32>,
}

impl Job {
    /// A job of `octo-org/app` whose directories are in `root`: `temp`, `workspace` and `home`.
    pub fn new(root: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        for folder in ["temp/_runner_file_commands", "workspace", "home"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut job = Self {
            root: root.to_owned(),
            tracking: format!("github_{}_{number}", std::process::id()),
            context: BTreeMap::new(),
            service: BTreeMap::new(),
            variables: BTreeMap::new(),
            folders: Vec::new(),
            log: Log::default(),
            steps: 0,
            before: process::all(),
        };
        let path = |path: PathBuf| path.display().to_string();
        for (name, value) in [
            ("CI", "true".to_owned()),
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_API_URL", "https://api.github.com".to_owned()),
            (
                "GITHUB_GRAPHQL_URL",
                "https://api.github.com/graphql".to_owned(),
            ),
            ("GITHUB_SERVER_URL", "https://github.com".to_owned()),
            ("GITHUB_REPOSITORY", "octo-org/app".to_owned()),
            ("GITHUB_REPOSITORY_ID", "17".to_owned()),
            ("GITHUB_RUN_ID", "4711".to_owned()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_JOB", "build".to_owned()),
            ("GITHUB_REF", "refs/heads/main".to_owned()),
            ("GITHUB_WORKSPACE", path(job.workspace())),
            ("RUNNER_ENVIRONMENT", "github-hosted".to_owned()),
            ("RUNNER_NAME", "runner-1".to_owned()),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_TEMP", path(job.temp())),
            ("RUNNER_TRACKING_ID", job.tracking.clone()),
        ] {
            job.context.insert(name.to_owned(), value);
        }
        Ok(job)
    }

    /// Says another thing of the job than [`new`](Self::new) does: `GITHUB_*` and `RUNNER_*`.
    #[must_use]
    pub fn context(mut self, name: &str, value: &str) -> Self {
        self.context.insert(name.to_owned(), value.to_owned());
        self
    }

    /// `env:` of the job.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A variable that only actions get, such as `ACTIONS_RUNTIME_TOKEN`. Its value is masked.
    #[must_use]
    pub fn service(mut self, name: &str, value: &str) -> Self {
        self.service.insert(name.to_owned(), value.to_owned());
        self.log.mask(value);
        self
    }

    /// The scratch directory.
    pub fn temp(&self) -> PathBuf {
        self.root.join("temp")
    }

    /// The checkout.
    pub fn workspace(&self) -> PathBuf {
        self.root.join("workspace")
    }

    /// What later steps find in their environment, beside what the runner sets.
    pub fn exported(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The living processes that steps left behind.
    pub fn orphans(&self) -> Vec<u32> {
        let mut pids = process::with_variable("RUNNER_TRACKING_ID", &self.tracking);
        pids.retain(|pid| !self.before.contains(pid));
        pids
    }

    /// The environment of `step`. The runner's own variables win over everybody's.
    pub fn environment(&self, step: &Step) -> BTreeMap<String, String> {
        let home = self.root.join("home").display().to_string();
        let path = self.folders.iter().rev().map(String::as_str);
        let path: Vec<_> = path.chain(["/usr/local/bin:/usr/bin:/bin"]).collect();
        let mut all = BTreeMap::from([
            ("HOME".to_owned(), home),
            ("PATH".to_owned(), path.join(":")),
        ]);
        all.extend(self.variables.clone());
        all.extend(step.variables.clone());
        all.extend(self.context.clone());
        if step.is_action {
            all.extend(self.service.clone());
        }
        for (variable, prefix) in FILES {
            let file = self.file(prefix).display().to_string();
            all.insert(variable.to_owned(), file);
        }
        all
    }

    fn file(&self, prefix: &str) -> PathBuf {
        let name = format!("{prefix}{}", self.steps);
        self.temp().join("_runner_file_commands").join(name)
    }

    /// Runs a step to its end.
    pub fn step(&mut self, step: &Step) -> io::Result<Ended> {
        self.begin_step()?;
        let script = self.temp().join(format!("script_{}.sh", self.steps));
        fs::File::create(&script)
            .and_then(|mut file| io::Write::write_all(&mut file, step.script.as_bytes()))?;
        let child = Command::new("/bin/sh")
            .arg("-e")
            .arg(&script)
            .env_clear()
            .envs(self.environment(step))
            .current_dir(self.workspace())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut ended = self.watch(child);
        self.end_step(&mut ended);
        Ok(ended)
    }

    /// Gives the next step files of its own, and takes those of the last one away.
    pub fn begin_step(&mut self) -> io::Result<()> {
        for (_, prefix) in FILES {
            let _ = fs::remove_file(self.file(prefix));
        }
        self.steps += 1;
        for (_, prefix) in FILES {
            fs::File::create(self.file(prefix))?;
        }
        Ok(())
    }

    /// Reads what a process prints until it has ended and nobody prints any more.
    fn watch(&mut self, mut child: Child) -> Ended {
        let started = Instant::now();
        let (said, heard) = mpsc::channel();
        let streams: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as _),
            child.stderr.take().map(|stream| Box::new(stream) as _),
        ];
        let mut open = 0;
        for stream in streams.into_iter().flatten() {
            open += 1;
            let said = said.clone();
            thread::spawn(move || read_lines(stream, &said));
        }
        let pid = child.id();
        thread::spawn(move || {
            let status = child.wait().ok().and_then(|status| status.code());
            let _ = said.send(Said::Exit(status.unwrap_or(-1)));
        });
        let mut ended = Ended::default();
        let mut code = None;
        let mut until = started + STEP;
        while code.is_none() || open > 0 {
            match heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Said::Line(line)) => {
                    ended.log.push_str(&self.log.line(&line));
                    ended.log.push('\n');
                }
                Ok(Said::End) => open -= 1,
                Ok(Said::Exit(exit)) => {
                    code = Some(exit);
                    until = Instant::now() + OUTPUT;
                }
                Err(RecvTimeoutError::Timeout) if code.is_some() => {
                    ended.held_up = true;
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {
                    process::kill(pid);
                    until = Instant::now() + OUTPUT;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        ended.code = code.unwrap_or(-1);
        ended.failed = ended.code != 0;
        ended.took = started.elapsed();
        ended
    }

    /// Does with the step's files and annotations what the runner does when a step has ended.
    pub fn end_step(&mut self, ended: &mut Ended) {
        let read = |prefix| fs::read(self.file(prefix)).unwrap_or_default();
        let env = file_command::entries(&read("set_env_"));
        let outputs = file_command::entries(&read("set_output_"));
        let state = file_command::entries(&read("save_state_"));
        let folders = file_command::folders(&read("add_path_"));
        let summary = String::from_utf8_lossy(&read("step_summary_")).into_owned();
        ended.summary = self.log.masked(&summary);
        for error in [&env.error, &outputs.error, &state.error]
            .into_iter()
            .flatten()
        {
            ended.failed = true;
            let _ = writeln!(ended.log, "Unable to process file command: {error}");
        }
        for (name, value) in env.entries {
            if name.eq_ignore_ascii_case(BLOCKED) {
                ended.log.push_str("Can't store NODE_OPTIONS\n");
            } else {
                self.variables.insert(name, value);
            }
        }
        self.folders.retain(|folder| !folders.contains(folder));
        self.folders.extend(folders);
        ended.outputs.extend(std::mem::take(&mut self.log.outputs));
        ended.outputs.extend(outputs.entries);
        ended.annotations = std::mem::take(&mut self.log.annotations);
        ended.failed |= !std::mem::take(&mut self.log.refused).is_empty();
    }

    /// Ends the job: SIGKILL for what its steps left behind, in one pass in the order of `order`, and an empty
    /// scratch directory. The processes that were killed.
    pub fn finish(&self, order: Order) -> Vec<u32> {
        let mut orphans = self.orphans();
        if order == Order::Falling {
            orphans.reverse();
        }
        orphans.retain(|&pid| process::kill(pid));
        for entry in fs::read_dir(self.temp()).into_iter().flatten().flatten() {
            let path = entry.path();
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
        }
        orphans
    }
}

/// In which order the runner meets processes: by their ids, which need not be the order of their starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they were started, mostly.
    Rising,
    /// The other way round, as after the ids began anew.
    Falling,
}

enum Said {
    Line(String),
    End,
    Exit(i32),
}

fn read_lines(stream: impl Read, said: &mpsc::Sender<Said>) {
    let mut lines = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {
                let line = String::from_utf8_lossy(&line);
                let line = line.trim_end_matches(['\r', '\n']).to_owned();
                if said.send(Said::Line(line)).is_err() {
                    return;
                }
            }
        }
    }
    let _ = said.send(Said::End);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> (tempfile::TempDir, Job) {
        let dir = tempfile::tempdir().unwrap();
        let job = Job::new(dir.path()).unwrap();
        (dir, job)
    }

    #[test]
    fn a_step_leaves_variables_outputs_and_folders_for_later_ones() {
        let (_dir, job) = job();
        let mut job = job.service("ACTIONS_RUNTIME_TOKEN", "hunter2-hunter2");
        let first = job.step(&Step::run(
            "echo A=1 >> $GITHUB_ENV; printf 'B<<E\\nx\\ny\\nE\\n' >> $GITHUB_ENV
             echo GITHUB_API_URL=evil >> $GITHUB_ENV; echo node_options=x >> $GITHUB_ENV
             echo o=2 >> $GITHUB_OUTPUT; echo /first >> $GITHUB_PATH; echo '# hi' >> $GITHUB_STEP_SUMMARY
             echo \"token: ${ACTIONS_RUNTIME_TOKEN:-none}\"; echo '::notice title=t::n'",
        ));
        let first = first.unwrap();
        assert!(!first.failed && !first.held_up, "{first:?}");
        assert_eq!(first.outputs["o"], "2");
        assert_eq!(first.summary, "# hi\n");
        assert_eq!(first.annotations.len(), 1);
        assert!(first.log.contains("token: none"), "{}", first.log);
        let script = "echo $A-$B-$GITHUB_API_URL-$PATH-${node_options:-} $ACTIONS_RUNTIME_TOKEN";
        let second = job.step(&Step::action(script)).unwrap();
        let expected = "1-x y-https://api.github.com-/first:/usr/local/bin:/usr/bin:/bin- ***\n";
        assert_eq!(second.log, expected);
    }

    #[test]
    fn a_file_that_makes_no_sense_fails_the_step() {
        let (_dir, mut job) = job();
        let ended = job.step(&Step::run("echo 'A<<E' >> $GITHUB_ENV")).unwrap();
        assert!(ended.failed && ended.code == 0, "{ended:?}");
    }

    #[test]
    fn what_a_step_leaves_behind_is_killed_at_the_end_of_the_job() {
        let (_dir, mut job) = job();
        let ended = job
            .step(&Step::run("sleep 600 >/dev/null 2>&1 & echo started"))
            .unwrap();
        assert!(!ended.held_up);
        let left = job.orphans();
        assert_eq!(left.len(), 1);
        assert_eq!(job.finish(Order::Rising), left);
        assert!(process::ended(left[0], OUTPUT));
        assert_eq!(fs::read_dir(job.temp()).unwrap().count(), 0);
    }

    #[test]
    fn whoever_keeps_the_output_open_holds_the_job_up() {
        let (_dir, mut job) = job();
        let ended = job.step(&Step::run("sleep 600 & echo started")).unwrap();
        assert!(ended.held_up && ended.log == "started\n", "{ended:?}");
        job.finish(Order::Rising);
    }
}
