//! Jobs of several users beside the daemon of their host.

use serde_json::Value;

use super::HELLO;
use super::machine::{Machine, PLACE, Place, SERVICE, STRANGER};
use crate::needs;

const ONE: u32 = 64_102;
const OTHER: u32 = 64_103;

fn socket() -> String {
    format!("{PLACE}/ghswarm.sock")
}

#[tokio::test]
async fn jobs_join_the_hosts_daemon_and_their_end_is_not_its_end() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let service = machine.serve(Place::OF_UNITS);
    assert_eq!(service.ready["owner"], "host");
    let (mut one, mut other) = (machine.job(ONE, true), machine.job(OTHER, true));
    for job in [&mut one, &mut other] {
        let told = job.uses_the_cache().await;
        assert_eq!(told.stderr, "", "nothing to say about it");
        let told = told.json();
        assert_eq!(told["GHSWARM_SOCKET"], socket());
        assert_eq!(told["GITHUB_API_URL"], service.ready["api_url"]);
        assert_eq!(told["GHSWARM_ADMIN_TOKEN_FILE"], Value::Null);
        let folder = told["GH_CONFIG_DIR"].as_str().unwrap();
        assert!(folder.starts_with(job.temp().to_str().unwrap()), "{folder}");
        assert!(
            !job.state().join("ready.json").exists(),
            "one daemon is enough"
        );
        assert_eq!(job.processes(), [0; 0]);
    }
    // By the port and by the socket: one call for both, each with its own token. (Each client asks in another form.)
    let header = "Authorization: token $GH_TOKEN";
    let mut roads = vec![format!(
        "curl -sf -H \"{header}\" \"$GITHUB_API_URL/{HELLO}\""
    )];
    roads.extend(needs::program("gh").map(|_| format!("gh api {HELLO}")));
    for (before, road) in (0..).zip(&roads) {
        assert_eq!(machine.github.usage().total.counted, before, "{road}");
        for job in [&one, &other] {
            let read = job.ghswarm(&["exec", "--", "sh", "-c", road]).await.ok();
            assert_eq!(read.json()["full_name"], "octo-org/hello", "{road}");
        }
        assert_eq!(machine.github.usage().total.counted, before + 1, "{road}");
    }

    for job in [&one, &other] {
        for words in [&["stop"][..], &["stop", "--format", "json"]] {
            let stopped = job.ghswarm(words).await.ok();
            assert!(
                stopped.stderr.contains("host's and goes on"),
                "{}",
                stopped.stderr
            );
        }
    }
    one.end();
    other.reads(HELLO).await;
    let now = other.ghswarm(&["start"]).await.ok().json();
    assert_eq!(now["pid"], service.ready["pid"]);
    let log = service.stop();
    assert!(
        !log.contains("cannot remove"),
        "the socket is its manager's: {log}"
    );
}

#[tokio::test]
async fn a_job_of_another_user_has_no_say_in_the_hosts_daemon() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let service = machine.serve(Place::OF_UNITS);
    let mut job = machine.job(ONE, true);
    job.uses_the_cache().await;
    job.reads(HELLO).await;
    for words in [
        &["cache", "list"][..],
        &["cache", "clear"],
        &["cache", "put", "key", "value"],
        &["cache", "get", "key"],
        &["peers", "list"],
    ] {
        let refused = job.ghswarm(words).await;
        assert_eq!((refused.code, refused.text()), (1, ""), "{words:?}");
        assert!(
            refused.stderr.contains("another user"),
            "{words:?}: {}",
            refused.stderr
        );
    }
    let end = format!(
        "curl -s --unix-socket {} -X POST http://ghswarm.internal/stop",
        socket()
    );
    let refused = job.run(&["sh", "-c", &end]).await.ok();
    assert!(
        refused.json()["message"]
            .as_str()
            .unwrap()
            .contains("another user")
    );
    for file in ["admin-token", "ready.json", "identity", "../cache/hmac.key"] {
        let file = machine.state().join(file);
        let read = job.run(&["cat", file.to_str().unwrap()]).await;
        assert!(
            read.code == 1 && read.stderr.contains("Permission denied"),
            "{}",
            read.stderr
        );
    }
    // What concerns it, it may ask and say.
    assert_eq!(
        job.ghswarm(&["stats", "--format", "json"])
            .await
            .ok()
            .json()["requests"],
        1
    );
    job.ghswarm(&["cache", "stale", "octo-org/hello"])
        .await
        .ok();
    assert_eq!(
        job.ghswarm(&["start"]).await.ok().json()["pid"],
        service.ready["pid"]
    );
}

