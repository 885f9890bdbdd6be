//! A daemon dies with requests in flight, and their clients do not notice.

use ghswarm_lab::{Matcher, Phase};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::keeping::after_death;
use super::{Sandbox, kill, path_of};
use crate::needs;

const HELLO: &str = "/repos/octo-org/hello";
const QUERY: &str = r#"{"query":"query { viewer { login } }"}"#;

/// How a client reaches the daemon.
#[derive(Debug, Clone, Copy)]
enum Road {
    Tcp,
    Unix,
}

/// Sends a request and reads all that comes back, until the connection ends.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: String) -> String {
    let mut answer = Vec::new();
    if stream.write_all(request.as_bytes()).await.is_ok() {
        let _ = stream.read_to_end(&mut answer).await;
    }
    String::from_utf8(answer).unwrap()
}

/// A client that asks, and what it gets.
fn ask(sandbox: &Sandbox, ready: &Value, road: Road, line: &str, body: &str) -> JoinHandle<String> {
    let address = ready["api_url"].as_str().unwrap();
    let address = address.strip_prefix("http://").unwrap().to_owned();
    let host = match road {
        Road::Tcp => address.as_str(),
        Road::Unix => "api.github.com",
    };
    let length = match body.len() {
        0 => String::new(),
        length => format!("Content-Type: application/json\r\nContent-Length: {length}\r\n"),
    };
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: token {}\r\n{length}Connection: close\r\n\r\n{body}",
        sandbox.token.value()
    );
    let socket = path_of(ready, "socket");
    tokio::spawn(async move {
        match road {
            Road::Tcp => exchange(TcpStream::connect(address).await.unwrap(), request).await,
            Road::Unix => exchange(UnixStream::connect(socket).await.unwrap(), request).await,
        }
    })
}

