//! Two members.

use ghswarm::swarm::wire::message::{Answer, Position, Question};
use ghswarm::swarm::{AskError, Config};

use super::member::{Member, config, quic};

const PULSE: Question = Question::Pulse {
    position: Position {
        epoch: 7,
        sequence: 9,
    },
};

async fn exchange_a_question(config: Config) {
    let one = Member::start(1, config.clone());
    let other = Member::start(2, config);
    other.client.dial(one.address().await);
    one.sees(1).await;
    other.sees(1).await;
    for (asker, asked) in [(&one, &other), (&other, &one)] {
        let answer = asker.client.ask(asked.id(), PULSE).await;
        assert!(matches!(answer, Ok(Answer::Pulse { .. })), "{answer:?}");
    }
    let gone = other.id();
    other.end().await;
    one.sees(0).await;
    let answer = one.client.ask(gone, PULSE).await;
    assert_eq!(answer, Err(AskError::NotConnected));
    one.end().await;
}

#[tokio::test]
async fn they_ask_each_other_over_tcp() {
    exchange_a_question(config()).await;
}

#[tokio::test]
async fn they_ask_each_other_over_quic() {
    let mut config = config();
    config.listen = vec![quic()];
    exchange_a_question(config).await;
}
