//! `ghswarm cache warm`: what `ghswarm api` asks, before anybody needs it. Only what it cost is shown.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use http_body_util::BodyExt as _;
use serde::Serialize;

use super::super::context::{Context, NO_DAEMON};
use super::super::print;
use super::super::progress::Progress;
use super::super::table::plain;
use super::transport::Transport;
use super::{Plan, no_token, pages};
use crate::cli::{Api, SummaryFormat, Warm};

/// The longest list of paths.
const INPUT: u64 = 16 << 20;
/// GitHub ends its lists long before; a server that links in circles does not.
const MOST_PAGES: u64 = 10_000;
/// Failures that are shown; JSON has all.
const COMPLAINTS: usize = 20;

/// What it cost.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// Requests, pages counted each.
    requests: u64,
    /// Fresh already.
    hits: u64,
    /// Confirmed by GitHub, free.
    revalidated: u64,
    /// Fetched: each counted by GitHub.
    misses: u64,
    /// Answered, but never kept.
    passed_through: u64,
    failed: Vec<Failure>,
}

#[derive(Debug, Serialize)]
struct Failure {
    path: String,
    reason: String,
}

pub(in super::super) async fn run(warm: &Warm, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let daemon = context.daemon(&warm.target)?;
    if daemon.ready().await.is_err() {
        // Asking GitHub directly would cost and warm nothing.
        bail!(NO_DAEMON);
    }
    let mut paths: VecDeque<String> = warm.paths.clone().into();
    if let Some(from) = &warm.from {
        paths.extend(lines(from)?);
    }
    let mut plans = VecDeque::new();
    let mut summary = Summary::default();
    for path in paths {
        match Plan::of(&question(warm, &path), context) {
            Ok(Some(plan)) if plan.endpoint.is_graphql() => {
                summary.fail(
                    &path,
                    "GraphQL is not warmed: its answers belong to one query",
                );
            }
            Ok(Some(plan)) => plans.push_back((path, plan)),
            Ok(None) => return Ok(no_token(&warm.hostname)),
            Err(error) => summary.fail(&path, &format!("{error:#}")),
        }
    }
    let transport = Transport::new(Some(daemon), context.github(&warm.target)?);
    let work = Work {
        total: plans.len() as u64,
        plans: RefCell::new(plans),
        summary: RefCell::new(summary),
        progress: Progress::new("asking", "paths"),
        transport,
    };
    // Four at a time: more would only wait for one another's budget.
    tokio::join!(work.go(), work.go(), work.go(), work.go());
    let Work {
        summary, progress, ..
    } = work;
    drop(progress);
    let summary = summary.into_inner();
    match warm.format {
        SummaryFormat::Json => print::json(&summary)?,
        SummaryFormat::Text => print::to_people(&text(&summary)),
    }
    let failed = !summary.failed.is_empty();
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

struct Work {
    plans: RefCell<VecDeque<(String, Plan)>>,
    total: u64,
    summary: RefCell<Summary>,
    progress: Progress,
    transport: Transport,
}

impl Work {
    async fn go(&self) {
        loop {
            let next = self.plans.borrow_mut().pop_front();
            let Some((path, plan)) = next else { break };
            if let Err(error) = self.ask(&plan).await {
                self.summary.borrow_mut().fail(&path, &format!("{error:#}"));
            }
            let waiting = self.plans.borrow().len() as u64;
            self.progress.at(self.total - waiting, self.total);
        }
    }

    /// Asks for a path, and for its further pages if that is wanted.
    async fn ask(&self, plan: &Plan) -> anyhow::Result<()> {
        let mut endpoint = plan.endpoint.clone();
        for _ in 0..MOST_PAGES {
            let response = self.transport.send(plan.call(&endpoint)).await?;
            let next = pages::next_link(&response).filter(|_| plan.paginate);
            let (parts, mut body) = response.into_parts();
            while let Some(frame) = body.frame().await {
                frame.context("the answer broke off")?;
            }
            let status = parts.status;
            let cache = parts.headers.get("cache-status");
            let cache = cache
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            if !status.is_success() {
                bail!("HTTP {}", status.as_u16());
            }
            self.summary.borrow_mut().count(cache)?;
            match next {
                Some(link) => endpoint = endpoint.follow(&link)?,
                None => return Ok(()),
            }
        }
        bail!("there are more than {MOST_PAGES} pages")
    }
}

impl Summary {
    /// Counts an answer by its `Cache-Status` (RFC 9211).
    fn count(&mut self, cache_status: &str) -> anyhow::Result<()> {
        let mut parts = cache_status.split(';').map(str::trim);
        if parts.next() != Some("ghswarm") {
            bail!("it was not answered by the daemon");
        }
        let parts: Vec<_> = parts.collect();
        self.requests += 1;
        let counter = if parts.contains(&"hit") {
            &mut self.hits
        } else if parts.contains(&"fwd-status=304") {
            &mut self.revalidated
        } else if parts.contains(&"fwd=bypass") || parts.contains(&"fwd=method") {
            &mut self.passed_through
        } else {
            &mut self.misses
        };
        *counter += 1;
        Ok(())
    }

    fn fail(&mut self, path: &str, reason: &str) {
        self.failed.push(Failure {
            path: plain(path),
            reason: reason.to_owned(),
        });
    }
}

/// A path as `ghswarm api` would be asked for it, so that both share a key.
fn question(warm: &Warm, path: &str) -> Api {
    Api {
        path: path.to_owned(),
        method: None,
        raw_fields: Vec::new(),
        fields: Vec::new(),
        headers: Vec::new(),
        input: None,
        paginate: warm.paginate,
        slurp: false,
        jq: None,
        include: false,
        cache: None,
        silent: true,
        hostname: warm.hostname.clone(),
        target: warm.target.clone(),
    }
}

/// The paths in a file: one a line, without empty ones and remarks.
fn lines(from: &std::path::Path) -> anyhow::Result<Vec<String>> {
    let mut text = String::new();
    let read = if from.as_os_str() == "-" {
        io::stdin().lock().take(INPUT).read_to_string(&mut text)
    } else {
        File::open(from).and_then(|file| file.take(INPUT).read_to_string(&mut text))
    };
    let length = read.with_context(|| format!("cannot read --from {}", from.display()))?;
    if length as u64 == INPUT {
        bail!("--from {} is longer than {INPUT} bytes", from.display());
    }
    let lines = text.lines().map(str::trim);
    let paths = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(paths.map(str::to_owned).collect())
}

fn text(summary: &Summary) -> String {
    let mut lines = vec![format!(
        "{} requests: {} were fresh, {} confirmed for free, {} fetched, {} never kept; {} failed",
        summary.requests,
        summary.hits,
        summary.revalidated,
        summary.misses,
        summary.passed_through,
        summary.failed.len(),
    )];
    for failure in summary.failed.iter().take(COMPLAINTS) {
        lines.push(format!("  {}: {}", failure.path, failure.reason));
    }
    if summary.failed.len() > COMPLAINTS {
        let more = summary.failed.len() - COMPLAINTS;
        lines.push(format!("  and {more} more; --format json names them"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_by_what_it_cost() {
        let mut summary = Summary::default();
        for status in [
            "ghswarm; hit; ttl=3; detail=memory",
            "ghswarm; fwd=stale; fwd-status=304",
            "ghswarm; fwd=uri-miss; fwd-status=200; stored",
            "ghswarm; fwd=bypass; detail=token",
        ] {
            summary.count(status).unwrap();
        }
        let counted = [
            summary.hits,
            summary.revalidated,
            summary.misses,
            summary.passed_through,
        ];
        assert_eq!((counted, summary.requests), ([1; 4], 4));
        for other in ["", "nginx; hit", "ghswarmish; hit"] {
            assert!(summary.count(other).is_err(), "{other}");
        }
    }
}
