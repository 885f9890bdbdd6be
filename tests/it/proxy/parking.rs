//! What a keeper hears of the requests in flight.

use std::time::Duration;

use ghswarm::proxy::parking::{Entrance, Line, Message, Parked};

use super::stage::Stage;

const JSON: &str = "Content-Type: application/json\r\nAuthorization: token ghp_x\r\n";

fn graphql(length: usize) -> String {
    format!("{JSON}Content-Length: {length}\r\n")
}

/// The next message is about a client that waits.
async fn parked(keeper: &Line) -> (u64, Parked) {
    match keeper.receive().await.unwrap() {
        Some(Message::Park(id, parked)) => (id, parked),
        other => panic!("{other:?}"),
    }
}

/// All that was said already is that this client is answered.
#[track_caller]
fn released(keeper: &Line, id: u64) {
    match keeper.try_receive() {
        Ok(Some(Message::Release(released))) => assert_eq!(released, id),
        other => panic!("{other:?}"),
    }
    silent(keeper);
}

#[track_caller]
fn silent(keeper: &Line) {
    let said = keeper.try_receive();
    let nothing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(said.as_ref().is_err_and(nothing), "{said:?}");
}

async fn kept() -> (Stage, Line) {
    let (stage, keeper) = Stage::kept().await;
    let said = keeper.receive().await.unwrap();
    assert!(matches!(said, Some(Message::Ready)), "{said:?}");
    (stage, keeper)
}

#[tokio::test]
async fn a_request_is_parked_while_it_waits_and_a_hit_never_is() {
    let (stage, keeper) = kept().await;
    let mut client = stage.connect().await;
    let text = client.get_text("/repos/o/r/waits");
    // The next one came with it: whoever answers for us must answer both.
    client.write(format!("{text}{text}")).await;
    let (id, parked) = parked(&keeper).await;
    assert_eq!(parked.entrance, Entrance::Tcp);
    assert_eq!(parked.bytes.as_slice(), text.repeat(2).as_bytes());
    drop(parked);
    silent(&keeper);
    stage.origin.gate.notify_one();
    assert_eq!(client.reply().await.status(), 200);
    assert!(client.reply().await.cache().contains("; hit"));
    released(&keeper, id);
}

#[tokio::test]
async fn a_query_is_parked_when_its_body_is_whole_and_its_hit_is_not() {
    let (stage, keeper) = kept().await;
    let body = br#"{"query":"query { viewer { login } }"}"#;
    let mut client = stage.connect_unix("api.github.com").await;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: api.github.com\r\n{}\r\n",
        graphql(body.len())
    );
    client.write(&head).await;
    client.write(&body[..10]).await;
    client.write(&body[10..]).await;
    let (id, parked) = parked(&keeper).await;
    assert_eq!(parked.entrance, Entrance::Unix);
    assert_eq!(parked.bytes.as_slice(), [head.as_bytes(), body].concat());
    assert_eq!(client.reply().await.status(), 200);
    released(&keeper, id);
    let again = client
        .ask("POST /graphql", &graphql(body.len()), body)
        .await;
    assert!(again.cache().contains("; hit"), "{}", again.cache());
    silent(&keeper);
}

#[tokio::test]
async fn what_writes_or_is_too_long_is_not_parked() {
    let (stage, keeper) = kept().await;
    let mut client = stage.connect().await;
    let mutation = br#"{"query":"mutation { addStar(input: {}) { clientMutationId } }"}"#;
    let long = format!(
        r#"{{"query":"query {{ viewer {{ login }} }}{}"}}"#,
        " ".repeat(64 << 10)
    );
    for (line, body) in [
        ("POST /graphql", mutation.as_slice()),
        ("POST /graphql", long.as_bytes()),
        ("POST /repos/o/r/issues", b"{}"),
        ("GET /repos/o/r/body", b"{}"),
    ] {
        let reply = client.ask(line, &graphql(body.len()), body).await;
        assert_eq!(reply.status(), 200, "{line}");
    }
    silent(&keeper);
}

#[tokio::test]
async fn a_request_that_is_broken_off_is_released() {
    let (stage, keeper) = kept().await;
    let mut client = stage.connect().await;
    client.write(client.get_text("/repos/o/r/waits")).await;
    let (id, _) = parked(&keeper).await;
    drop(client);
    stage.origin.gate.notify_one();
    let told = tokio::time::timeout(Duration::from_secs(5), keeper.receive()).await;
    assert!(
        matches!(told, Ok(Ok(Some(Message::Release(told)))) if told == id),
        "{told:?}"
    );
}

#[tokio::test]
async fn no_keeper_is_no_trouble() {
    let (stage, keeper) = kept().await;
    let mut client = stage.connect().await;
    client.write(client.get_text("/repos/o/r/waits")).await;
    drop((parked(&keeper).await, keeper));
    stage.origin.gate.notify_one();
    assert_eq!(client.reply().await.status(), 200);
    assert_eq!(client.get("/repos/o/r/more").await.status(), 200);
}

/// A keeper that was stopped.
#[tokio::test]
async fn a_line_that_nobody_reads_holds_up_nobody() {
    let (stage, keeper) = Stage::kept().await;
    let mut client = stage.connect().await;
    // More messages than a socket has room for: each client is released late or never parked.
    for number in 0..400 {
        let target = format!("/repos/o/r/n{number}");
        let mut asking = std::pin::pin!(client.get(&target));
        let in_time = tokio::time::timeout(Duration::from_millis(50), &mut asking).await;
        let reply = if let Ok(reply) = in_time {
            reply
        } else {
            // It goes on, reads what is there, and is stopped again.
            while keeper.try_receive().is_ok() {}
            asking.await
        };
        assert_eq!(reply.status(), 200);
    }
}
