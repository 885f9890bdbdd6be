//! Lies about where a body ends, and about how it is coded.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::origin::{GOOD_BODY, Origin};
use super::process::Process;
use super::{BYTES, Front, READ, Reply, get};

const JSON: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/// What a client gets for `answer` when it reads and when it downloads; the next request works.
async fn both(answer: &str) -> [Reply; 2] {
    let mut replies = Vec::new();
    for path in [READ, BYTES] {
        let origin = Origin::once(answer.to_owned());
        let front = Front::of(origin.url.clone());
        replies.push(front.get(path).await);
        let next = front.get(path).await;
        // Either what was kept of a good answer, or a new one: never the rest of the old one.
        let kept = next.cache().contains("hit");
        if kept {
            assert_eq!(next.text(), replies[replies.len() - 1].text(), "{answer:?}");
        } else {
            assert_eq!(next.good(), GOOD_BODY, "{answer:?}");
        }
    }
    replies.try_into().unwrap()
}

#[tokio::test]
async fn an_answer_that_is_shorter_than_it_says_is_an_error_or_seen_to_be_broken() {
    for answer in [
        format!("{JSON}Content-Length: 100\r\n\r\n{{\"half\":"),
        format!("{JSON}Transfer-Encoding: chunked\r\n\r\n8\r\n{{\"half\":\r\n"),
        format!("{JSON}Transfer-Encoding: chunked\r\n\r\n50\r\n{{\"half\":"),
    ] {
        let [read, download] = both(&answer).await;
        assert!(read.failure(502).contains("broke off"), "{answer:?}");
        assert!(
            download.status == 200 && !download.whole,
            "{answer:?} {download:?}"
        );
    }
}

#[tokio::test]
async fn what_comes_after_the_end_is_no_part_of_this_answer_nor_of_the_next() {
    let poison = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned";
    for answer in [
        format!("{JSON}Content-Length: 2\r\n\r\n{{}}{poison}"),
        format!("{JSON}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{poison}"),
    ] {
        for reply in both(&answer).await {
            assert_eq!(reply.good(), "{}", "{answer:?}");
        }
    }
}

/// RFC 9112, section 6.3: where lengths contradict each other nobody knows where the answer ends.
#[tokio::test]
async fn lengths_that_make_no_sense_are_an_error() {
    for lengths in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2, 3\r\n",
        "Content-Length: -2\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 0x2\r\n",
        "Content-Length: \r\n",
        "Content-Length: two\r\n",
        "Content-Length: 99999999999999999999999999\r\n",
    ] {
        for reply in both(&format!("{JSON}{lengths}\r\n{{}}")).await {
            let message = reply.failure(502);
            assert!(message.contains("not valid HTTP"), "{lengths:?}: {message}");
        }
    }
}

#[tokio::test]
async fn a_length_beside_chunks_counts_for_nothing() {
    let chunks = "2\r\n{}\r\n0\r\n\r\n";
    for fields in [
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        "Content-Length: 1000\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 18446744073709551615\r\nTransfer-Encoding: chunked\r\n",
    ] {
        for reply in both(&format!("{JSON}{fields}\r\n{chunks}")).await {
            assert_eq!(reply.good(), "{}", "{fields:?}");
        }
    }
}

#[tokio::test]
async fn lengths_that_say_the_same_twice_are_one() {
    for lengths in [
        "Content-Length: 2\r\nContent-Length: 2\r\n",
        "Content-Length: 2, 2\r\n",
    ] {
        for reply in both(&format!("{JSON}{lengths}\r\n{{}}")).await {
            // Passed on once, or refused in clear words: never twice.
            if reply.status == 200 {
                assert_eq!(reply.good(), "{}");
                let said = reply
                    .head
                    .to_ascii_lowercase()
                    .matches("content-length")
                    .count();
                assert_eq!(said, 1, "{}", reply.head);
            } else {
                reply.failure(502);
            }
        }
    }
}

/// A length that nobody can hold is announced, and 2 bytes come.
#[tokio::test]
async fn a_huge_length_costs_no_memory() {
    for length in ["9223372036854775807", "1099511627776"] {
        let [read, download] = both(&format!("{JSON}Content-Length: {length}\r\n\r\n{{}}")).await;
        assert!(read.status == 200 && !read.whole, "{read:?}");
        assert!(download.status == 200 && !download.whole, "{download:?}");
    }
}

