//! The proxies of corporate networks: CONNECT for TLS, whole URLs for the rest, and their bad days.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::origin::{GOOD, GOOD_BODY};
use super::process::Process;
use super::tls::{NAME, Tls};
use super::{Front, READ, Reply, ask, get, quick};
use crate::needs;

/// What a proxy does.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// Tunnels to this port of loopback, whatever host is named.
    Tunnel(u16),
    /// Tunnels for who knows the password of `user`.
    Guarded(u16),
    /// Answers a whole URL by itself.
    Answer,
    /// Says this.
    Say(&'static str),
    /// Hangs up.
    Reset,
    /// Says nothing.
    Wait,
}

/// A proxy, and the heads that it has read.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

/// `user:pass word` in base64.
const CREDENTIALS: &str = "Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=";
const PASSWORD: &str = "pass%20word";

impl Proxy {
    async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, does, Arc::clone(&seen)));
            }
        });
        Self { address, heads }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn url_with_password(&self) -> String {
        format!("http://user:{PASSWORD}@{}", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, does: Does, seen: Arc<Mutex<Vec<String>>>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let Ok(byte) = stream.read_u8().await else {
                return;
            };
            head.push(byte);
        }
        let head = String::from_utf8(head).unwrap();
        seen.lock().unwrap().push(head.clone());
        let to = match does {
            Does::Guarded(_) if !head.to_lowercase().contains(&CREDENTIALS.to_lowercase()) => {
                let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\n\
                    Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(refusal.as_bytes()).await;
                return;
            }
            Does::Tunnel(port) | Does::Guarded(port) => port,
            Does::Answer => {
                stream.write_all(GOOD).await.unwrap();
                continue;
            }
            Does::Say(words) => {
                let _ = stream.write_all(words.as_bytes()).await;
                return;
            }
            Does::Reset => return stream.set_zero_linger().unwrap(),
            Does::Wait => return std::future::pending().await,
        };
        let mut origin = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await
            .unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut origin).await;
        return;
    }
}

#[tokio::test]
async fn github_is_reached_through_the_networks_proxy_and_its_password_stays_secret() {
    let Some(tls) = Tls::start(&format!("DNS:{NAME}"), "2").await else {
        return needs::skip("openssl");
    };
    for (variable, guarded) in [
        ("HTTPS_PROXY", true),
        ("https_proxy", false),
        ("ALL_PROXY", true),
        ("all_proxy", false),
    ] {
        let does = if guarded {
            Does::Guarded(tls.port)
        } else {
            Does::Tunnel(tls.port)
        };
        let proxy = Proxy::start(does).await;
        let url = if guarded {
            proxy.url_with_password()
        } else {
            proxy.url()
        };
        let origin = format!("https://{NAME}").parse().unwrap();
        let authority = tls.authority();
        let process =
            Process::start(&origin, &[(variable, &url), ("SSL_CERT_FILE", &authority)]).await;
        assert_eq!(
            get(process.address(), READ).await.good(),
            GOOD_BODY,
            "{variable}"
        );
        let heads = proxy.heads();
        assert!(
            heads[0].starts_with(&format!("CONNECT {NAME}:443 HTTP/1.1\r\n")),
            "{heads:?}"
        );
        assert!(
            !heads[0].contains("ghp_story"),
            "the proxy sees no token: {heads:?}"
        );
        assert!(get(process.address(), READ).await.cache().contains("hit"));
        for traces in [process.traces()] {
            for secret in [PASSWORD, "pass word", "dXNlcjpwYXNzIHdvcmQ"] {
                assert!(!traces.contains(secret), "{variable}: {secret} in {traces}");
            }
        }
    }
}

/// Over a raw origin by name, which is never looked up: the proxy does that.
#[tokio::test]
async fn a_plain_origin_goes_through_http_proxy_as_a_whole_url() {
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let proxy = Proxy::start(Does::Answer).await;
        let origin = "http://ghes.ghswarm.test".parse().unwrap();
        let process = Process::start(&origin, &[(variable, &proxy.url_with_password())]).await;
        assert_eq!(
            get(process.address(), READ).await.good(),
            GOOD_BODY,
            "{variable}"
        );
        let heads = proxy.heads();
        assert!(
            heads[0].starts_with(&format!("GET http://ghes.ghswarm.test{READ} HTTP/1.1\r\n")),
            "{heads:?}"
        );
        assert!(
            heads[0]
                .to_lowercase()
                .contains(&CREDENTIALS.to_lowercase()),
            "{heads:?}"
        );
    }
}

