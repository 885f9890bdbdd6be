//! How gossipsub is set up.

use std::time::Duration;

use libp2p::gossipsub::{
    Behaviour, ConfigBuilder, IdentTopic, MessageAuthenticity, PeerScoreParams,
    PeerScoreThresholds, TopicScoreParams, ValidationMode,
};
use libp2p::identity::Keypair;

use super::message::MESSAGE_MAX;
use crate::swarm::pool::Names;

/// Messages that wait for one peer. Beyond it they are lost: nothing relies on any one of them.
const QUEUE: usize = 512;

/// The topic of everybody who has the same names.
pub(in crate::swarm) fn topic(names: &Names) -> IdentTopic {
    IdentTopic::new(names.topic())
}

/// Gossip among the members of a pool: signed by its authors, judged by us before it is passed on, and scored.
///
/// # Errors
///
/// What gossipsub says of a setting that it does not take.
pub(in crate::swarm) fn behaviour(keypair: &Keypair, names: &Names) -> Result<Behaviour, String> {
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Strict)
        .validate_messages()
        .max_transmit_size(MESSAGE_MAX)
        // Up to a hundred members know one another: what one says reaches all of them at once, and
        // what a peer did not hear it is told by its neighbours. Those are few, since each copy costs the
        // check of a signature.
        .flood_publish(true)
        .mesh_n(3)
        .mesh_n_low(2)
        .mesh_n_high(4)
        .mesh_outbound_min(1)
        .heartbeat_initial_delay(Duration::from_millis(500))
        .duplicate_cache_time(Duration::from_mins(2))
        .connection_handler_queue_len(QUEUE)
        .build()
        .map_err(|error| error.to_string())?;
    let signed = MessageAuthenticity::Signed(keypair.clone());
    let mut gossip = Behaviour::new(signed, config).map_err(ToOwned::to_owned)?;
    gossip.with_peer_score(scores(names), PeerScoreThresholds::default())?;
    gossip
        .subscribe(&topic(names))
        .map_err(|error| error.to_string())?;
    Ok(gossip)
}

/// What counts is only what our own judgement rejects: traffic comes in bursts, so that who is quiet is no offender, and runners
/// stand behind one address by the dozen.
fn scores(names: &Names) -> PeerScoreParams {
    let topic_params = TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.01,
        time_in_mesh_cap: 100.0,
        first_message_deliveries_weight: 0.1,
        first_message_deliveries_cap: 100.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -10.0,
        invalid_message_deliveries_decay: 0.9,
        ..TopicScoreParams::default()
    };
    PeerScoreParams {
        topics: [(topic(names).hash(), topic_params)].into(),
        ip_colocation_factor_weight: 0.0,
        ..PeerScoreParams::default()
    }
}
