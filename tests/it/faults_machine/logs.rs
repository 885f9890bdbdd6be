//! What the log says, what it never says, and how long it may become.

use std::fs;
use std::io::Write as _;

use ghswarm_lab::Matcher;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use super::machine::{Client, HELLO, Machine, Served, signal};

/// What must not be in any line. Written so that each can be told apart.
const SECRETS: [&str; 12] = [
    "ghp_inTheHeader0123456789",
    "ghs_malformedWithoutScheme",
    "inTheQueryAccessToken",
    "inTheQueryClientSecret",
    "inTheSignature",
    "inTheCookie",
    "inTheUserinfo",
    "ghp_inThePath",
    "inTheLegacyPath",
    "inTheGraphqlVariables",
    "inTheNamedValue",
    "inTheProxyPassword",
];

/// Sends a request as it is, and waits for whatever comes.
async fn send(served: &Served, request: &str) -> u16 {
    let mut client = served.connect().await;
    let request = request.replace("HOST", served.address());
    client.write(request).await;
    client.answer().await.status()
}

fn post(path: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: HOST\r\n{fields}Content-Length: {length}\r\n\r\n{body}")
}

/// Every way in which a secret comes into a daemon.
async fn tell_secrets(machine: &Machine, served: &Served) {
    let token = format!("Authorization: {}\r\n", machine.token.authorization());
    let bad = format!("Authorization: token {}\r\n", SECRETS[0]);
    for fields in [token.as_str(), token.as_str(), bad.as_str()] {
        let cookie = format!("Cookie: session={}\r\n", SECRETS[5]);
        send(
            served,
            &format!("GET {HELLO} HTTP/1.1\r\nHost: HOST\r\n{fields}{cookie}\r\n"),
        )
        .await;
    }
    let malformed = format!("Authorization: {}\r\n", SECRETS[1]);
    let heads = [
        format!("GET {HELLO} HTTP/1.1\r\nHost: HOST\r\n{malformed}\r\n"),
        format!(
            "GET /user?access_token={} HTTP/1.1\r\nHost: HOST\r\n{token}\r\n",
            SECRETS[2]
        ),
        format!(
            "GET {HELLO}?client_secret={} HTTP/1.1\r\nHost: HOST\r\n\r\n",
            SECRETS[3]
        ),
        format!(
            "GET /x.zip?sig={}&se=1 HTTP/1.1\r\nHost: HOST\r\n\r\n",
            SECRETS[4]
        ),
        format!(
            "GET http://me:{}@api.github.com/user HTTP/1.1\r\nHost: api.github.com\r\n\r\n",
            SECRETS[6]
        ),
        format!(
            "DELETE /x/{} HTTP/1.1\r\nHost: HOST\r\n{token}\r\n",
            SECRETS[7]
        ),
        format!(
            "GET /applications/1/tokens/{} HTTP/1.1\r\nHost: HOST\r\n\r\n",
            SECRETS[8]
        ),
        format!("GET /{} broken\r\nHost: HOST\r\n{bad}\r\n", SECRETS[2]),
        post(
            "/graphql",
            &token,
            &format!(
                "{{\"query\":\"{{viewer{{login}}}}\",\"variables\":{{\"x\":\"{}\"}}}}",
                SECRETS[9]
            ),
        ),
    ];
    for head in heads {
        assert!(send(served, &head).await >= 200);
    }
}

/// Administration: a named value, over the socket and with the token of its port, right and wrong.
async fn tell_secrets_to_administration(machine: &Machine, served: &Served) {
    let put = machine.run(&["cache", "put", "key", SECRETS[10]]).await;
    assert_eq!(put.code, 0, "{}", put.stderr);
    let admin = fs::read_to_string(machine.state_dir().join("admin-token")).unwrap();
    let url = served.ready["admin_url"]
        .as_str()
        .unwrap()
        .strip_prefix("http://")
        .unwrap();
    for bearer in [admin.as_str(), SECRETS[0]] {
        let stream = tokio::net::TcpStream::connect(url).await.unwrap();
        let mut client = Client {
            stream: tokio::io::BufReader::new(stream),
            host: url.to_owned(),
        };
        let head =
            format!("GET /stats HTTP/1.1\r\nHost: {url}\r\nAuthorization: Bearer {bearer}\r\n\r\n");
        client
            .stream
            .get_mut()
            .write_all(head.as_bytes())
            .await
            .unwrap();
        client.answer().await;
    }
}

