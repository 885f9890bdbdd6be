//! The client of GitHub against real sockets on loopback.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use ghswarm::github::{
    Body, Call, Client, Config, Destination, Error, Late, Phase, Proxies, Refused,
};
use ghswarm_lab::fault::delay;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use url::Url;

const MIB: u64 = 1024 * 1024;

/// A server on loopback that answers each request with `answer`; its URL.
fn server<F, A>(answer: F) -> Url
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    connections(move |stream| {
        let answer = answer.clone();
        async move {
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    })
}

/// A server on loopback that does with each connection what `serve` says; its URL.
fn connections<F, A>(serve: F) -> Url
where
    F: Fn(TcpStream) -> A + Send + Sync + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    // Small buffers: else the kernel alone holds tens of megabytes, and hides whether we do.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.set_send_buffer_size(64 * 1024).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(128).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    url.parse().unwrap()
}

fn client(origin: Url) -> Client {
    Client::new(Config::new(origin)).unwrap()
}

fn call(method: Method, target: &str) -> Call {
    Call {
        method,
        host: "api.github.com".to_owned(),
        target: target.to_owned(),
        headers: HeaderMap::new(),
        body: Body::default(),
    }
}

fn get(target: &str) -> Call {
    call(Method::GET, target)
}

fn text(content: impl Into<Body>) -> Response<Body> {
    Response::new(content.into())
}

async fn read(response: Response<Body>) -> String {
    String::from_utf8(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    )
    .unwrap()
}

/// So many bytes, made one chunk at a time as they are asked for.
struct Stream {
    left: u64,
    exact: bool,
    alive: Arc<AtomicUsize>,
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let size = self.left.min(64 * 1024);
        self.left -= size;
        self.alive.fetch_add(usize::try_from(size).unwrap(), SeqCst);
        Poll::Ready((size > 0).then(|| {
            Ok(Frame::data(Bytes::from(vec![
                7;
                usize::try_from(size).unwrap()
            ])))
        }))
    }

    fn size_hint(&self) -> SizeHint {
        if self.exact {
            SizeHint::with_exact(self.left)
        } else {
            SizeHint::default()
        }
    }
}

/// Reads a body slowly at first, and tells how far its source ran ahead at most.
async fn drain(mut body: Body, made: &AtomicUsize) -> (u64, usize) {
    let (mut read, mut ahead) = (0, 0);
    while let Some(frame) = body.frame().await {
        if read == 0 {
            delay(Duration::from_millis(100)).await;
        }
        read += frame.unwrap().into_data().unwrap().len();
        ahead = ahead.max(made.load(SeqCst).saturating_sub(read));
    }
    (u64::try_from(read).unwrap(), ahead)
}

/// What may be between the two ends: the client's socket buffers, which Linux lets grow to some 4 MiB for
/// sending and 32 MiB for receiving, and a little of ours.
const IN_BETWEEN_UP: usize = 8 * 1024 * 1024;
const IN_BETWEEN_DOWN: usize = 36 * 1024 * 1024;

#[tokio::test]
async fn sixty_four_mebibytes_down_are_never_held() {
    let made = Arc::new(AtomicUsize::new(0));
    let origin = server({
        let made = Arc::clone(&made);
        move |_| {
            let stream = Stream {
                left: 64 * MIB,
                exact: true,
                alive: Arc::clone(&made),
            };
            async move { text(Body::wrap(stream)) }
        }
    });
    let response = client(origin).send(get("/zipball")).await.unwrap();
    assert_eq!(response.headers()["content-length"], (64 * MIB).to_string());
    assert_eq!(response.body().size_hint().exact(), Some(64 * MIB));
    let (read, ahead) = drain(response.into_body(), &made).await;
    assert_eq!(read, 64 * MIB);
    assert!(ahead < IN_BETWEEN_DOWN, "{ahead} bytes were held");
}

#[tokio::test]
async fn sixty_four_mebibytes_up_keep_their_length_or_go_in_chunks() {
    let made = Arc::new(AtomicUsize::new(0));
    let origin = server({
        let made = Arc::clone(&made);
        move |request: Request<Incoming>| {
            let made = Arc::clone(&made);
            async move {
                let head = format!(
                    "{:?} {:?}",
                    request.headers().get("content-length"),
                    request.headers().get("transfer-encoding")
                );
                let (read, ahead) = drain(Body::wrap(request.into_body()), &made).await;
                assert!(ahead < IN_BETWEEN_UP, "{ahead} bytes were held");
                text(format!("{read} {head}"))
            }
        }
    });
    let client = client(origin);
    for (exact, head) in [
        (true, "Some(\"67108864\") None"),
        (false, "None Some(\"chunked\")"),
    ] {
        made.store(0, SeqCst);
        let stream = Stream {
            left: 64 * MIB,
            exact,
            alive: Arc::clone(&made),
        };
        let upload = Call {
            body: Body::wrap(stream),
            ..call(Method::POST, "/assets")
        };
        assert_eq!(
            read(client.send(upload).await.unwrap()).await,
            format!("{} {head}", 64 * MIB)
        );
    }
}

