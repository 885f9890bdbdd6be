//! `ghswarm peers export` and `import`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use serde::Serialize;
use zeroize::Zeroizing;

use super::super::context::Context;
use super::super::print;
use super::{directory, told, told_in_time};
use crate::cli::{SummaryFormat, Target};
use crate::discovery::Imported;
use crate::files;
use crate::registry::file::FILE_MAX;

const KEEP_IT: &str =
    "this lets whoever has it into the pool until its tickets end: keep it as a password";

pub(super) async fn export(
    file: Option<&Path>,
    target: &Target,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    let text = told_in_time(target, context, "/peers/export").await?;
    match file.filter(|file| *file != Path::new("-")) {
        None => print::bytes(&text)?,
        Some(file) => files::write_atomic(&context.working_dir().join(file), &text)
            .with_context(|| format!("cannot write {}", file.display()))?,
    }
    print::complaint(KEEP_IT);
    Ok(ExitCode::SUCCESS)
}

/// What became of one file.
#[derive(Serialize)]
struct Outcome {
    file: String,
    #[serde(flatten)]
    imported: Imported,
    /// Why nothing of it could be read.
    error: Option<String>,
}

impl Outcome {
    fn is_good(&self) -> bool {
        let Imported { taken, known, .. } = &self.imported;
        self.error.is_none() && !(taken.is_empty() && known.is_empty())
    }
}

pub(super) async fn import(
    files: &[impl AsRef<Path>],
    format: SummaryFormat,
    target: &Target,
    context: &Context<'_>,
) -> anyhow::Result<ExitCode> {
    let mut outcomes = Vec::new();
    let mut good = true;
    for file in files.iter().map(AsRef::as_ref) {
        let path = context.working_dir().join(file);
        if path.is_dir() {
            let all = directory::files(&path)?;
            if all.is_empty() {
                let error = "there is no record in this directory";
                outcomes.push(failed(file, error.to_owned()));
            }
            // Several pools may have their records there: one that is for us is enough.
            let mut some = false;
            for (path, text) in all {
                let outcome = take(&path, text, target, context).await?;
                some |= outcome.is_good();
                outcomes.push(outcome);
            }
            good &= some;
        } else {
            let outcome = match read(file, &path) {
                Ok(text) => take(file, text, target, context).await?,
                Err(error) => failed(file, format!("cannot be read: {error}")),
            };
            good &= outcome.is_good();
            outcomes.push(outcome);
        }
    }
    match format {
        SummaryFormat::Json => print::json(&outcomes)?,
        SummaryFormat::Text => tell(&outcomes),
    }
    Ok(ExitCode::from(u8::from(!good)))
}

fn failed(file: &Path, error: String) -> Outcome {
    Outcome {
        file: file.display().to_string(),
        imported: Imported::default(),
        error: Some(error),
    }
}

fn read(file: &Path, path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    if file == Path::new("-") {
        at_most(io::stdin().lock())
    } else {
        at_most(File::open(path)?)
    }
}

/// One byte more than any file has, so that the daemon says that it is too large.
fn at_most(source: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::new());
    source.take(FILE_MAX + 1).read_to_end(&mut text)?;
    Ok(text)
}

async fn take(
    file: &Path,
    text: Zeroizing<Vec<u8>>,
    target: &Target,
    context: &Context<'_>,
) -> anyhow::Result<Outcome> {
    use crate::daemon::AskError;
    let body = Bytes::copy_from_slice(&text);
    let request = (Method::POST, "/peers/import");
    match told(target, context, request, body).await {
        Ok(answer) => Ok(Outcome {
            file: file.display().to_string(),
            imported: serde_json::from_slice(&answer)
                .context("the daemon's answer makes no sense")?,
            error: None,
        }),
        // The file is wrong, and others may be right.
        Err(error) => match error.downcast_ref::<AskError>() {
            Some(AskError::Refused { status, message }) if status.as_u16() == 422 => {
                Ok(failed(file, message.clone()))
            }
            _ => Err(error),
        },
    }
}

fn tell(outcomes: &[Outcome]) {
    let count = |of: fn(&Imported) -> usize| -> usize {
        outcomes.iter().map(|outcome| of(&outcome.imported)).sum()
    };
    for outcome in outcomes {
        if let Some(error) = &outcome.error {
            print::complaint(&format!("{}: {error}", outcome.file));
        }
        for turned in &outcome.imported.refused {
            print::complaint(&format!(
                "{}:{}: not taken ({}): {}",
                outcome.file, turned.line, turned.name, turned.reason
            ));
        }
    }
    let (taken, known) = (
        count(|file| file.taken.len()),
        count(|file| file.known.len()),
    );
    let refused = count(|file| file.refused.len());
    print::to_people(&format!(
        "{taken} new, {known} known already, {refused} not taken"
    ));
}