#[tokio::test]
async fn what_no_proxy_names_and_what_is_on_this_machine_is_asked_directly() {
    let proxy = Proxy::start(Does::Answer).await;
    let url = proxy.url();
    let origin = super::origin::Origin::once(GOOD);
    let everything = [
        ("HTTP_PROXY", &*url),
        ("HTTPS_PROXY", &url),
        ("ALL_PROXY", &url),
    ];
    // Loopback, without a word in NO_PROXY.
    let process = Process::start(&origin.url, &everything).await;
    assert_eq!(get(process.address(), READ).await.good(), GOOD_BODY);
    assert_eq!((origin.count(), proxy.heads().len()), (1, 0));
    // A name that does not exist, so it could only be the proxy that answers.
    for (no, name) in [
        ("NO_PROXY", "ghswarm.test"),
        ("no_proxy", "example.org, .ghswarm.test"),
    ] {
        let named = "http://ghes.ghswarm.test".parse().unwrap();
        let process = Process::start(&named, &[("HTTP_PROXY", &url), (no, name)]).await;
        not_found(&get(process.address(), READ).await);
        assert_eq!(proxy.heads().len(), 0);
    }
}

/// The daemon has looked for the name by itself; a slow resolver may have cost it its patience.
#[track_caller]
fn not_found(reply: &Reply) {
    let message = reply.failure(reply.status);
    let said = [
        "its name has no address",
        "did not accept a connection in time",
    ];
    assert!(said.iter().any(|said| message.contains(said)), "{message}");
}

/// A daemon of this process whose GitHub is behind `proxy`.
fn behind(proxy: &str) -> Front {
    let url = proxy.to_owned();
    let mut github = quick(format!("https://{NAME}").parse().unwrap());
    github.proxies = ghswarm::github::Proxies::of(|name| (name == "HTTPS_PROXY").then_some(&*url));
    Front::with(github)
}

#[tokio::test]
async fn a_proxy_that_will_not_or_cannot_is_an_error_that_says_what_to_do() {
    for (does, status, said) in [
        (Does::Guarded(1), 502, "user name and password"),
        (
            Does::Say("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
            502,
            "refused",
        ),
        (
            Does::Say("HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\n\r\n"),
            502,
            "refused",
        ),
        (Does::Say("SSH-2.0-OpenSSH_9.2\r\n"), 502, "refused"),
        (Does::Say(""), 502, "broke off"),
        (Does::Reset, 502, "broke off"),
        (Does::Wait, 504, "in time"),
    ] {
        let proxy = Proxy::start(does).await;
        // A wrong password, where there is one.
        let url = format!("http://user:wrong-secret@{}", proxy.address);
        let front = behind(&url);
        let began = Instant::now();
        let message = front.get(READ).await.failure(status);
        assert!(message.contains(said), "{does:?}: {message}");
        assert!(
            !message.contains("secret") && !message.contains("127.0.0.1"),
            "{message}"
        );
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{does:?}: {:?}",
            began.elapsed()
        );
        let expected = if matches!(does, Does::Reset | Does::Say("")) {
            2
        } else {
            1
        };
        assert_eq!(
            proxy.heads().len(),
            expected,
            "{does:?}: what lasts is not tried twice"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_is_down_is_an_error_and_not_a_reason_to_go_without() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let front = behind(&format!("http://{address}"));
    let message = front.get(READ).await.failure(502);
    assert!(message.contains("proxy"), "{message}");
    // It comes back, and so does the next request.
    let listener = TcpListener::bind(address).await.unwrap();
    let seen = Arc::default();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let does = Does::Say("HTTP/1.1 403 Forbidden\r\n\r\n");
            tokio::spawn(serve(stream, does, Arc::clone(&seen)));
        }
    });
    assert!(front.get(READ).await.failure(502).contains("refused"));
}