#[tokio::test]
async fn what_goes_upstream_is_what_the_client_sent_less_its_connection() {
    let origin = server(|request: Request<Incoming>| async move {
        let mut lines = vec![format!("{} {}", request.method(), request.uri())];
        lines.extend(
            request
                .headers()
                .iter()
                .map(|(name, value)| format!("{name}={}", value.to_str().unwrap())),
        );
        lines[1..].sort();
        text(lines.join("\n"))
    });
    let authority = origin.authority().to_owned();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("host", "localhost:1234"),
        ("user-agent", "curl/8.0"),
        ("connection", "close, x-mine"),
        ("x-mine", "1"),
        ("authorization", "token ghp_1"),
        ("accept", "application/vnd.github+json"),
        ("if-none-match", "W/\"1\""),
        ("x-twice", "b"),
        ("x-twice", "a"),
    ] {
        headers.append(name, value.parse().unwrap());
    }
    let sent = Call {
        headers,
        ..get("/repos/o/r?a=%2f&b=[c|d]")
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        read(client(origin).send(sent).await.unwrap()).await,
        format!(
            "GET /repos/o/r?a=%2f&b=[c|d]\naccept=application/vnd.github+json\n\
             authorization=token ghp_1\nhost={authority}\nif-none-match=W/\"1\"\n\
             user-agent=ghswarm/{version}\nx-twice=a\nx-twice=b"
        )
    );
}

#[tokio::test]
async fn answers_come_back_as_they_are() {
    let origin = server(|request: Request<Incoming>| async move {
        let mut response = text(&b"\x1f\x8b not really gzip"[..]);
        let headers = response.headers_mut();
        headers.insert("content-encoding", "gzip".parse().unwrap());
        headers.insert("set-cookie", "a=b".parse().unwrap());
        headers.insert("keep-alive", "timeout=5".parse().unwrap());
        headers.insert(
            "x-had-cookie",
            request
                .headers()
                .contains_key("cookie")
                .to_string()
                .parse()
                .unwrap(),
        );
        if request.uri().path() == "/moved" {
            headers.insert("location", "/elsewhere".parse().unwrap());
            *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
        }
        response
    });
    let client = client(origin);
    for (target, status) in [("/moved", 301), ("/zipped", 200)] {
        let response = client.send(get(target)).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-encoding"], "gzip");
        assert_eq!(response.headers()["content-length"], "18");
        assert_eq!(response.headers()["x-had-cookie"], "false");
        assert!(!response.headers().contains_key("keep-alive"));
        assert_eq!(
            &*response.into_body().collect().await.unwrap().to_bytes(),
            b"\x1f\x8b not really gzip"
        );
    }
}

#[tokio::test]
async fn hosts_that_are_not_public_are_refused_at_once_or_when_they_resolve() {
    let asked = Arc::new(AtomicUsize::new(0));
    let origin = connections({
        let asked = Arc::clone(&asked);
        move |_| {
            asked.fetch_add(1, SeqCst);
            async {}
        }
    });
    let port = origin.port().unwrap();
    let client = Client::new(Config::default()).unwrap();
    for host in [
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("2130706433:{port}"),
        "169.254.169.254".to_owned(),
        "metadata.google.internal".to_owned(),
    ] {
        let error = client
            .send(Call {
                host: host.clone(),
                ..get("/")
            })
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::Refused(Refused::Private)),
            "{host}: {error:?}"
        );
        assert_eq!(
            client.destination(&host),
            Destination::Refused(Refused::Private)
        );
    }
    assert_eq!(asked.load(SeqCst), 0);
}

/// Reads a request's head from a raw connection.
async fn head(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => bytes.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// A server that answers the first request of each connection and drops it at the second; counts requests.
fn forgetful(asked: Arc<AtomicUsize>) -> Url {
    connections(move |mut stream| {
        let asked = Arc::clone(&asked);
        async move {
            for round in 0..2 {
                if head(&mut stream).await.is_empty() {
                    return;
                }
                asked.fetch_add(1, SeqCst);
                if round == 0 {
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                        .await;
                }
            }
        }
    })
}

#[tokio::test]
async fn a_connection_that_died_costs_a_safe_request_nothing() {
    let asked = Arc::new(AtomicUsize::new(0));
    let client = client(forgetful(Arc::clone(&asked)));
    for _ in 0..2 {
        assert_eq!(read(client.send(get("/user")).await.unwrap()).await, "ok");
    }
    assert_eq!(asked.load(SeqCst), 3, "the second was sent twice");
    // The one that was sent again had a connection of its own; this one leaves another that will die.
    assert_eq!(read(client.send(get("/user")).await.unwrap()).await, "ok");
    // A write may have had its effect: it is not sent again.
    let error = client
        .send(Call {
            body: "x".into(),
            ..call(Method::POST, "/x")
        })
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Broken(_)), "{error:?}");
    assert_eq!(asked.load(SeqCst), 5);
}

