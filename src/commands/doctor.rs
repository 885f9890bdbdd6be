//! `ghswarm doctor`: what is wrong, and what to do about it.
//!
//! One file for each area, with a pure function from facts to findings. Facts are gathered here and in
//! `gather` and `probing`. No fact holds a secret: of a token only its kind is kept.

mod after_job;
mod budget;
mod clients;
mod clock;
mod config;
mod daemon;
mod disk;
mod environment;
mod finding;
mod formula;
mod gather;
mod gh;
mod limits;
mod peers;
mod permissions;
mod port;
mod probe;
mod probing;
mod proxy;
mod show;
mod socket;
mod token;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use serde::Serialize;

use super::context::Context;
use super::print;
use crate::cli::{Doctor, DoctorFormat};
use crate::config::{Directories, Reading, Settings, directories, env};
use crate::github;

use finding::{Finding, Summary};
use gather::Scene;

pub(super) use after_job::after_a_job;

pub(super) async fn run(doctor: Doctor, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let findings = examine(&doctor, context).await;
    let summary = Summary::of(&findings);
    match doctor.format {
        DoctorFormat::Table => {
            let text = show::table(&findings, style(context));
            print::bytes(text.as_bytes())?;
        }
        DoctorFormat::Json => print::json(&Report { findings, summary })?,
    }
    Ok(ExitCode::from(u8::from(summary.problems > 0)))
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Report {
    findings: Vec<Finding>,
    summary: Summary,
}

/// The width and the colours of the terminal, if stdout is one.
fn style(context: &Context<'_>) -> show::Style {
    let terminal = io::stdout().is_terminal();
    let asked = context.environment().get(env::COLUMNS);
    let asked = asked.and_then(|columns| columns.parse().ok());
    let real = || {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
    };
    show::Style {
        width: asked.or_else(|| terminal.then(real).flatten()),
        colour: terminal && !context.no_color(),
    }
}

async fn examine(doctor: &Doctor, context: &Context<'_>) -> Vec<Finding> {
    let (settings, told) = settings(&doctor.settings, context);
    let mut errors = told.problems;
    if doctor.probe && !told.knows_origin {
        errors.push("GitHub is not asked while it is not certain where it is".to_owned());
    }
    let places = directories(&settings, context, &mut errors);
    let client = github::Client::new(probing::patient(settings.github()));
    let client = client.map_err(|error| errors.push(error.to_string())).ok();

    let mut findings = config::check(&errors);
    let scene = Scene::gather(settings, places, context.environment()).await;
    findings.extend(
        scene
            .daemon()
            .map(|facts| daemon::check(&facts))
            .unwrap_or_default(),
    );
    findings.extend(port::check(&scene.port().await));
    findings.extend(
        scene
            .socket()
            .await
            .map(|facts| socket::check(&facts))
            .unwrap_or_default(),
    );
    let proxies = scene.proxies();
    findings.extend(proxy::check(&proxies));
    findings.extend(
        scene
            .permissions()
            .map(|facts| permissions::check(&facts))
            .unwrap_or_default(),
    );
    findings.extend(
        scene
            .disk()
            .map(|facts| disk::check(&facts))
            .unwrap_or_default(),
    );
    findings.extend(clock::check(&scene.clock()));
    findings.extend(limits::check(&scene.limits()));
    let token = scene.token();
    findings.extend(token::check(&scene.tokens(token.as_ref())));
    if let Some(stats) = &scene.stats {
        findings.extend(budget::check(&scene.budget(stats)));
        findings.extend(formula::check(&stats.validators));
    }
    findings.extend(peers::check(&scene.peers()));
    findings.extend(gh::check(&scene.gh(client.as_ref()).await));
    findings.extend(clients::check(&scene.clients()));
    findings.extend(environment::check(&scene.surroundings()));
    // The token goes nowhere for a slip.
    if let Some(client) = client.filter(|_| doctor.probe && told.knows_origin) {
        let facts = probing::ask(&client, &scene, token.as_ref(), &proxies).await;
        findings.extend(probe::check(&facts));
    }
    // A probe adds to the areas of the clock, the budget and the formula; the order within one stays.
    findings.sort_by_key(|finding| finding.area);
    findings
}

/// What the flags, the environment and the files say wrongly.
struct Told {
    problems: Vec<String>,
    /// Whether it is certain in spite of them where GitHub is.
    knows_origin: bool,
}

/// What a daemon would be started with, without what is written wrongly, so that the rest is looked for
/// where it is.
fn settings(flags: &Settings, context: &Context<'_>) -> (Settings, Told) {
    let read = context.read(flags.clone(), Reading::Everything);
    for notice in &read.notices {
        print::complaint(notice);
    }
    let told = Told {
        problems: read.problems.iter().map(ToString::to_string).collect(),
        knows_origin: read.knows_origin(),
    };
    let mut settings = read.settings;
    settings.proxies = context.environment().proxies();
    (settings, told)
}

/// Where the files are. A socket whose path is too long is found by its own check.
fn directories(
    settings: &Settings,
    context: &Context<'_>,
    errors: &mut Vec<String>,
) -> Option<Directories> {
    let socket = settings.socket.clone();
    let others = Settings {
        socket: None,
        ..settings.clone()
    };
    match context.directories(&others) {
        Ok(found) => Some(Directories {
            socket: socket.unwrap_or(found.socket),
            ..found
        }),
        Err(error) => {
            errors.push(format!("{error:#}"));
            let state = directories::state_dir(&others, context.environment()).ok();
            // Without a cache directory the daemon can still be looked for.
            state.map(|state| Directories {
                socket: socket
                    .unwrap_or_else(|| directories::socket_of(&state, context.environment())),
                cache: state.join("cache"),
                state,
            })
        }
    }
}
