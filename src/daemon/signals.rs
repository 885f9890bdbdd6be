//! SIGINT and SIGTERM, and nothing else.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Becomes true when this process is asked to end. Must be called in a runtime.
pub fn end_asked_for() -> io::Result<watch::Receiver<bool>> {
    let (mut interrupt, mut terminate) = ended_by_signal()?;
    let (asked, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        asked.send_replace(true);
    });
    Ok(receiver)
}

/// The two signals by which a process is asked to end: SIGINT and SIGTERM.
pub fn ended_by_signal() -> io::Result<(Signal, Signal)> {
    Ok((
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    ))
}
