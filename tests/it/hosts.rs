//! Hosts with real daemons: how they find each other, and what becomes of their clients when the network or
//! a host fails. One daemon for each network namespace, real sockets, the machine's clock.

mod host;
mod member;
mod mixed;
pub(crate) mod network;
mod trouble;

use std::io::Write as _;
use std::path::PathBuf;

use futures_util::future::join_all;
use ghswarm_lab::{Token, TokenSpec};

use host::{Host, eventually};
use network::{Github, Network, Trouble};

/// The pool of all stories: a private repository that the fake has.
const POOL: &str = "octo-org/secret";
/// A public one.
const PUBLIC: &str = "octo-org/hello";
const ISSUE: &str = "/repos/octo-org/secret/issues/1";

/// Hosts of one pool, a GitHub for all, and perhaps a secret. Fields are dropped in this order: daemons first.
struct Fleet {
    hosts: Vec<Host>,
    github: Github,
    // Read by daemons that start again.
    _secret: tempfile::TempPath,
    network: Network,
}

/// A file with a secret.
fn secret() -> tempfile::TempPath {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"what the hosts of this story know\n")
        .unwrap();
    file.into_temp_path()
}

impl Fleet {
    /// One daemon for each host with the pool's secret. `bootstrap`: all but the first are told where that is,
    /// and mDNS is of no use; else mDNS is all they have.
    async fn with_secret(network: Network, bootstrap: bool) -> Self {
        let secret = secret();
        let path = PathBuf::from(&secret).display().to_string();
        let known = ["--pool", POOL, "--secret-file", &path];
        if bootstrap {
            network
                .hosts()
                .for_each(|host| network.trouble(host, Trouble::NoMulticast));
        }
        let github = network.github();
        let start = network.hosts().map(|number| {
            let first: &[&str] = match (bootstrap, number) {
                (true, 2..) => &["--bootstrap", "/ip4/198.18.1.1/tcp/9000"],
                _ => &[],
            };
            let flags = [&known[..], first].concat();
            let network = &network;
            async move { Host::serve(network, number, &flags).await }
        });
        let hosts = join_all(start).await;
        Self {
            hosts,
            github,
            _secret: secret,
            network,
        }
    }

    /// Waits until everybody is connected with everybody.
    async fn meet(&self) {
        let others = self.hosts.len() - 1;
        join_all(self.hosts.iter().map(|host| host.meets(others))).await;
    }

    /// What one host has asked GitHub costs no other host a call.
    async fn shares(&self) {
        let tokens = self.hosts.iter();
        let tokens = tokens.map(|_| Some(self.github.fake.token(TokenSpec::job(POOL))));
        let tokens: Vec<_> = tokens.collect();
        let hosts: Vec<_> = self.hosts.iter().zip(&tokens).collect();
        share(&hosts, &self.github, ISSUE).await;
    }
}

/// Reads through the first of the hosts, then through all others, until these were free. A peer has 50 ms, and
/// on a busy machine one is late now and then, which costs a call: so it is tried with one body after the other.
async fn share(hosts: &[(&Host, &Option<Token>)], github: &Github, path: &str) {
    let mut tried = 0;
    eventually("a body that only the first host paid for", async || {
        tried += 1;
        let path = format!("{path}?as={tried}");
        let (first, others) = hosts.split_first()?;
        let paid = first.0.get(first.1.as_ref(), &path).await;
        assert_eq!(paid.status, 200, "{paid:?}");
        let counted = github.fake.usage().total.counted;
        for (host, token) in others {
            let reply = host.get(token.as_ref(), &path).await;
            assert_eq!(reply.body, paid.body);
        }
        (github.fake.usage().total.counted == counted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn five_hosts_find_each_other_through_one_exchanged_record() {
    let Some(network) = Network::new(5) else {
        return;
    };
    network
        .hosts()
        .for_each(|host| network.trouble(host, Trouble::NoMulticast));
    let github = network.github();
    let pool = ["--pool", POOL];
    let hosts = join_all(
        network
            .hosts()
            .map(|host| Host::serve(&network, host, &pool)),
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("record").display().to_string();
    hosts[0].peer_id().await;
    hosts[0].must(&["peers", "export", &record]).await;
    join_all(
        hosts[1..]
            .iter()
            .map(async |host| host.must(&["peers", "import", &record]).await),
    )
    .await;
    join_all(hosts.iter().map(|host| host.meets(4))).await;
    // A ticket covers what anybody may read.
    let [reader, other] = [(); 2].map(|()| Some(github.fake.token(TokenSpec::job(PUBLIC))));
    // That it is public has to be known first.
    hosts[1]
        .get(reader.as_ref(), &format!("/repos/{PUBLIC}"))
        .await;
    let labels = format!("/repos/{PUBLIC}/labels");
    share(
        &[(&hosts[1], &reader), (&hosts[4], &other)],
        &github,
        &labels,
    )
    .await;
}

#[tokio::test]
async fn five_hosts_find_each_other_by_multicast_alone() {
    let Some(network) = Network::new(5) else {
        return;
    };
    let fleet = Fleet::with_secret(network, false).await;
    fleet.meet().await;
    fleet.shares().await;
}

#[tokio::test]
async fn five_hosts_find_each_other_through_one_address_alone() {
    let Some(network) = Network::new(5) else {
        return;
    };
    let fleet = Fleet::with_secret(network, true).await;
    fleet.meet().await;
    fleet.shares().await;
}

#[tokio::test]
async fn a_host_without_ticket_or_secret_learns_nothing_and_its_log_says_why() {
    let Some(network) = Network::new(4) else {
        return;
    };
    let secret = secret();
    let path = PathBuf::from(&secret).display().to_string();
    network
        .hosts()
        .for_each(|host| network.trouble(host, Trouble::NoMulticast));
    let github = network.github();
    let first = "/ip4/198.18.1.1/tcp/9000";
    let member = ["--pool", POOL, "--secret-file", &path, "--bootstrap", first];
    let members = join_all((1..=3).map(|host| Host::serve(&network, host, &member))).await;
    join_all(members.iter().map(|host| host.meets(2))).await;
    let token = github.fake.token(TokenSpec::job(POOL));
    members[0].get(Some(&token), ISSUE).await;

    let stranger = Host::serve(&network, 4, &["--pool", POOL, "--bootstrap", first]).await;
    let line = stranger.logs(&["no-common-method"]).await;
    assert!(line.contains("ticket") || line.contains("secret"), "{line}");
    let row = |list: Vec<ghswarm::swarm::PeerRow>| list.into_iter().map(|row| row.peer_id);
    let known: Vec<_> = row(stranger.peers().await).collect();
    assert!(known.len() <= 1, "it knows whom it dialled: {known:?}");
    assert_eq!(stranger.connected().await, 0);
    for (member, number) in members.iter().zip(1..) {
        assert_eq!(member.connected().await, 2, "host {number}");
    }
    let counted = github.fake.usage().total.counted;
    let own = github.fake.token(TokenSpec::job(POOL));
    let reply = stranger.get(Some(&own), ISSUE).await;
    assert_eq!(reply.status, 200);
    assert_eq!(
        github.fake.usage().total.counted,
        counted + 1,
        "it pays itself"
    );
    // And the member says that it refused somebody, without being told a secret.
    members[0].logs(&["no-common-method"]).await;
}
