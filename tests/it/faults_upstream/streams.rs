//! Bodies of a gibibyte, and the ends that they come to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use ghswarm_lab::fault::delay;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::origin::{GOOD, GOOD_BODY, Line, Origin};
use super::process::Process;
use super::{BYTES, Front, PATIENCE, READ, get};

const GIB: u64 = 1 << 30;
/// What a daemon may take for all that: a build without optimisation has some 30 MiB before it begins.
const PEAK_KIB: u64 = 100 << 10;
/// A gibibyte takes seconds; a machine that does nothing else takes one.
const GIB_PATIENCE: Duration = Duration::from_secs(240);

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Writes `left` bytes that are nowhere; how many somebody took.
async fn pour(stream: &mut (impl AsyncWrite + Unpin), mut left: u64) -> u64 {
    let mut poured = 0;
    while left > 0 {
        let size = left.min(ZEROS.len() as u64);
        let Ok(()) = stream
            .write_all(&ZEROS[..usize::try_from(size).unwrap()])
            .await
        else {
            break;
        };
        (left, poured) = (left - size, poured + size);
    }
    poured
}

/// Reads to the end, and counts.
async fn drink(stream: &mut (impl AsyncRead + Unpin)) -> u64 {
    let (mut room, mut drunk) = (vec![0; 64 << 10], 0);
    while let Ok(read) = stream.read(&mut room).await {
        if read == 0 {
            break;
        }
        drunk += read as u64;
    }
    drunk
}

/// A client in the middle of an exchange: its connection, with the answer's head read.
async fn begin(process: &Process, head: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(process.address()).await.unwrap();
    let host = process.address();
    let head = format!("{head}Host: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    BufReader::new(stream)
}

async fn head_of(stream: &mut BufReader<TcpStream>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.unwrap() > 0, "{head}");
    }
    head
}

/// A gibibyte down: with a length, in chunks, and as JSON that would be kept if it were shorter.
#[tokio::test]
async fn a_gibibyte_comes_down_and_no_more_than_a_few_megabytes_are_held() {
    let origin = Origin::connections(|mut line, _| async move {
        while let Some(head) = line.head().await {
            if head.contains("/chunks") {
                line.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    .await;
                for _ in 0..GIB / (64 << 10) {
                    line.write(b"10000\r\n").await;
                    line.write(&ZEROS).await;
                    line.write(b"\r\n").await;
                }
                line.write(b"0\r\n\r\n").await;
            } else {
                let kind = if head.contains("/issues") {
                    "application/json"
                } else {
                    "application/zip"
                };
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {GIB}\r\n\r\n"
                );
                line.write(head.as_bytes()).await;
                pour(&mut line.stream, GIB).await;
            }
        }
    });
    let process = Process::start(&origin.url, &[]).await;
    let all = async {
        for path in [BYTES, READ, "/repos/octo-org/app/zipball/chunks"] {
            let mut client = begin(&process, &format!("GET {path} HTTP/1.1\r\n")).await;
            let head = head_of(&mut client).await;
            assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
            let drunk = drink(&mut client).await;
            if head.contains("ransfer-") {
                assert!((GIB..GIB + GIB / 100).contains(&drunk), "{path}: {drunk}");
            } else {
                assert_eq!(drunk, GIB, "{path}");
            }
        }
    };
    tokio::time::timeout(GIB_PATIENCE, all)
        .await
        .expect("three gibibytes in time");
    let peak = process.peak_kib();
    assert!(peak < PEAK_KIB, "{peak} KiB");
}

