//! Heads that no client of GitHub's has ever seen.

use std::time::{Duration, Instant};

use super::origin::{GOOD, GOOD_BODY, Origin};
use super::{BYTES, Front, READ, Reply};

/// What a client gets for `answer` when it reads and when it downloads; the next request works.
async fn both(answer: &[u8]) -> [Reply; 2] {
    let mut replies = Vec::new();
    for path in [READ, BYTES] {
        let origin = Origin::once(answer.to_owned());
        let front = Front::of(origin.url.clone());
        replies.push(front.get(path).await);
        let next = front.get(path).await;
        assert!(
            next.cache().contains("hit") || next.text() == GOOD_BODY,
            "{next:?}"
        );
    }
    replies.try_into().unwrap()
}

#[tokio::test]
async fn interim_answers_are_not_the_answer() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n".repeat(20);
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        &hints,
        "HTTP/1.1 102 Processing\r\n\r\n",
    ] {
        let answer = [interim.as_bytes(), GOOD].concat();
        for reply in both(&answer).await {
            assert_eq!(reply.good(), GOOD_BODY, "{interim:?}");
            assert!(reply.field("link").is_none(), "{}", reply.head);
        }
    }
}

/// Interim answers without an end are as good as silence.
#[tokio::test]
async fn a_flood_of_interim_answers_is_given_up() {
    let origin = Origin::connections(|mut line, number| async move {
        line.head().await;
        if number > 0 {
            line.write(GOOD).await;
            return line.gone().await;
        }
        while line
            .write(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n")
            .await
        {
            tokio::task::yield_now().await;
        }
    });
    let front = Front::of(origin.url.clone());
    let began = Instant::now();
    front.get(BYTES).await.failure(504);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(front.get(BYTES).await.good(), GOOD_BODY);
}

#[tokio::test]
async fn another_protocol_is_no_answer() {
    let answer =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nraw";
    for reply in both(answer).await {
        let message = reply.failure(502);
        assert!(
            message.contains("switched to another protocol"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_body_where_there_can_be_none_is_dropped_with_its_connection() {
    for status in ["204 No Content", "304 Not Modified"] {
        for framing in ["Content-Length: 51\r\n", ""] {
            let poison = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned";
            let answer = format!("HTTP/1.1 {status}\r\n{framing}\r\n{poison}");
            for reply in both(answer.as_bytes()).await {
                assert_eq!(reply.status.to_string(), status[..3], "{reply:?}");
                assert!(reply.body.is_empty(), "{reply:?}");
                assert!(
                    reply
                        .field("content-length")
                        .is_none_or(|length| length == "0"),
                    "{reply:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_handed_on_and_one_that_is_none_is_an_error() {
    for status in [299, 599, 990, 999] {
        let answer = format!("HTTP/1.1 {status} What\r\nContent-Length: 2\r\n\r\n{{}}");
        for reply in both(answer.as_bytes()).await {
            assert_eq!(
                (reply.status, reply.text().as_str()),
                (status, "{}"),
                "{reply:?}"
            );
            assert!(!reply.cache().contains("stored"), "{}", reply.cache());
        }
    }
    for status in ["099", "0", "1000", "-20", "2xx", ""] {
        let answer = format!("HTTP/1.1 {status} What\r\nContent-Length: 2\r\n\r\n{{}}");
        for reply in both(answer.as_bytes()).await {
            reply.failure(502);
        }
    }
}

#[tokio::test]
async fn what_is_not_http_is_an_error_that_says_so() {
    for garbage in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        // A TLS alert: the origin wanted TLS.
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80",
        b"<html>It works!</html>\r\n\r\n",
        b"HTTP/3.7 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad name : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
    ] {
        for reply in both(garbage).await {
            let message = reply.failure(502);
            let said = ["not valid HTTP", "broke off"];
            assert!(said.iter().any(|said| message.contains(said)), "{message}");
        }
    }
}

fn with_fields(fields: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    format!("{head}{fields}Content-Length: 2\r\n\r\n{{}}").into_bytes()
}

/// So many lines.
fn lines(count: usize, value: &str) -> String {
    let lines: Vec<_> = (0..count)
        .map(|n| format!("X-Many-{n}: {value}\r\n"))
        .collect();
    lines.concat()
}

#[tokio::test]
async fn sixty_kibibytes_of_fields_arrive() {
    let long = format!("X-Long: {}\r\n", "x".repeat(60 << 10));
    let many = lines(200, &"y".repeat(290));
    for fields in [&long, &many] {
        for reply in both(&with_fields(fields)).await {
            assert_eq!(reply.good(), "{}");
            let last = reply.field("x-long").map(str::len).unwrap_or_default()
                + reply.field("x-many-199").map(str::len).unwrap_or_default();
            assert!(last == 60 << 10 || last == 290, "{last}");
        }
    }
}

#[tokio::test]
async fn fields_over_the_limit_are_an_error_that_names_it() {
    let lines = lines(300, "y");
    let bytes = format!("X: {}\r\n", "x".repeat(1 << 20));
    for fields in [lines, bytes] {
        for reply in both(&with_fields(&fields)).await {
            let message = reply.failure(502);
            assert!(message.contains("256 lines"), "{message}");
        }
    }
}

#[tokio::test]
async fn bytes_beyond_ascii_arrive_as_they_are_and_folded_lines_unfolded() {
    for path in [READ, BYTES] {
        let mut answer = with_fields("X-Folded: one\r\n  two\r\n\tthree\r\nX-Text: ");
        let end = answer.len() - "Content-Length: 2\r\n\r\n{}".len();
        answer.splice(end..end, *b"caf\xe9 \xff\r\n");
        let origin = Origin::once(answer);
        let front = Front::of(origin.url.clone());
        for _ in 0..2 {
            let bytes = raw(&front, path).await;
            let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if text.contains("good") {
                // The second download is asked for again.
                continue;
            }
            assert!(has(b"caf\xe9 \xff\r\n"), "{text}");
            let folded = text
                .lines()
                .find(|line| line.to_ascii_lowercase().starts_with("x-folded"));
            let words: Vec<_> = folded.unwrap().split_whitespace().skip(1).collect();
            assert_eq!(words, ["one", "two", "three"], "{text}");
        }
    }
}

/// One request, and every byte that comes back.
async fn raw(front: &Front, path: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let address = front.address();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: token t\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}
