//! Where the summary of a job goes: the page of the run, the log, and stdout for who asked for it.

use std::path::Path;

use super::super::print;
use super::Told;
use crate::cli::JobFormat;
use crate::files;
use crate::runner::summary::Report;
use crate::runner::{FileCommands, Kind, command};

/// The largest summary that the runner takes from a step; of a larger one it shows nothing.
const LARGEST: u64 = 1 << 20;
/// Says in the job's folder that the page was written.
const WRITTEN: &str = "summary-written";

/// Whether the page of this job was written before.
pub(super) fn is_written(folder: &Path) -> bool {
    folder.join(WRITTEN).exists()
}

/// Writes the page, and the facts into the log. A second page of the same job would count everything twice, so it
/// is written once.
pub(super) fn show(
    report: &Report,
    format: Option<JobFormat>,
    files: &FileCommands,
    folder: &Path,
    told: &mut Told,
) -> anyhow::Result<()> {
    let page = report.markdown();
    let again = is_written(folder);
    if !again {
        let written = append(&page, files);
        if let Err(why) = &written {
            told.detail(format!("the summary stands here, since {why}:"));
            if format != Some(JobFormat::Markdown) {
                for line in page.lines() {
                    told.detail(line);
                }
            }
        }
        for line in report.log() {
            told.detail(line);
        }
        // Without the note the next one writes it again, which is better than none.
        let _ = files::private_dir(folder)
            .and_then(|()| files::write_atomic(&folder.join(WRITTEN), b"\n"));
    }
    match format {
        None if again => told.say(&format!(
            "ghswarm: {} (summed up before)",
            report.headline()
        )),
        None => told.say(&format!("ghswarm: {}", report.headline())),
        Some(JobFormat::Markdown) => {
            let lines: String = page
                .lines()
                .map(|line| command::plain(line) + "\n")
                .collect();
            print::bytes(lines.as_bytes())?;
        }
        Some(JobFormat::Json) => {
            // The older form of a command counts anywhere in a line; within a string of JSON it can be written otherwise.
            let json = serde_json::to_string_pretty(report)?.replace("##[", "#\\u0023[");
            print::bytes(format!("{json}\n").as_bytes())?;
        }
    }
    Ok(())
}

/// Adds `page` to the summary of this step, or says why not.
fn append(page: &str, files: &FileCommands) -> Result<(), String> {
    let path = files.path(Kind::StepSummary);
    let there = path.and_then(|path| std::fs::metadata(path).ok());
    let there = there.map_or(0, |there| there.len());
    if there + page.len() as u64 + 1 > LARGEST {
        return Err("the summary of this step is full".to_owned());
    }
    files
        .append(Kind::StepSummary, page)
        .map_err(|error| format!("{:#}", anyhow::Error::from(error)))
}
