//! Clients that say half of it, or do not listen.
//!
//! How long each of them is waited for is told in `proxy/bounds.rs`, with shorter times. None of these
//! times needs the kernel to notice that a client is gone: one that vanished without a word is one that
//! says nothing, or takes nothing.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::machine::{HELLO, Machine, Served};

/// Asks for what memory holds; how long the slowest of fifty took.
async fn promptly(served: &Served, path: &str) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let asked = Instant::now();
        assert!(served.get(path).await.is_hit());
        slowest = slowest.max(asked.elapsed());
    }
    slowest
}

#[tokio::test]
async fn clients_that_stop_in_the_middle_cost_little_and_delay_nobody() {
    let machine = Machine::new().await;
    let served = machine.serve("", &[]).await;
    assert_eq!(served.get(HELLO).await.status(), 200);
    let (rss, descriptors) = (served.rss(), served.descriptors());
    let mut silent = Vec::new();
    for number in 0..300 {
        let mut halves = vec!["", "GET /user HTTP/1.1\r\nHo"];
        // Few: GitHub wants a second between two writes, and each is one.
        if number % 100 == 0 {
            halves.push(
                "POST /markdown HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nhalf",
            );
        }
        for half in halves {
            let mut client = served.connect().await;
            client.write(half).await;
            silent.push(client);
        }
    }
    // Byte by byte, for as long as the others are watched.
    let drip = async {
        for byte in b"GET /user HTTP/1.1\r\nHost: localhost\r\nX: slow" {
            for client in silent.iter_mut().step_by(2).take(50) {
                client.write([*byte]).await;
            }
            tokio::task::yield_now().await;
        }
    };
    let (slowest, ()) = tokio::join!(promptly(&served, HELLO), drip);
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let grown = served.peak() - rss;
    assert!(grown < 48 << 10, "{grown} KiB for {} clients", silent.len());
    drop(silent);
    let back = |served: &Served| served.descriptors() <= descriptors + 8;
    served.until("descriptors back", back).await;
    served.stop().await;
}

#[tokio::test]
async fn a_client_that_has_said_all_still_gets_its_answer() {
    let machine = Machine::new().await;
    let served = machine.serve("", &[]).await;
    for (path, hit) in [(HELLO, false), (HELLO, true)] {
        let mut tcp = served.connect().await;
        let request = tcp.request(path, None);
        tcp.write(request).await;
        tcp.stream.get_mut().shutdown().await.unwrap();
        let answer = tcp.answer().await;
        assert_eq!((answer.status(), answer.is_hit()), (200, hit));
        assert!(tcp.ends().await, "nothing more will be said");
    }
    for path in ["/users/octocat", HELLO] {
        let mut unix = served.connect_unix().await;
        let request = unix.request(path, None);
        unix.write(request).await;
        unix.stream.get_mut().shutdown().await.unwrap();
        assert_eq!(unix.answer().await.status(), 200);
        assert!(unix.ends().await);
    }
    let mut uploads = served.connect().await;
    uploads
        .write("POST /markdown HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
        .await;
    uploads.stream.get_mut().shutdown().await.unwrap();
    assert!(uploads.answer().await.status() > 0);
    served.stop().await;
}

/// An origin whose every answer is the same long list.
async fn origin(length: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let item = r#"{"url":"https://api.github.com/repos/o/r/issues/1"}"#;
    let count = length / item.len();
    let body = format!("[{}]", vec![item; count].join(","));
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n\
         Cache-Control: public, max-age=600\r\nETag: \"x\"\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while let Ok(1..) = stream.read_buf(&mut seen).await {
                    if seen.ends_with(b"\r\n\r\n") {
                        seen.clear();
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                }
            });
        }
    });
    format!("http://{address}")
}

/// More than what the kernel takes for a client that does not read.
const LENGTH: usize = 6 << 20;
/// So many read slowly.
const READERS: usize = 60;

/// Clients ask for a long body and read a byte now and then.
async fn slow_readers(agent: &str, rewritten: bool) -> (u64, Duration) {
    const LONG: &str = "/repos/o/r/issues";
    let machine = Machine::asking(origin(LENGTH).await).await;
    let served = machine.serve("", &[]).await;
    let ask =
        |host: &str| format!("GET {LONG} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\r\n");
    for _ in 0..3 {
        let mut client = served.connect().await;
        client.write(ask(&client.host)).await;
        let answer = client.answer().await;
        assert!(answer.body.len() > LENGTH - 1000);
        let moved = String::from_utf8(answer.body)
            .unwrap()
            .contains(&client.host);
        assert_eq!(moved, rewritten);
    }
    let (rss, descriptors) = (served.rss(), served.descriptors());
    let mut readers = join_all((0..READERS).map(|_| async {
        let mut client = served.connect().await;
        client.write(ask(&client.host)).await;
        // The answer has begun.
        assert_eq!(client.stream.read_u8().await.unwrap(), b'H');
        client
    }))
    .await;
    let reading = async {
        for _ in 0..20 {
            for client in &mut readers {
                client.stream.read_u8().await.unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    let (slowest, ()) = tokio::join!(promptly(&served, LONG), reading);
    let grown = served.peak().saturating_sub(rss);
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
    assert!(
        grown < 48 << 10,
        "{grown} KiB for {READERS} readers of {LENGTH} bytes"
    );
    // One of them hurries up in the end, and gets every byte.
    let mut rest = Vec::new();
    let mut last = readers.pop().unwrap();
    let _ = tokio::time::timeout(Duration::from_secs(5), async {
        while rest.len() < LENGTH - 1000 && last.stream.read_buf(&mut rest).await.unwrap() > 0 {}
    })
    .await;
    assert!(rest.len() >= LENGTH - 1000, "{} bytes", rest.len());
    drop((readers, last));
    let back = |served: &Served| served.descriptors() <= descriptors + 8;
    served.until("descriptors back", back).await;
    served.stop().await;
    (grown, slowest)
}

#[tokio::test]
async fn readers_that_take_their_time_share_one_body() {
    let (grown, slowest) = slow_readers("curl/8", false).await;
    println!("{READERS} slow readers: {grown} KiB more; the others waited {slowest:?} at most");
}

#[tokio::test]
async fn readers_whose_bodies_are_rewritten_share_one_body_too() {
    let (grown, slowest) = slow_readers("PyGithub/Python", true).await;
    println!("{READERS} slow readers: {grown} KiB more; the others waited {slowest:?} at most");
}