#[tokio::test]
async fn an_error_of_the_server_is_an_answer_and_not_a_reason_to_try_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let origin = server({
        let asked = Arc::clone(&asked);
        move |_| {
            asked.fetch_add(1, SeqCst);
            async {
                let mut response = text("busy");
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }
        }
    });
    assert_eq!(
        client(origin).send(get("/")).await.unwrap().status(),
        StatusCode::BAD_GATEWAY
    );
    assert_eq!(asked.load(SeqCst), 1);
}

#[tokio::test]
async fn nobody_listens_and_the_error_tells_no_secrets() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let origin: Url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    drop(listener);
    let error = client(origin)
        .send(get("/blob?sig=topsecret"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "cannot connect to api.github.com: the connection was refused"
    );
    assert!(!format!("{error:?}").contains("topsecret"), "{error:?}");
}

fn impatient(origin: Url) -> Client {
    Client::new(Config {
        head_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(200),
        ..Config::new(origin)
    })
    .unwrap()
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let origin = connections(|mut stream| async move { while stream.read_u8().await.is_ok() {} });
    let begin = Instant::now();
    let error = impatient(origin).send(get("/")).await.unwrap_err();
    let late = Late {
        host: "api.github.com".to_owned(),
        phase: Phase::Head,
    };
    assert!(matches!(error, Error::Timeout(it) if it == late));
    assert!(begin.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_body_that_falls_silent_is_given_up_but_a_slow_reader_is_not() {
    let origin = connections(|mut stream| async move {
        head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello")
            .await;
        delay(Duration::from_secs(30)).await;
    });
    let mut body = impatient(origin).send(get("/")).await.unwrap().into_body();
    delay(Duration::from_millis(400)).await;
    assert_eq!(
        body.frame().await.unwrap().unwrap().into_data().unwrap(),
        "hello"
    );
    assert!(body.frame().await.unwrap().is_err());
}

/// So many bytes, with a pause before each.
struct Slow {
    left: usize,
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
}

impl http_body::Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let pause = || -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
            Box::pin(delay(Duration::from_millis(120)))
        };
        ready!(self.pause.get_or_insert_with(pause).as_mut().poll(cx));
        self.pause = None;
        let Some(left) = self.left.checked_sub(1) else {
            return Poll::Ready(None);
        };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

#[tokio::test]
async fn an_upload_may_take_longer_than_the_answer() {
    let origin = server(|request: Request<Incoming>| async move {
        let length = request
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .len();
        text(length.to_string())
    });
    let body = Slow {
        left: 5,
        pause: None,
    };
    let upload = Call {
        body: Body::wrap(body),
        ..call(Method::POST, "/")
    };
    assert_eq!(
        read(impatient(origin).send(upload).await.unwrap()).await,
        "5"
    );
}

#[tokio::test]
async fn more_calls_than_seats_wait_for_their_turn() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let origin = server({
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        move |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                delay(Duration::from_millis(20)).await;
                now.fetch_sub(1, SeqCst);
                text("ok")
            }
        }
    });
    let client = Client::new(Config {
        concurrency: 2,
        ..Config::new(origin)
    })
    .unwrap();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { read(client.send(get("/")).await.unwrap()).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "ok");
    }
    assert_eq!(most.load(SeqCst), 2);
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_for_hosts_elsewhere_alone() {
    let (sender, mut asked) = tokio::sync::mpsc::channel(8);
    let proxy = connections(move |mut stream| {
        let sender = sender.clone();
        async move {
            let _ = sender.send(head(&mut stream).await).await;
            let _ = stream
                .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
    });
    let with_secret = proxy
        .as_str()
        .replace("http://", "http://user:proxysecret@");
    let origin = server(|_| async { text("direct") });
    let mut config = Config::new(origin);
    config.proxies = Proxies::of(|name| (name == "ALL_PROXY").then_some(&*with_secret));
    let client = Client::new(config).unwrap();
    assert_eq!(read(client.send(get("/")).await.unwrap()).await, "direct");
    let elsewhere = Call {
        host: "codeload.github.com".to_owned(),
        ..get("/?sig=topsecret")
    };
    let error = client.send(elsewhere).await.unwrap_err();
    assert!(matches!(error, Error::Connect(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    let refused = Call {
        host: "10.0.0.1".to_owned(),
        ..get("/")
    };
    assert!(matches!(
        client.send(refused).await,
        Err(Error::Refused(Refused::Private))
    ));
    let first = asked.recv().await.unwrap();
    assert!(
        first.starts_with("CONNECT codeload.github.com:443 HTTP/1.1\r\n"),
        "{first}"
    );
    assert!(
        asked.try_recv().is_err(),
        "a refusal lasts: it is asked for once"
    );
}
