//! What peers ask, answered.

use std::sync::Arc;

use super::roster::Peer;
use super::shared::Shared;
use super::wire::message::{Answer, Position, Question};

/// The answer to `question` by `from`.
pub(super) async fn serve(shared: Arc<Shared>, from: Peer, question: Question) -> Answer {
    let _ = (shared, from);
    std::future::ready(()).await;
    match question {
        Question::Lookup { .. } | Question::Await { .. } => Answer::Unknown,
        Question::Pulse { .. } => Answer::Pulse {
            position: Position {
                epoch: 0,
                sequence: 0,
            },
        },
        Question::Greet { .. } => Answer::Greeted {
            position: Position {
                epoch: 0,
                sequence: 0,
            },
            missed: Some(Vec::new()),
        },
        Question::Peers { .. } => Answer::Peers(Vec::new()),
        Question::Renew { .. }
        | Question::Release { .. }
        | Question::Store { .. }
        | Question::Invalidate { .. } => Answer::Ack,
    }
}
