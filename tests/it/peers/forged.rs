//! A member that lies: what it gives is shown to nobody.

use std::time::Duration;

use bytes::Bytes;
use ghswarm::api::page::{Link, Links};
use ghswarm::api::{Fields, Head, Vary, key};
use ghswarm::swarm::wire::message::{Answer, Question};
use ghswarm::swarm::{self, Audience, Identity, Offer};
use http::Method;

use crate::house::{House, NEIGHBOURS, Pool};

const PATH: &str = "/repos/octo-org/app/labels";
const FORGED: &str = r#"[{"id":1,"name":"forged"}]"#;

/// A member of the pool that says what the story wants.
struct Liar {
    client: swarm::Client,
    _events: tokio::sync::mpsc::Receiver<swarm::Event>,
    task: tokio::task::JoinHandle<()>,
}

impl Liar {
    async fn beside(house: &House, pool: &Pool) -> Self {
        let identity = Identity::from_seed(&[66; 32].into()).unwrap();
        let (client, events, event_loop) = swarm::start(identity, pool.swarm(house));
        let task = tokio::spawn(event_loop.run());
        client.know(house.listens().await);
        let mut roster = client.watch_roster();
        roster
            .wait_for(|roster| roster.peers.len() == 1)
            .await
            .unwrap();
        house.sees(1).await;
        Self {
            client,
            _events: events,
            task,
        }
    }

    async fn gives(&self, house: &House, offer: Offer) {
        let key = self.client.names().unwrap().name(&offer.key);
        let answer = self
            .client
            .ask(house.peer_id(), Question::Store { key, offer })
            .await;
        assert!(matches!(answer, Ok(Answer::Ack)), "{answer:?}");
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn forged(house: &House) -> Offer {
    let host = house.url().trim_start_matches("http://").to_owned();
    let _ = host;
    let head = Head {
        method: &Method::GET,
        host: "api.github.com",
        target: PATH,
        fields: Fields::default(),
    };
    Offer {
        key: key::rest(&head),
        body: Bytes::from_static(FORGED.as_bytes()),
        content_type: Some("application/json; charset=utf-8".to_owned()),
        api_version: Some("2022-11-28".to_owned()),
        links: None,
        vary: Some(Vary {
            accept: true,
            authorization: true,
            cookie: true,
        }),
        audience: Audience::Public,
        age: Duration::ZERO,
        origin_lifetime: Duration::from_secs(3600),
        kinds: u8::MAX,
    }
}

#[tokio::test]
async fn a_wrong_body_costs_a_miss_and_is_shown_to_nobody() {
    let pool = Pool::secret();
    let house = House::new().await.next_door(&pool);
    let liar = Liar::beside(&house, &pool).await;
    liar.gives(&house, forged(&house)).await;
    assert_eq!(house.met("peer-held").await, 1);
    let token = house.job(NEIGHBOURS);
    for _ in 0..3 {
        let reply = house.get(&token, PATH).await;
        assert_eq!(reply.status, 200);
        assert!(!reply.text().contains("forged"), "{reply:?}");
        house.wait(Duration::from_secs(3600));
    }
    assert_eq!(house.met("peer-candidate-refuted").await, 1);
    assert_eq!(house.usage().total.counted, 1, "what it costs");
}

#[tokio::test]
async fn a_hostile_link_or_field_is_not_taken_with_a_right_body() {
    let pool = Pool::secret();
    let house = House::new().await.next_door(&pool);
    let body = house.get(&house.job(NEIGHBOURS), PATH).await.body;
    house
        .administer(Method::POST, "/cache/clear", Vec::new())
        .await;
    let liar = Liar::beside(&house, &pool).await;
    let link = |target: &str| {
        Some(Links::from(vec![Link {
            target: target.to_owned(),
            rel: vec!["next".to_owned()],
            parameters: Vec::new(),
        }]))
    };
    let right = Offer {
        body,
        ..forged(&house)
    };
    let lies = [
        Offer {
            links: link("/repos/octo-org/secret/issues?page=2"),
            ..right.clone()
        },
        Offer {
            links: link("/repos/octo-org/app/labels?page=7"),
            ..right.clone()
        },
        Offer {
            content_type: Some("text/plain".to_owned()),
            ..right.clone()
        },
    ];
    for lie in lies {
        liar.gives(&house, lie.clone()).await;
        let reply = house.get(&house.job(NEIGHBOURS), PATH).await;
        assert!(!reply.cache().contains("304"), "{lie:?}: {}", reply.cache());
        assert_eq!(
            reply.header("content-type"),
            Some("application/json; charset=utf-8")
        );
        let next = reply.header("link").unwrap_or_default();
        assert!(
            !next.contains("secret") && !next.contains("page=7"),
            "{next}"
        );
        house
            .administer(Method::POST, "/cache/clear", Vec::new())
            .await;
    }
}
