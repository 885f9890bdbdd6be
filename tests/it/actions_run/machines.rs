//! Two jobs, each on a machine of its own: what one has asked for, the other is not counted for.

use ghswarm_lab::actions_cache::Claims;

use super::package::Release;
use super::runner::{Gate, REPOSITORY_ID, Runner, network};
use super::steps::{CLIENTS, ask, finish, run, setup};
use super::{PRIVATE, PUBLIC, token};
use crate::hosts::network::{Github, Network, Trouble};

/// No variable of the cache service reaches a script, as on a real runner.
const HIDDEN: &str = "! env | grep ^ACTIONS_";
/// Waits until another runner is connected. Each look takes a while by itself.
const MEET: &str = r#"
    until "$GHSWARM_PROGRAM" peers list --format json | grep -q '"standing": *"connected"'; do
      "$GHSWARM_PROGRAM" stats --format json >/dev/null
    done
"#;
/// Of five lists, so many may be asked for anew: a peer has 50 ms, and on a busy machine one is late now and then.
const LATE: usize = 2;

/// What GitHub answered from request `since` on to lists that have `client` in their addresses.
fn answers(github: &Github, since: usize, client: &str) -> Vec<u16> {
    let requests = github.fake.requests().split_off(since);
    let of_client = requests.iter().filter(|seen| seen.path.contains(client));
    of_client.map(|seen| seen.status).collect()
}

/// Two machines that find each other through the Actions cache or not at all.
struct Pair {
    runners: [Runner; 2],
    service: crate::hosts::network::Served<ghswarm_lab::FakeActionsCache>,
    github: Github,
    _release: Release,
    _network: Network,
}

impl Pair {
    fn new(repository: &str) -> Option<Self> {
        let network = network(2)?;
        network
            .hosts()
            .for_each(|host| network.trouble(host, Trouble::NoMulticast));
        let github = network.github();
        let service = network.cache_service();
        let release = Release::make();
        let runners = [1, 2].map(|host| {
            let token = token(&github, repository);
            let runner = release.on(Runner::new(&network, host, repository, &token));
            let claims = Claims::main(REPOSITORY_ID);
            runner.cache_service(&service.fake.url(), &service.fake.token(&claims))
        });
        Some(Self {
            runners,
            service,
            github,
            _release: release,
            _network: network,
        })
    }

    /// One job after the other has come to its end, the first waiting for the second; nothing is counted for the
    /// second but what came too late.
    async fn share(&self, with: &[(&str, &str)]) {
        let [one, other] = &self.runners;
        let gate = Gate::new(one.path("gate"));
        let steps = [setup(with), run(HIDDEN), ask(), gate.step(), finish(&[])].concat();
        let mut first = one.start(&steps);
        let waiting = first.reaches(&gate).await;
        assert_eq!(self.service.fake.entries().len(), 1, "its record");
        let asked = self.github.fake.requests().len();

        let steps = [setup(with), run(HIDDEN), run(MEET), ask(), finish(&[])].concat();
        let second = other.run(&steps).await;
        drop(waiting);
        let first = first.end().await;
        for job in [&first, &second] {
            job.is_green().tells_nothing();
            let summary = job.summary();
            assert!(summary.contains("peer"), "{summary}\n{}", job.log());
        }
        for client in CLIENTS {
            let answers = answers(&self.github, asked, client);
            let paid = answers.iter().filter(|status| **status != 304).count();
            let late = answers.len() == 5 && paid <= LATE;
            assert!(late, "{client}: {answers:?}\n{}", second.log());
        }
    }
}

#[tokio::test]
async fn the_second_job_gets_public_answers_from_the_first_ones_daemon() {
    let Some(pair) = Pair::new(PUBLIC) else {
        return;
    };
    pair.share(&[]).await;
}

#[tokio::test]
async fn the_second_job_gets_private_answers_where_these_are_shared() {
    let Some(pair) = Pair::new(PRIVATE) else {
        return;
    };
    pair.share(&[("share-private", "true")]).await;
}

#[tokio::test]
async fn what_one_job_stored_travels_to_the_next_in_the_cache() {
    let Some(pair) = Pair::new(PUBLIC) else {
        return;
    };
    // Machines that go away with the job, and cannot reach each other.
    let with = [("cache", "true"), ("enable-p2p", "false")];
    let steps = [setup(&with), run(HIDDEN), ask(), finish(&[])].concat();
    let [first, second] = pair.runners;
    let hosted = |runner: Runner, run: &str| {
        let hosted = runner.fact("RUNNER_ENVIRONMENT", "github-hosted");
        hosted.fact("GITHUB_RUN_ID", run)
    };
    let [first, second] = [hosted(first, "1"), hosted(second, "2")];
    first.run(&steps).await.is_green().tells_nothing();
    assert_eq!(pair.service.fake.entries().len(), 1, "its snapshot");
    let asked = pair.github.fake.requests().len();
    let job = second.run(&steps).await;
    job.is_green().tells_nothing();
    for client in CLIENTS {
        let answers = answers(&pair.github, asked, client);
        assert_eq!(answers, [304; 5], "{client}\n{}", job.log());
    }
    assert_eq!(pair.service.fake.entries().len(), 2, "another snapshot");
}
