//! `ghswarm start`.

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;

use super::context::Context;
use super::{launch, print};
use crate::cli::Start;
use crate::config::Settings;
use crate::daemon::Ready;

/// The longest wait for the addresses at which peers reach the daemon. It is ready without them; a script that hands
/// them on would have to wait itself.
const LISTENING: Duration = Duration::from_millis(300);
/// How often it is looked for them.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

pub(super) async fn run(start: Start, context: &Context<'_>) -> anyhow::Result<ExitCode> {
    let settings = context.settings(start.settings)?;
    let mut running = launch::running(&settings, context).await?;
    if running.started && !has_secret(&settings) {
        running.ready = with_addresses(running.ready).await;
    }
    if !running.started {
        print::complaint("a daemon is running already; this is how to reach it");
    }
    if running.ready.cache_dir.is_none() {
        print::complaint(
            "the cache directory cannot be used, so nothing is kept on disk; daemon.log says why",
        );
    }
    print::json(&running.ready)?;
    Ok(ExitCode::SUCCESS)
}

/// Then the keys are derived first, which takes longer than anybody should wait here.
fn has_secret(settings: &Settings) -> bool {
    settings.secret_file.is_some() || settings.secret_env.is_some()
}

/// `ready`, as the daemon writes it when it listens for peers.
async fn with_addresses(ready: Ready) -> Ready {
    let end = Instant::now() + LISTENING;
    while ready.peer_id.is_some() && Instant::now() < end {
        tokio::time::sleep(LOOK_AGAIN).await;
        let now = Ready::read(&ready.state_dir);
        let listens = |now: &Ready| now.pid == ready.pid && now.multiaddrs.is_some();
        if let Some(now) = now.filter(listens) {
            return now;
        }
    }
    ready
}
