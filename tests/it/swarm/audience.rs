//! What a ticket does not cover.

use std::time::Duration;

use ghswarm::swarm::wire::message::Question;
use ghswarm::swarm::{Acquaintance, Audience, Event, Standing};

use super::liar::entry;
use super::member::{Member, config};

#[tokio::test]
async fn what_readers_alone_may_have_is_not_taken_from_the_holder_of_a_ticket() {
    let mut config = config();
    config.secret = None;
    let expires = config.clock.now().plus(Duration::from_mins(90));
    let (mut one, liar) = (Member::start(1, config.clone()), Member::start(2, config));
    liar.client.know(Acquaintance {
        ticket: Some(one.client.identity().ticket(expires)),
        ..one.acquaintance().await
    });
    one.sees(1).await;
    liar.sees(1).await;
    let mut offer = entry();
    offer.audience = Audience::Repository;
    let key = liar.client.names().unwrap().name(&offer.key);
    let store = || Question::Store {
        key,
        offer: offer.clone(),
    };
    // Until it is hung up on.
    while liar.client.ask(one.id(), store()).await.is_ok() {}
    let row = one.row(&liar.id().to_string(), Standing::Dropped).await;
    assert_eq!(row.reason.as_deref(), Some("wrong-audience"));
    while let Ok(event) = one.events.try_recv() {
        assert!(!matches!(event, Event::Offered { .. }), "it was taken");
    }
}