#[tokio::test]
async fn the_commands_of_the_actions_join_the_hosts_daemon_and_leave_it_alone() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let service = machine.serve(Place::OF_UNITS);
    let mut job = machine.job(ONE, true);
    let files = ["GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"];
    for file in files {
        let path = job.temp().join(file);
        std::fs::File::create(&path).unwrap();
        std::os::unix::fs::chown(&path, Some(ONE), Some(ONE)).unwrap();
        job.set(file, path.to_str().unwrap());
    }
    let told = |file: &str| std::fs::read_to_string(job.temp().join(file)).unwrap();
    let started = job.ghswarm(&["job", "start"]).await.ok();
    assert!(!started.text().contains("::warning"), "{}", started.text());
    assert!(!started.text().contains("::notice"), "{}", started.text());
    let api_url = service.ready["api_url"].as_str().unwrap();
    assert!(told("GITHUB_OUTPUT").contains(api_url));
    assert!(told("GITHUB_ENV").contains(&socket()));
    // As the runner does for the steps that follow.
    job.set("GHSWARM_SOCKET", &socket());
    job.reads(HELLO).await;
    let finished = job.ghswarm(&["job", "finish"]).await.ok();
    assert!(
        !finished.text().contains("::warning"),
        "{}",
        finished.text()
    );
    job.end();

    let other = machine.job(OTHER, true);
    let now = other.ghswarm(&["start"]).await.ok().json();
    assert_eq!(now["pid"], service.ready["pid"]);
}

#[tokio::test]
async fn a_job_does_not_notice_that_the_hosts_daemon_died() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let service = machine.serve(Place::OF_UNITS);
    let mut job = machine.job(ONE, true);
    job.uses_the_cache().await;
    let before = job.reads(HELLO).await;
    service.kill();
    let url = format!("{}/{HELLO}", service.ready["api_url"].as_str().unwrap());
    let over_tcp = job.run(&["curl", "-sf", &url]).await.ok();
    assert_eq!(over_tcp.json()["id"], before["id"]);
    assert_eq!(job.reads(HELLO).await, before);
    let now = job.ghswarm(&["start"]).await.ok().json();
    assert_eq!(now["api_url"], service.ready["api_url"], "the same door");
    assert_ne!(now["pid"], service.ready["pid"]);
}

#[tokio::test]
async fn a_job_that_may_not_join_has_a_daemon_of_its_own_after_one_notice() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let service = machine.serve(Place::OF_UNITS);
    let mut job = machine.job(ONE, false);
    job.set("GHSWARM_NO_MDNS", "true");
    let started = job.ghswarm(&["start"]).await.ok();
    assert_eq!(started.json()["owner"], "job");
    assert_eq!(started.stderr.lines().count(), 1, "{}", started.stderr);
    assert!(
        started.stderr.contains("Permission denied"),
        "{}",
        started.stderr
    );

    // Nor does a job whose GitHub is another one: its token is not for the host's.
    let mut elsewhere = machine.job(OTHER, true);
    elsewhere.set("GHSWARM_ORIGIN", "http://127.0.0.1:9");
    let started = elsewhere.ghswarm(&["start"]).await.ok();
    assert_eq!(started.json()["owner"], "job");
    assert_ne!(started.json()["api_url"], service.ready["api_url"]);
    assert_eq!(started.stderr, "");
}

#[tokio::test]
async fn nobody_but_root_and_the_service_can_put_a_daemon_where_jobs_look() {
    let fakes = [
        (
            "a stranger's directory",
            Place {
                owner: STRANGER,
                socket: "0666",
                listener: ONE,
                user: ONE,
                mode: 0o777,
            },
        ),
        (
            "a directory that all can write to",
            Place {
                owner: 0,
                mode: 0o777,
                socket: "0666",
                listener: STRANGER,
                user: STRANGER,
            },
        ),
        (
            "one in which nobody removes what is another's",
            Place {
                owner: 0,
                mode: 0o1777,
                socket: "0666",
                listener: STRANGER,
                user: STRANGER,
            },
        ),
    ];
    for (what, place) in fakes {
        let Some(machine) = Machine::new().await else {
            return;
        };
        let fake = machine.serve(place);
        let job = machine.job(OTHER, true);
        let started = job.ghswarm(&["start"]).await.ok();
        assert_eq!(started.json()["owner"], "job", "{what}");
        assert_ne!(started.json()["api_url"], fake.ready["api_url"], "{what}");
        assert_eq!(started.stderr.lines().count(), 1, "{}", started.stderr);
        assert!(
            started.stderr.contains("not safe"),
            "{what}: {}",
            started.stderr
        );
        // Nor when it is named.
        let named = job.ghswarm(&["stats", "--socket", &socket()]).await;
        assert!(
            named.stderr.contains("not safe"),
            "{what}: {}",
            named.stderr
        );
        drop(job);
        assert!(!fake.stop().contains("octo-org"), "{what}");
    }
}

#[tokio::test]
async fn whoever_root_made_the_place_for_is_whom_jobs_trust() {
    let Some(machine) = Machine::new().await else {
        return;
    };
    let service = machine.serve(Place {
        owner: SERVICE,
        listener: SERVICE,
        socket: "0666",
        ..Place::OF_UNITS
    });
    let started = machine.job(ONE, true).ghswarm(&["start"]).await.ok();
    assert_eq!(
        started.json()["pid"],
        service.ready["pid"],
        "{}",
        started.stderr
    );
}