#[tokio::test]
async fn no_secret_is_in_any_line_at_any_level() {
    let machine = Machine::new().await;
    let mut start = machine.command("", &["start", "--log-level", "trace"]);
    start
        .env(
            "HTTPS_PROXY",
            format!("http://me:{}@127.0.0.1:9", SECRETS[11]),
        )
        .env("NO_PROXY", "127.0.0.1");
    let started = super::machine::ran(start).await;
    assert_eq!(started.code, 0, "{}", started.stderr);
    let mut served = Served {
        ready: serde_json::from_str(&started.stdout).unwrap(),
        child: None,
        log: machine.state_dir().join("daemon.log"),
    };
    tell_secrets(&machine, &served).await;
    tell_secrets_to_administration(&machine, &served).await;
    // A death with a request in flight: the keeper has it, and hands it on.
    let gate = machine.github.hold(Matcher::get("/users/octocat").times(2));
    let mut asking = served.connect().await;
    let request = asking.request(
        "/users/octocat?access_token=inTheQueryAccessToken",
        Some(&machine.token),
    );
    asking.write(request).await;
    gate.arrived().await;
    assert!(signal(served.pid(), "-KILL"));
    gate.arrivals(2).await;
    gate.release();
    assert_eq!(asking.answer().await.status(), 200);
    served.ready = machine.start(&[]).await.ready;
    tell_secrets(&machine, &served).await;
    tell_secrets_to_administration(&machine, &served).await;
    let stopped = machine.run(&["stop"]).await;

    let said = [machine.log(), started.stderr, stopped.stderr].concat();
    assert!(said.contains("answered") && said.contains(HELLO), "{said}");
    let admin = fs::read_to_string(machine.state_dir().join("admin-token")).unwrap();
    let own = [machine.token.value(), admin.as_str()];
    for secret in SECRETS.into_iter().chain(own) {
        let line = said.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret}: {line:?}");
    }
    for foreign in ["hyper", "reqwest", "h2", "rustls"] {
        let detail =
            |line: &&str| line.contains(&format!(" {foreign}::")) && !line.contains(" INFO ");
        assert_eq!(
            said.lines().find(detail),
            None,
            "libraries log header fields"
        );
    }
}

#[tokio::test]
async fn json_lines_are_objects_from_the_first_to_the_last() {
    let machine = Machine::new().await;
    let served = machine
        .start(&["--log-format", "json", "--log-level", "debug"])
        .await;
    assert_eq!(served.get(HELLO).await.status(), 200);
    assert!(served.get(&format!("{HELLO}?x=y")).await.status() == 200);
    assert!(served.get(HELLO).await.is_hit());
    assert!(signal(served.pid(), "-KILL"));
    served.says("starting the daemon again", 1).await;
    served.says("listening", 2).await;
    assert_eq!(machine.run(&["stop"]).await.code, 0);
    let log = machine.log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        for name in ["timestamp", "level", "target", "message"] {
            assert!(line[name].is_string(), "{name}: {line}");
        }
    }
    let with = |message: &str| {
        let found = lines.iter().filter(|line| line["message"] == message);
        found.cloned().collect::<Vec<_>>()
    };
    // One line per event that matters.
    let listening = with("listening");
    assert_eq!(listening.len(), 2);
    for name in [
        "version",
        "api_url",
        "socket",
        "memory_limit",
        "max_connections",
        "origin",
    ] {
        assert!(!listening[0][name].is_null(), "{name}: {}", listening[0]);
    }
    assert_eq!(with("the daemon died").len(), 1);
    let stopped = with("stopped");
    assert_eq!(stopped.len(), 1);
    assert!(stopped[0]["requests"].is_u64() && stopped[0]["saved_calls"].is_u64());
    // And one per request, with what helps and without its query.
    let answered = with("answered");
    assert_eq!(answered.len(), 3);
    assert!(
        answered
            .iter()
            .all(|line| line["path"] == HELLO && line["method"] == "GET"),
        "{answered:?}"
    );
    assert!(
        answered.iter().all(|line| line["status"] == 200),
        "{answered:?}"
    );
    assert!(
        answered[0]["cache"].as_str().unwrap().contains("uri-miss"),
        "{answered:?}"
    );
    assert!(
        answered[2]["cache"]
            .as_str()
            .unwrap()
            .starts_with("ghswarm; hit"),
        "{answered:?}"
    );
}

#[tokio::test]
async fn a_log_does_not_grow_with_what_is_asked() {
    let machine = Machine::new().await;
    let served = machine.start(&[]).await;
    let before = machine.log();
    for _ in 0..300 {
        assert_eq!(served.get(HELLO).await.status(), 200);
        served.get("/nothing/here").await;
    }
    assert_eq!(
        machine.log(),
        before,
        "a request is worth no line unless somebody debugs"
    );
}

#[tokio::test]
async fn a_log_is_cut_off_while_its_daemon_runs() {
    let machine = Machine::new().await;
    fs::create_dir(machine.state_dir()).unwrap();
    let path = machine.state_dir().join("daemon.log");
    let mut log = fs::File::create(&path).unwrap();
    log.write_all(&vec![b'\n'; (8 << 20) - 1000]).unwrap();
    let served = machine.start(&["--log-level", "debug"]).await;
    assert_eq!(served.get(HELLO).await.status(), 200);
    let old = machine.state_dir().join("daemon.log.1");
    let mut client = served.connect().await;
    let request = client.request(HELLO, None).repeat(100);
    for _ in 0..40 {
        client.write(&request).await;
        for _ in 0..100 {
            assert!(client.answer().await.is_hit());
        }
        assert!(fs::metadata(&path).unwrap().len() < (8 << 20) + (512 << 10));
    }
    assert!(fs::metadata(&old).unwrap().len() > 8 << 20);
    assert!(fs::metadata(&path).unwrap().len() < 4 << 20);
    assert!(
        machine.log().contains("answered"),
        "what came after is there"
    );
    assert_eq!(machine.run(&["stop"]).await.code, 0);
    assert!(machine.log().contains("stopped"));
}
