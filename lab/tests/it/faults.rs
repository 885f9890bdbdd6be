//! Trouble on command.

use std::time::{Duration, Instant};

use ghswarm_lab::{Fault, Matcher};
use http_body_util::BodyExt;

use crate::client::{fake, get};

#[tokio::test]
async fn statuses_come_as_often_as_asked() {
    let github = fake().await;
    github.fault(Matcher::get("/zen").times(2), Fault::Status(503));
    github.fault(Matcher::get("/meta").once(), Fault::BadGateway);
    let limited = Fault::Limited {
        status: 429,
        retry_after: Some(7),
    };
    github.fault(Matcher::path("/octocat").once(), limited);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(get("/zen").send(&github).await.status);
    }
    assert_eq!(statuses, [503, 503, 200]);
    let gateway = get("/meta").send(&github).await;
    assert_eq!(
        (gateway.status, gateway.header("content-type")),
        (502, "text/html; charset=utf-8")
    );
    let limited = get("/octocat").send(&github).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, "7"));
}

#[tokio::test]
async fn connections_break_where_they_should() {
    let github = fake().await;
    let path = "/repos/octo-org/hello";
    let whole = get(path).send(&github).await.body.len();
    github.fault(Matcher::get(path).once(), Fault::ResetBeforeHead);
    assert!(get(path).attempt(&github).await.is_err());
    for fault in [Fault::ResetAfterHead, Fault::Truncate(10)] {
        github.fault(Matcher::get(path).once(), fault);
        let head = get(path).head(&github).await.unwrap();
        assert_eq!(head.headers()["content-length"], whole.to_string());
        assert!(head.into_body().collect().await.is_err());
    }
    assert_eq!(get(path).send(&github).await.status, 200);
    let statuses: Vec<u16> = github.requests().iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [200, 0, 200, 200, 200]);
}

#[tokio::test]
async fn answers_come_late_or_slowly() {
    let github = fake().await;
    let tick = Duration::from_millis(30);
    let path = "/repos/octo-org/hello";
    let length = get(path).send(&github).await.body.len();
    let faults = [
        Fault::Latency(tick),
        Fault::BodyLatency(tick),
        Fault::Slow {
            bytes: length / 2 + 1,
            every: tick,
        },
    ];
    for fault in faults {
        github.fault(Matcher::get(path).once(), fault);
        let start = Instant::now();
        let answer = get(path).send(&github).await;
        assert_eq!((answer.status, answer.body.len()), (200, length));
        assert!(start.elapsed() >= tick);
    }
}
