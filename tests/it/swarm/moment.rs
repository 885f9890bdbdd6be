//! Waiting for what nobody announces, and for time itself.

use std::future::pending;
use std::time::Duration;

use tokio::time::timeout;

/// Until a story looks again at what it cannot be told of.
const LOOK: Duration = Duration::from_millis(10);

/// Lets a moment pass before the next look.
pub(crate) async fn moment() {
    pass(LOOK).await;
}

/// Lets time pass, where time is what the story is about: a lease that runs out, GitHub that takes a while.
pub(crate) async fn pass(time: Duration) {
    let _ = timeout(time, pending::<()>()).await;
}
