//! IPv6, hosts of which one address is dead, and DNS on its bad days.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use ghswarm::github::{self, Client, Error, Refused, Resolver};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use super::origin::{GOOD, GOOD_BODY};
use super::process::Process;
use super::{BYTES, Front, READ, absent, ask_as, get, quick};
use crate::needs;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// A listener on `[::1]`, if there is one.
async fn on_v6(port: u16) -> Option<TcpListener> {
    TcpListener::bind((V6, port)).await.ok()
}

/// Answers every request with `answer`.
fn answers(listener: TcpListener, answer: Vec<u8>) {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while let Ok(byte) = stream.read_u8().await {
                    head.push(byte);
                    if head.ends_with(b"\r\n\r\n") {
                        head.clear();
                        let _ = stream.write_all(&answer).await;
                    }
                }
            });
        }
    });
}

#[tokio::test]
async fn a_machine_with_ipv6_alone_has_it_at_both_ends() {
    let Some(listener) = on_v6(0).await else {
        return absent("IPv6");
    };
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let list = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: max-age=60\r\n\
         Link: <{origin}/repos/octo-org/app/issues?page=2>; rel=\"next\"\r\nContent-Length: 2\r\n\r\n[]"
    );
    answers(listener, list.into_bytes());
    let process = Process::with(&["--listen", "[::1]:0", "--origin", &origin], &[]).await;
    let own = process.address();
    assert!(
        own.is_ipv6() && process.ready["api_url"] == format!("http://{own}"),
        "{own}"
    );
    for host in [own.to_string(), format!("localhost:{}", own.port())] {
        for _ in 0..2 {
            let head = "GET /repos/octo-org/app/issues HTTP/1.1\r\nAuthorization: token t\r\n";
            let reply = ask_as(own, &host, head, b"").await;
            assert_eq!(reply.good(), "[]");
            let next = format!("<http://{host}/repos/octo-org/app/issues?page=2>; rel=\"next\"");
            assert_eq!(reply.field("link"), Some(&*next));
        }
    }
    let stranger = ask_as(own, "[::2]:80", "GET / HTTP/1.1\r\n", b"").await;
    stranger.failure(403);
}

/// A daemon whose GitHub is `name`, at the addresses that `resolver` gives.
fn named(port: u16, resolver: Resolver) -> Front {
    let mut github = quick(format!("http://ghes.ghswarm.test:{port}").parse().unwrap());
    github.resolver = resolver;
    Front::with(github)
}

fn always(addresses: &'static [IpAddr]) -> Resolver {
    Resolver::given(move |_| Box::pin(async move { Ok(addresses.to_vec()) }))
}

