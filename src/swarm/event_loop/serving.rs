//! Peers' questions to us.

use std::sync::Arc;

use libp2p::PeerId;
use libp2p::request_response::ResponseChannel;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;

use super::Running;
use crate::swarm::conduct::{Act, Offence};
use crate::swarm::exchange;
use crate::swarm::frame::Frame;
use crate::swarm::serve;
use crate::swarm::shared::Shared;
use crate::swarm::wire::message::Answer;

/// Questions of all peers at once; beyond it the answer is [`Answer::Busy`].
const SERVED: usize = 4096;

/// The questions that are being answered, each in a task that ends with the loop.
pub(super) struct Serving {
    shared: Arc<Shared>,
    tasks: JoinSet<Served>,
}

/// A question that was answered, or shall have no answer.
pub(super) struct Served {
    channel: ResponseChannel<Frame>,
    answer: Option<Frame>,
    /// The peer's right to have been asking, until the answer is on its way.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Serving {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            tasks: JoinSet::new(),
        }
    }

    /// Waits for the next answer.
    pub(super) async fn next(&mut self) -> Served {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(served)) => return served,
                Some(Err(error)) => {
                    // The task panicked: its peer has no answer.
                    self.shared.count("question-panicked");
                    tracing::error!(%error, "a peer's question could not be answered");
                }
                None => std::future::pending().await,
            }
        }
    }
}

impl Running {
    pub(super) fn asked(&mut self, id: PeerId, frame: Frame, channel: ResponseChannel<Frame>) {
        if frame.oversize {
            self.shared.strike(id, Offence::Oversize);
            return;
        }
        let Some(peer) = self.shared.peer(&id) else {
            self.early.keep(id, frame, channel);
            return;
        };
        let allowed = self.shared.allows(id, Act::Question)
            && self.shared.allows(id, Act::Bytes(frame.bytes.len()));
        let permit = self.shared.serving_permit(&id);
        if !allowed || permit.is_none() || self.serving.tasks.len() >= SERVED {
            self.shared.count("question-busy");
            let busy = exchange::encode_answer(&self.shared, &peer, &Answer::Busy);
            self.answered(Served {
                channel,
                answer: busy.map(Frame::from),
                _permit: None,
            });
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.serving.tasks.spawn(async move {
            let question = exchange::decode_question(&shared, &peer, &frame.bytes);
            drop(frame);
            let answer = match question {
                Ok(question) => {
                    let answer = serve::serve(Arc::clone(&shared), peer.clone(), question).await;
                    exchange::encode_answer(&shared, &peer, &answer)
                }
                Err(why) => {
                    shared.malformed(id, why);
                    // Where it is no offence, an end without an answer would look like one of ours.
                    let pardoned = Offence::of(why).is_none();
                    pardoned
                        .then(|| exchange::encode_answer(&shared, &peer, &Answer::Busy))
                        .flatten()
                }
            };
            let answer = answer.map(Frame::from);
            Served {
                channel,
                answer,
                _permit: permit,
            }
        });
    }

    pub(super) fn answered(&mut self, served: Served) {
        let exchange = &mut self.swarm.behaviour_mut().gate.inner_mut().exchange;
        // Without an answer the channel is dropped, which ends the stream. An error says that it has ended.
        if let Some(answer) = served.answer {
            let _ = exchange.send_response(served.channel, answer);
        }
    }
}
