//! What is said to everybody, to and from the network.

use libp2p::gossipsub::{Event, PublishError};
use tracing::debug;

use super::Running;
use crate::swarm::gossip;

impl Running {
    /// Says something to everybody.
    pub(super) fn publish(&mut self, bytes: Vec<u8>) {
        let Some(keys) = self.shared.keys.get() else {
            return;
        };
        let topic = gossip::topic(&keys.names);
        let gossip = &mut self.swarm.behaviour_mut().gate.inner_mut().gossip;
        match gossip.publish(topic, bytes) {
            // Nobody listens yet.
            Ok(_) | Err(PublishError::NoPeersSubscribedToTopic) => {}
            Err(error) => {
                self.shared.count("gossip-not-sent");
                debug!(%error, "not said to everybody");
            }
        }
    }

    pub(super) fn gossiped(&mut self, event: Event) {
        let Event::Message {
            propagation_source,
            message_id,
            message,
        } = event
        else {
            return;
        };
        let acceptance = gossip::hear(&self.shared, message.source, &message.data);
        let gossip = &mut self.swarm.behaviour_mut().gate.inner_mut().gossip;
        gossip.report_message_validation_result(&message_id, &propagation_source, acceptance);
    }
}