/// A job that sends its clients through us has our address in `HTTPS_PROXY`, and so have we after a
/// restart. We would ask ourselves.
#[tokio::test]
async fn our_own_address_as_the_proxy_is_left_out_and_said() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = free.local_addr().unwrap();
    drop(free);
    let proxy = format!("http://user:secretword@localhost:{}", listen.port());
    let process = Process::with(
        &[
            "--listen",
            &listen.to_string(),
            "--origin",
            "http://ghes.ghswarm.test",
        ],
        &[("HTTP_PROXY", &proxy), ("https_proxy", &proxy)],
    )
    .await;
    not_found(&get(process.address(), READ).await);
    let traces = process.traces();
    assert!(
        traces.contains("HTTP_PROXY is this daemon's own address"),
        "{traces}"
    );
    assert!(!traces.contains("secretword"), "{traces}");
}

/// Two daemons that are each other's proxy, or any other of our kind in between: it ends at the first.
#[tokio::test]
async fn another_daemon_is_no_proxy_for_tunnels() {
    let other = Front::of("http://127.0.0.1:9".parse().unwrap());
    let front = behind(&format!("http://{}", other.address()));
    let message = front.get(READ).await.failure(502);
    assert!(message.contains("proxy"), "{message}");
}

#[tokio::test]
async fn private_addresses_are_refused_before_any_proxy_is_asked() {
    let proxy = Proxy::start(Does::Say("HTTP/1.1 200 OK\r\n\r\n")).await;
    let url = proxy.url();
    let mut github = quick("http://127.0.0.1:9".parse().unwrap());
    github.proxies = ghswarm::github::Proxies::of(|name| (name == "ALL_PROXY").then_some(&*url));
    let client = ghswarm::github::Client::new(github).unwrap();
    for host in [
        "10.0.0.1",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "metadata.google.internal",
    ] {
        let call = ghswarm::github::Call {
            method: http::Method::GET,
            host: host.to_owned(),
            target: "/".to_owned(),
            headers: http::HeaderMap::new(),
            body: ghswarm::github::Body::default(),
        };
        let error = client.send(call).await.unwrap_err();
        assert!(
            matches!(error, ghswarm::github::Error::Refused(_)),
            "{host}: {error}"
        );
    }
    assert!(proxy.heads().is_empty());
}

#[tokio::test]
async fn a_proxy_variable_that_makes_no_sense_stops_the_start_and_is_not_repeated() {
    let mut github = quick("https://api.github.com".parse().unwrap());
    github.proxies =
        ghswarm::github::Proxies::of(|name| (name == "HTTPS_PROXY").then_some("ftp://u:secret@p"));
    let error = ghswarm::github::Client::new(github).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("HTTPS_PROXY") && !text.contains("secret"),
        "{text}"
    );
}

/// With `SOCKS`, the same.
#[tokio::test]
async fn a_socks_proxy_is_spoken_to_in_its_own_language() {
    let Some(tls) = Tls::start(&format!("DNS:{NAME}"), "2").await else {
        return needs::skip("openssl");
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let port = tls.port;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // RFC 1928: no authentication, then a name of so many bytes and a port.
                let mut greeting = [0; 2];
                stream.read_exact(&mut greeting).await.unwrap();
                stream
                    .read_exact(&mut vec![0; greeting[1].into()])
                    .await
                    .unwrap();
                stream.write_all(&[5, 0]).await.unwrap();
                let mut request = [0; 5];
                stream.read_exact(&mut request).await.unwrap();
                assert_eq!(request[3], 3, "a name, which the proxy resolves");
                stream
                    .read_exact(&mut vec![0; usize::from(request[4]) + 2])
                    .await
                    .unwrap();
                stream
                    .write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 1])
                    .await
                    .unwrap();
                let mut origin = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut origin).await;
            });
        }
    });
    let origin = format!("https://{NAME}").parse().unwrap();
    let proxy = format!("socks5h://{address}");
    let authority = tls.authority();
    let variables = [("ALL_PROXY", &*proxy), ("SSL_CERT_FILE", &authority)];
    let process = Process::start(&origin, &variables).await;
    let reply = ask(process.address(), &format!("GET {READ} HTTP/1.1\r\n"), b"").await;
    assert_eq!(reply.good(), GOOD_BODY);
}
