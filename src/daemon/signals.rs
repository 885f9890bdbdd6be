//! Being asked to end: SIGINT, SIGTERM, or the end of the job.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::JobEnd;

/// Becomes true when this process is asked to end, or when the job that it belongs to is gone. Must be called in
/// a runtime.
pub fn end_asked_for(job: Option<JobEnd>) -> io::Result<watch::Receiver<bool>> {
    let (mut interrupt, mut terminate) = ended_by_signal()?;
    let (asked, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let gone = async {
            match &job {
                Some(job) => job.gone().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = gone => {}
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