#[tokio::test]
async fn of_a_hosts_addresses_the_one_that_lives_is_found() {
    if on_v6(0).await.is_none() {
        return absent("IPv6");
    }
    for (lives, addresses) in [
        (V4, &[V6, V4][..]),
        (V6, &[V4, V6]),
        (V4, &[V4]),
        (V6, &[V6]),
        (V4, &[V6, V6, V6, V4]),
    ] {
        let listener = TcpListener::bind((lives, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        answers(listener, GOOD.to_vec());
        let front = named(port, always(addresses));
        assert_eq!(front.get(READ).await.good(), GOOD_BODY, "{addresses:?}");
    }
}

/// An address that swallows every connection: nobody accepts, and the queue is full.
async fn black_hole(address: SocketAddr) -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v6().unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(0).unwrap();
    let mut queue = Vec::new();
    loop {
        let next = TcpStream::connect(address);
        match tokio::time::timeout(Duration::from_millis(300), next).await {
            Ok(stream) => queue.push(stream.unwrap()),
            Err(_) => return (listener, queue),
        }
    }
}

#[tokio::test]
async fn an_address_that_swallows_packets_costs_a_moment_and_not_the_answer() {
    if on_v6(0).await.is_none() {
        return absent("IPv6");
    }
    let listener = TcpListener::bind((V4, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    answers(listener, GOOD.to_vec());
    let _hole = black_hole((V6, port).into()).await;
    let front = named(port, always(&[V6, V4]));
    let began = Instant::now();
    assert_eq!(front.get(READ).await.good(), GOOD_BODY);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    // Alone it is an error after the time limit, and not for ever.
    let alone = named(port, always(&[V6]));
    let message = alone.get(READ).await.failure(504);
    assert!(
        message.contains("did not accept a connection in time"),
        "{message}"
    );
}

#[tokio::test]
async fn dns_that_fails_is_an_error_and_forgotten_when_it_is_back() {
    let listener = TcpListener::bind((V4, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    answers(listener, GOOD.to_vec());
    let mood = Arc::new(AtomicUsize::new(0));
    let asked = Arc::new(AtomicUsize::new(0));
    let front = named(
        port,
        Resolver::given({
            let (mood, asked) = (Arc::clone(&mood), Arc::clone(&asked));
            move |name| {
                assert_eq!(name, "ghes.ghswarm.test");
                asked.fetch_add(1, SeqCst);
                let mood = mood.load(SeqCst);
                Box::pin(async move {
                    match mood {
                        0 => Err(io::Error::other("Name or service not known")),
                        1 => Ok(Vec::new()),
                        2 => std::future::pending().await,
                        _ => Ok(vec![V4]),
                    }
                })
            }
        }),
    );
    for (failing, status, said) in [
        (0, 502, "its name has no address"),
        (1, 502, "its name has no address"),
        (2, 504, "did not accept a connection in time"),
    ] {
        mood.store(failing, SeqCst);
        asked.store(0, SeqCst);
        let began = Instant::now();
        for path in [READ, BYTES] {
            let message = front.get(path).await.failure(status);
            assert!(message.contains(said), "{message}");
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?}",
            began.elapsed()
        );
        assert!(asked.load(SeqCst) <= 4, "twice for each at most");
    }
    mood.store(3, SeqCst);
    assert_eq!(front.get(READ).await.good(), GOOD_BODY);
}

/// What was judged is what is connected to: a name that means another place a moment later gains nothing.
#[tokio::test]
async fn a_name_that_changes_to_a_private_address_is_refused_at_that_moment() {
    let listener = TcpListener::bind((V4, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let private: [IpAddr; 7] = [
        V4,
        V6,
        "::ffff:127.0.0.1".parse().unwrap(),
        "64:ff9b::7f00:1".parse().unwrap(),
        "fe80::1".parse().unwrap(),
        "fd00::1".parse().unwrap(),
        "169.254.169.254".parse().unwrap(),
    ];
    let call = || github::Call {
        method: http::Method::GET,
        host: format!("rebind.ghswarm.test:{port}"),
        target: "/".to_owned(),
        headers: http::HeaderMap::new(),
        body: github::Body::default(),
    };
    let turn = Arc::new(AtomicUsize::new(0));
    let mut config = quick("http://127.0.0.1:9".parse().unwrap());
    config.resolver = Resolver::given({
        let turn = Arc::clone(&turn);
        move |_| {
            let turn = turn.fetch_add(1, SeqCst);
            Box::pin(async move {
                // First a failure, as of a name that is not there yet; then one private address each.
                let found = turn.checked_sub(1).and_then(|turn| private.get(turn));
                found
                    .map(|&ip| vec![ip])
                    .ok_or_else(|| io::Error::other("SERVFAIL"))
            })
        }
    });
    let client = Client::new(config).unwrap();
    // The failure is tried twice, and the second time there is an address.
    assert!(matches!(
        client.send(call()).await,
        Err(Error::Refused(Refused::Private))
    ));
    for _ in &private[1..] {
        let error = client.send(call()).await.unwrap_err();
        assert!(
            matches!(error, Error::Refused(Refused::Private)),
            "{error:?}"
        );
    }
    let arrived = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(arrived.is_err(), "nobody was connected to");
}

/// Says that a process is the child of a story, in a network of its own.
const CHILD: &str = "GHSWARM_TEST_NAMESPACE";

#[tokio::test]
async fn the_systems_resolver_may_be_silent_wrong_and_back() {
    let Some(unshare) = needs::program("unshare") else {
        return absent("namespaces");
    };
    let may = tokio::process::Command::new(&unshare)
        .args(["-nm", "true"])
        .output()
        .await;
    let has_file = Path::new("/etc/resolv.conf").exists() && needs::program("ip").is_some();
    if !has_file || !may.is_ok_and(|output| output.status.success()) {
        return absent("namespaces");
    }
    let output = tokio::process::Command::new(unshare)
        .arg("-nm")
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "faults_upstream::addresses::inside_a_namespace",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A DNS server that answers as `mood` says: 0 not at all, 1 that there is no such name, 2 with nothing,
/// 3 with 127.0.0.1.
async fn dns(mood: Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:53").await.unwrap();
    let mut room = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut room).await {
        let mood = mood.load(SeqCst);
        let query = &room[..length];
        // Header, name, type and class; what follows is EDNS.
        let name = query[12..].iter().position(|&byte| byte == 0).unwrap() + 13;
        let (is_a, question) = (query[name + 1] == 1, &query[..name + 4]);
        let answers = u8::from(mood == 3 && is_a);
        let code = if mood == 1 { 3 } else { 0 };
        let mut reply = question.to_vec();
        reply[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
        if answers == 1 {
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
        }
        if mood > 0 {
            socket.send_to(&reply, from).await.unwrap();
        }
    }
}

/// Runs as a process of its own; see [`the_systems_resolver_may_be_silent_wrong_and_back`].
#[tokio::test]
async fn inside_a_namespace() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a story tells its child what it is"
    )]
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("resolv.conf");
    #[expect(clippy::disallowed_methods, reason = "nobody else reads it")]
    std::fs::write(
        &file,
        "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    for command in [
        &["ip", "link", "set", "lo", "up"][..],
        &["mount", "--bind", file, "/etc/resolv.conf"],
    ] {
        let output = tokio::process::Command::new(command[0])
            .args(&command[1..])
            .output();
        let output = output.await.unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let mood = Arc::new(AtomicUsize::new(0));
    tokio::spawn(dns(Arc::clone(&mood)));
    let listener = TcpListener::bind((V4, 0)).await.unwrap();
    let origin = format!(
        "http://ghes.ghswarm.test:{}",
        listener.local_addr().unwrap().port()
    );
    answers(listener, GOOD.to_vec());
    let process = Process::start(&origin.parse().unwrap(), &[]).await;
    for failing in 0..3 {
        mood.store(failing, SeqCst);
        let began = Instant::now();
        let message = get(process.address(), READ).await.failure(502);
        assert!(message.contains("does DNS work?"), "{message}");
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?}",
            began.elapsed()
        );
    }
    mood.store(3, SeqCst);
    assert_eq!(get(process.address(), READ).await.good(), GOOD_BODY);
    // Kept connections and kept answers need no DNS.
    mood.store(0, SeqCst);
    assert!(get(process.address(), READ).await.cache().contains("hit"));
    assert_eq!(get(process.address(), BYTES).await.good(), GOOD_BODY);
}