/// Holds an answer to being whole and the only one.
#[track_caller]
fn whole(answer: &str) -> Value {
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn kill_daemon(ready: &Value) {
    assert!(kill(ready["pid"].as_i64().unwrap(), "-KILL"));
}

#[tokio::test]
async fn a_read_in_flight_is_answered_by_the_next_daemon() {
    for road in [Road::Tcp, Road::Unix] {
        let sandbox = Sandbox::new().await;
        let ready = sandbox.start().await;
        let gate = sandbox.github.hold(Matcher::get(HELLO).times(2));
        let asking = ask(&sandbox, &ready, road, &format!("GET {HELLO}"), "");
        gate.arrived().await;
        kill_daemon(&ready);
        gate.arrivals(2).await;
        gate.release();
        let answer = asking.await.unwrap();
        assert_eq!(whole(&answer)["name"], "hello", "{road:?}");
        assert!(answer.contains("fwd=uri-miss"), "{answer}");
        // The door is open for the next one, and what was repeated was kept.
        let again = ask(&sandbox, &ready, road, &format!("GET {HELLO}"), "");
        assert!(again.await.unwrap().contains("; hit"));
    }
}

#[tokio::test]
async fn a_query_in_flight_is_answered_by_the_next_daemon() {
    for road in [Road::Tcp, Road::Unix] {
        let sandbox = Sandbox::new().await;
        let ready = sandbox.start().await;
        // When the fake has done its work and GitHub would be about to answer.
        let graphql = Matcher::new("POST", "/graphql").once();
        let gate = sandbox.github.hold_at(graphql, Phase::AfterRead);
        let asking = ask(&sandbox, &ready, road, "POST /graphql", QUERY);
        gate.arrived().await;
        kill_daemon(&ready);
        let answer = whole(&asking.await.unwrap());
        assert_eq!(answer["data"]["viewer"]["login"], "octocat", "{road:?}");
    }
}

#[tokio::test]
async fn a_write_in_flight_fails_and_is_not_repeated() {
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    let issues = format!("{HELLO}/issues");
    let gate = sandbox
        .github
        .hold_at(Matcher::new("POST", &issues).once(), Phase::AfterRead);
    let read = sandbox.github.hold(Matcher::get(HELLO).exact().times(2));
    let writing = format!("POST {issues}");
    let writing = ask(&sandbox, &ready, Road::Tcp, &writing, r#"{"title":"once"}"#);
    let mutation = r#"{"query":"mutation { addStar(input: {}) { clientMutationId } }"}"#;
    let mutated = sandbox
        .github
        .hold(Matcher::new("POST", "/graphql").times(2));
    gate.arrived().await;
    // Another caller's, so that it need not wait for the pause between two writes.
    let reading = ask(&sandbox, &ready, Road::Tcp, &format!("GET {HELLO}"), "");
    read.arrived().await;
    let mutating = ask(&sandbox, &ready, Road::Unix, "POST /graphql", mutation);
    mutated.arrived().await;
    kill_daemon(&ready);
    // Nobody holds their connections any more: they end, unanswered.
    assert_eq!(writing.await.unwrap(), "");
    assert_eq!(mutating.await.unwrap(), "");
    // By now everything that is repeated was.
    read.arrivals(2).await;
    assert!(mutated.waiting() <= 1);
    read.release();
    whole(&reading.await.unwrap());
    let list = ask(&sandbox, &ready, Road::Unix, &format!("GET {issues}"), "");
    let list = whole(&list.await.unwrap());
    let titles = list
        .as_array()
        .unwrap()
        .iter()
        .filter(|issue| issue["title"] == "once");
    assert_eq!(titles.count(), 1);
}

#[tokio::test]
async fn who_has_left_is_not_asked_for() {
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    let left = format!("{HELLO}/branches");
    let gone = sandbox.github.hold(Matcher::get(&left).times(2));
    let stays = sandbox.github.hold(Matcher::get(HELLO).exact().times(2));
    let leaving = ask(&sandbox, &ready, Road::Tcp, &format!("GET {left}"), "");
    gone.arrived().await;
    let staying = ask(&sandbox, &ready, Road::Unix, &format!("GET {HELLO}"), "");
    stays.arrived().await;
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    kill_daemon(&ready);
    // They are handed over in the order in which they came.
    stays.arrivals(2).await;
    stays.release();
    whole(&staying.await.unwrap());
    gone.release();
    let seen = sandbox.github.requests();
    let asked = seen.iter().filter(|seen| seen.path.starts_with(&left));
    assert!(asked.count() <= 1);
}

/// Three deaths, each with a request in flight; the third is one too many for a daemon.
#[tokio::test]
async fn the_keeper_answers_what_was_in_flight_when_it_gives_up_on_daemons() {
    let sandbox = Sandbox::new().await;
    let mut ready = sandbox.start().await;
    let old = format!("{HELLO}/branches");
    let patient = sandbox.github.hold(Matcher::get(&old));
    let waits = ask(&sandbox, &ready, Road::Tcp, &format!("GET {old}"), "");
    for death in 1..=3 {
        patient.arrivals(death).await;
        let target = format!("{HELLO}?death={death}");
        let gate = sandbox.github.hold(Matcher::get(HELLO).exact().once());
        let asking = ask(&sandbox, &ready, Road::Unix, &format!("GET {target}"), "");
        gate.arrived().await;
        ready = after_death(&ready).await;
        let answer = asking.await.unwrap();
        whole(&answer);
        let passed = answer.contains("detail=pass-through");
        assert_eq!(passed, death == 3, "{answer}");
    }
    patient.release();
    let answer = waits.await.unwrap();
    assert!(answer.contains("detail=pass-through"), "{answer}");
    whole(&answer);
    assert_eq!(ready["pid"], Value::Null, "{ready}");
    let log = std::fs::read_to_string(sandbox.state_dir().join("daemon.log")).unwrap();
    assert!(log.contains("uncached for now"), "{log}");
    let stats = sandbox.run(["stats"]).await;
    assert!(stats.stderr.contains("keeps dying"), "{}", stats.stderr);
    sandbox.run(["stop"]).await.ok();
}

/// When in the life of a request its daemon dies: before GitHub looks at it, or before it answers.
const MOMENTS: [(usize, Phase); 3] = [
    (17, Phase::BeforeRead),
    (50, Phase::AfterRead),
    (83, Phase::BeforeRead),
];

#[tokio::test]
async fn one_hundred_calls_outlive_three_deaths() {
    let sandbox = Sandbox::new().await;
    let mut ready = sandbox.start().await;
    for call in 1..=100 {
        let moment = MOMENTS.iter().find(|(number, _)| *number == call);
        let gate = moment.map(|(_, phase)| {
            let this = Matcher::get(HELLO).query(&format!("call={call}")).once();
            sandbox.github.hold_at(this, *phase)
        });
        let line = format!("GET {HELLO}?call={call}");
        let road = [Road::Tcp, Road::Unix][call % 2];
        let asking = ask(&sandbox, &ready, road, &line, "");
        if let Some(gate) = gate {
            gate.arrived().await;
            ready = after_death(&ready).await;
        }
        assert_eq!(whole(&asking.await.unwrap())["name"], "hello", "{call}");
    }
    assert_eq!(ready["pid"], Value::Null, "{ready}");
}

#[tokio::test]
async fn one_hundred_calls_of_gh_outlive_three_deaths() {
    if needs::program("gh").is_none() {
        return needs::skip("gh");
    }
    let sandbox = Sandbox::new().await;
    let ready = sandbox.start().await;
    let gh = |script: &str| {
        let mut command = sandbox.command(["exec", "--", "sh", "-ec", script]);
        tokio::spawn(async move { super::Ran::from(command.output().await.unwrap()) })
    };
    let one = "gh api repos/octo-org/hello?call=000 --jq .name";
    assert_eq!(gh(one).await.unwrap().ok().text(), "hello\n");
    let mut alive = after_death(&ready).await;
    assert_eq!(gh(one).await.unwrap().ok().text(), "hello\n");

    let hold = |(number, phase): (usize, Phase)| {
        let this = Matcher::get(HELLO).query(&format!("call={number:03}"));
        sandbox.github.hold_at(this.once(), phase)
    };
    let gates = MOMENTS.map(hold);
    let hundred =
        gh("for n in $(seq -w 001 100); do gh api repos/octo-org/hello?call=$n --jq .name; done");
    for gate in &gates[..2] {
        gate.arrived().await;
        alive = after_death(&alive).await;
    }
    // That was the third death within a minute; without a daemon the rest goes to GitHub as it is.
    assert_eq!(alive["pid"], Value::Null, "{alive}");
    gates[2].arrived().await;
    gates[2].release();
    let names = hundred.await.unwrap().ok();
    assert_eq!(names.text(), "hello\n".repeat(100));
}