#[tokio::test]
async fn chunks_that_make_no_sense_are_an_error_or_seen_to_be_broken() {
    for chunks in [
        "zz\r\n{}\r\n0\r\n\r\n",
        "-1\r\n{}\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}xx0\r\n\r\n",
        "2\n{}\n0\n\n",
        "\r\n2\r\n{}\r\n0\r\n\r\n",
    ] {
        let [read, download] =
            both(&format!("{JSON}Transfer-Encoding: chunked\r\n\r\n{chunks}")).await;
        read.failure(502);
        assert!(
            download.status == 200 && !download.whole,
            "{chunks:?} {download:?}"
        );
    }
}

/// HTTP/1.0, or an origin that says nothing: the body ends with the connection.
#[tokio::test]
async fn an_answer_without_a_length_ends_with_its_connection() {
    for version in ["1.0", "1.1"] {
        let answer =
            format!("HTTP/{version} 200 OK\r\nContent-Type: application/json\r\n\r\n{{\"a\": 1}}");
        for reply in both(&answer).await {
            assert_eq!(reply.good(), "{\"a\": 1}", "{version}");
            // Nobody can tell whether that was all of it.
            assert!(!reply.cache().contains("stored"), "{}", reply.cache());
        }
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut coder = GzEncoder::new(Vec::new(), Compression::best());
    coder.write_all(plain).unwrap();
    coder.finish().unwrap()
}

fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{JSON}Content-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

async fn read_gzip(front: &Front, path: &str) -> Reply {
    let head = format!("GET {path} HTTP/1.1\r\nAccept-Encoding: gzip\r\n");
    super::ask(front.address(), &head, b"").await
}

#[tokio::test]
async fn gzip_that_is_good_is_undone_and_kept() {
    let origin = Origin::once(coded("gzip", &gzip(b"{\"a\": 1}")));
    let front = Front::of(origin.url.clone());
    assert_eq!(read_gzip(&front, READ).await.good(), "{\"a\": 1}");
    assert!(read_gzip(&front, READ).await.cache().contains("hit"));
}

/// What cannot be undone is the client's to judge: it gets the bytes and their coding as they came.
#[tokio::test]
async fn a_coding_that_is_a_lie_is_handed_on_as_it_came_and_never_kept() {
    let good = gzip(b"{\"a\": 1}");
    let mut corrupt = good.clone();
    let end = corrupt.len() - 5;
    corrupt[end] ^= 0xff;
    for (coding, body) in [
        ("gzip", b"{\"plain\": 1}".to_vec()),
        ("gzip", good[..good.len() - 6].to_vec()),
        ("gzip", corrupt),
        ("gzip, gzip", gzip(&good)),
        ("gzip\r\nContent-Encoding: gzip", gzip(&good)),
        ("br", b"\x0b\x03\x80{}\x03".to_vec()),
        ("made-up", b"{}".to_vec()),
    ] {
        let origin = Origin::once(coded(coding, &body));
        let front = Front::of(origin.url.clone());
        let reply = read_gzip(&front, READ).await;
        assert!(reply.status == 200 && reply.whole, "{coding}: {reply:?}");
        assert_eq!(reply.body, body, "{coding}");
        assert!(
            reply.head.to_ascii_lowercase().contains("content-encoding"),
            "{coding}"
        );
        assert!(
            !reply.cache().contains("stored"),
            "{coding}: {}",
            reply.cache()
        );
        assert_eq!(read_gzip(&front, READ).await.good(), GOOD_BODY, "{coding}");
    }
}

/// Ten gibibytes of zeros in ten mebibytes, and in ten kibibytes: gzip in gzip is not undone twice.
#[tokio::test]
async fn a_bomb_does_not_go_off() {
    let mut coder = GzEncoder::new(Vec::new(), Compression::fast());
    let zeros = vec![0; 1 << 20];
    for _ in 0..256 {
        coder.write_all(&zeros).unwrap();
    }
    // Members one after the other are one body: 256 MiB forty times.
    let member = coder.finish().unwrap();
    let small = gzip(&member.repeat(40));
    // The largest that is taken up at all is just under the limit of ten mebibytes.
    let bomb = member.repeat(((10 << 20) / member.len()).min(40));
    let process_origin = Origin::connections(move |mut line, number| {
        let body = if number % 2 == 0 {
            bomb.clone()
        } else {
            small.clone()
        };
        async move {
            line.head().await;
            line.write(&coded("gzip", &body)).await;
            line.end().await;
        }
    });
    let process = Process::start(&process_origin.url, &[]).await;
    for round in 0..4 {
        let reply = get(process.address(), READ).await;
        assert!(
            reply.status == 200 && reply.whole,
            "{round}: {}",
            reply.head
        );
        assert!(
            !reply.cache().contains("stored"),
            "{round}: {}",
            reply.cache()
        );
    }
    let peak = process.peak_kib();
    assert!(peak < 100 << 10, "{peak} KiB");
}