#[tokio::test]
async fn a_gibibyte_goes_up_with_its_length_or_in_chunks() {
    let origin = Origin::connections(|mut line, _| async move {
        let mut reader = BufReader::new(&mut line.stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            let mut body = 0;
            if head
                .to_ascii_lowercase()
                .contains("transfer-encoding: chunked")
            {
                let mut chunk = vec![0; 1 << 20];
                loop {
                    let mut size = String::new();
                    reader.read_line(&mut size).await.unwrap();
                    let size = usize::from_str_radix(size.trim(), 16).unwrap();
                    chunk.resize(size + 2, 0);
                    reader.read_exact(&mut chunk).await.unwrap();
                    if size == 0 {
                        break;
                    }
                    body += size as u64;
                }
            } else {
                body = drink(&mut (&mut reader).take(GIB)).await;
            }
            let text = body.to_string();
            let answer = format!(
                "HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n{text}",
                text.len()
            );
            reader.get_mut().write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let process = Process::start(&origin.url, &[]).await;
    let all = async {
        let upload = "POST /repos/octo-org/app/releases/1/assets?name=a HTTP/1.1\r\n";
        let mut client = begin(&process, &format!("{upload}Content-Length: {GIB}\r\n")).await;
        assert_eq!(pour(client.get_mut(), GIB).await, GIB);
        let reply = super::read_reply(&mut client, false).await;
        assert_eq!((reply.status, reply.text()), (201, GIB.to_string()));

        let mut client = begin(&process, &format!("{upload}Transfer-Encoding: chunked\r\n")).await;
        for _ in 0..GIB / (64 << 10) {
            client.get_mut().write_all(b"10000\r\n").await.unwrap();
            client.get_mut().write_all(&ZEROS).await.unwrap();
            client.get_mut().write_all(b"\r\n").await.unwrap();
        }
        client.get_mut().write_all(b"0\r\n\r\n").await.unwrap();
        let reply = super::read_reply(&mut client, false).await;
        assert_eq!((reply.status, reply.text()), (201, GIB.to_string()));
    };
    tokio::time::timeout(GIB_PATIENCE, all)
        .await
        .expect("two gibibytes in time");
    let peak = process.peak_kib();
    assert!(peak < PEAK_KIB, "{peak} KiB");
}

/// Sends a gibibyte and tells when nobody takes it any more, and how much was taken.
fn pouring(gone: &Arc<Notify>, poured: &Arc<AtomicU64>) -> Origin {
    let (gone, poured) = (Arc::clone(gone), Arc::clone(poured));
    Origin::connections(move |mut line, number| {
        let (gone, poured) = (Arc::clone(&gone), Arc::clone(&poured));
        async move {
            line.head().await;
            if number > 0 {
                line.write(GOOD).await;
                return line.gone().await;
            }
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {GIB}\r\n\r\n");
            line.write(head.as_bytes()).await;
            poured.store(pour(&mut line.stream, GIB).await, SeqCst);
            gone.notify_one();
        }
    })
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_download_at_the_origin() {
    for path in [BYTES, READ] {
        let (gone, poured) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
        let origin = pouring(&gone, &poured);
        let process = Process::start(&origin.url, &[]).await;
        let mut client = begin(&process, &format!("GET {path} HTTP/1.1\r\n")).await;
        head_of(&mut client).await;
        client.read_exact(&mut vec![0; 1 << 20]).await.unwrap();
        drop(client);
        tokio::time::timeout(PATIENCE, gone.notified())
            .await
            .expect("the origin is told");
        let poured = poured.load(SeqCst);
        assert!(
            poured < 64 << 20,
            "{path}: {poured} bytes were fetched for nobody"
        );
        assert_eq!(get(process.address(), path).await.good(), GOOD_BODY);
    }
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_no_upload_that_looks_complete() {
    for framing in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
        let (sender, mut seen) = tokio::sync::mpsc::channel(4);
        let origin = Origin::connections(move |mut line, _| {
            let sender = sender.clone();
            async move {
                let mut bytes = Vec::new();
                let _ = line.stream.read_to_end(&mut bytes).await;
                let _ = sender.send(bytes).await;
            }
        });
        let process = Process::start(&origin.url, &[]).await;
        let head = format!("POST /repos/octo-org/app/releases/1/assets HTTP/1.1\r\n{framing}\r\n");
        let mut client = begin(&process, &head).await;
        client.get_mut().write_all(b"5\r\nhello\r\n").await.unwrap();
        delay(Duration::from_millis(300)).await;
        drop(client);
        let bytes = tokio::time::timeout(PATIENCE, seen.recv())
            .await
            .unwrap()
            .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains("hello"), "{text}");
        assert!(!text.ends_with("0\r\n\r\n"), "{framing}: {text}");
    }
}

/// Ends in the middle of a body: with a close, or with a reset.
async fn breaks(mut line: Line, framing: &str, reset: bool) {
    line.head().await;
    line.write(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes())
        .await;
    for _ in 0..64 {
        if framing.starts_with('T') {
            line.write(b"10000\r\n").await;
        }
        line.write(&ZEROS).await;
        if framing.starts_with('T') {
            line.write(b"\r\n").await;
        }
    }
    if reset {
        // Else the reset overtakes the bytes.
        delay(Duration::from_millis(200)).await;
        line.reset();
    } else {
        line.end().await;
    }
}

#[tokio::test]
async fn a_download_that_ends_early_never_looks_complete() {
    for framing in ["Content-Length: 1073741824", "Transfer-Encoding: chunked"] {
        for reset in [false, true] {
            let origin = Origin::connections(move |mut line, number| async move {
                if number == 0 {
                    return breaks(line, framing, reset).await;
                }
                line.head().await;
                line.write(GOOD).await;
            });
            let front = Front::of(origin.url.clone());
            let broken = front.get(BYTES).await;
            assert_eq!(broken.status, 200);
            assert!(!broken.whole, "{framing} {reset}");
            assert_eq!(front.get(BYTES).await.good(), GOOD_BODY);
        }
    }
}
