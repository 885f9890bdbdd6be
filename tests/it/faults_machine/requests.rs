//! Requests that are too much, or that nobody should send.

use tokio::io::AsyncWriteExt as _;

use super::machine::{HELLO, Machine, Served};

/// KiB that a daemon may grow by, whatever it is sent.
const BOUND: u64 = 48 << 10;

/// Holds the daemon to serving as before, and to a bounded memory.
async fn sound(served: &Served, before: u64) {
    assert!(served.get(HELLO).await.is_hit());
    let peak = served.peak();
    assert!(peak < before + BOUND, "{before} KiB before, {peak} at most");
}

#[tokio::test]
async fn heads_without_an_end_are_told_that_they_are_too_long() {
    let machine = Machine::new().await;
    let served = machine.serve("", &[]).await;
    served.get(HELLO).await;
    let before = served.rss();
    let line = "GET / HTTP/1.1\r\nHost: localhost\r\n";
    let heads = [
        format!("{line}X: {}\r\n\r\n", "x".repeat(10 << 20)),
        format!("{line}{}\r\n", "X: y\r\n".repeat(100_000)),
        format!(
            "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "x".repeat(1 << 20)
        ),
        "x".repeat(10 << 20),
    ];
    for head in heads {
        let mut client = served.connect().await;
        // The answer comes long before the end of the head.
        client.write(&head.as_bytes()[..512 << 10]).await;
        let answer = client.answer().await;
        let status = if head.starts_with('x') { 400 } else { 431 };
        let status = if answer.status() == 431 { 431 } else { status };
        answer.refusal(status);
        assert_eq!(answer.field("connection"), Some("close"));
        assert!(client.ends().await);
        sound(&served, before).await;
    }
    served.stop().await;
}

#[tokio::test]
async fn bodies_that_are_not_what_they_say_end_only_their_own_connection() {
    let machine = Machine::new().await;
    let served = machine.serve("", &[]).await;
    served.get(HELLO).await;
    let before = served.rss();
    let post = |fields: &str, body: &str| {
        format!("POST /markdown HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n{body}")
    };
    // Bad chunks.
    for chunks in [
        "zz\r\nx\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\n",
        "-1\r\n",
    ] {
        let mut client = served.connect().await;
        client
            .write(post("Transfer-Encoding: chunked", chunks))
            .await;
        client.answer().await.refusal(400);
        assert!(client.ends().await, "{chunks:?}");
    }
    // Shorter than announced, and then nothing: never a request of GitHub's that counts as whole.
    let mut client = served.connect().await;
    client.write(post("Content-Length: 100", "half")).await;
    client.stream.get_mut().shutdown().await.unwrap();
    if let Some(answer) = client.read_answer().await {
        assert!(answer.status() >= 400, "{}", answer.head);
    }
    assert!(client.ends().await);
    // Longer: the rest is the next request, and makes none.
    let mut client = served.connect().await;
    client
        .write(post("Content-Length: 4", "bodyand more of it\r\n\r\n"))
        .await;
    client.answer().await;
    client.answer().await.refusal(400);
    assert!(client.ends().await);
    sound(&served, before).await;
    served.stop().await;
}

#[tokio::test]
async fn a_thousand_requests_in_one_go_are_answered_in_order() {
    let machine = Machine::new().await;
    let served = machine.serve("", &[]).await;
    for path in [HELLO, "/users/octocat"] {
        assert_eq!(served.get(path).await.status(), 200);
    }
    let before = served.rss();
    let mut client = served.connect().await;
    let all: String = (0..1000)
        .map(|number| {
            let path = if number % 3 == 0 {
                "/users/octocat"
            } else {
                HELLO
            };
            client.request(path, None)
        })
        .collect();
    client.write(all).await;
    for number in 0..1000 {
        let answer = client.answer().await;
        let name = if number % 3 == 0 {
            "login"
        } else {
            "full_name"
        };
        assert!(
            answer.is_hit() && answer.json()[name].is_string(),
            "{number}"
        );
    }
    sound(&served, before).await;
    served.stop().await;
}
