//! What happens to a herd.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use indicatif::ProgressBar;
use rustix::process::Signal;

use crate::github::GitHub;
use crate::member::{Member, Share};
use crate::round::{self, Round, Trouble};

/// Daemons that start at the same time. Each derives its keys, which is slow on purpose.
const STARTING: usize = 4;
/// Names of what the swarm did.
const OF_PEERS: [&str; 5] = ["peer", "offer", "tiers", "lease", "everything-stale"];

/// How large a herd is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) runners: u64,
    pub(crate) urls: u64,
    /// URLs that begin in a second; 0: all in the same moment.
    pub(crate) pace: u32,
}

impl Size {
    /// Questions in a round.
    pub(crate) const fn questions(&self) -> u64 {
        self.runners * self.urls
    }
}

/// Lives through all rounds of a herd.
pub(crate) async fn live(size: Size, bar: &ProgressBar) -> anyhow::Result<Vec<Round>> {
    let Size { runners, .. } = size;
    let urls = size.urls;
    let github = GitHub::start(urls.div_ceil(2))?;
    let folder = tempfile::tempdir()?;
    let told = |what: &str| {
        bar.set_message(format!("{runners} runners × {urls} URLs: {what}"));
        bar.tick();
    };
    let mut rounds = Vec::new();

    told("daemons that share nothing");
    let place = folder.path().join("alone");
    std::fs::create_dir(&place)?;
    let alone = start(&github, &place, 0..runners, Share::Nothing).await?;
    let mut round = round::ask(&github, &alone, size, ("share nothing", None)).await?;
    round.shares = false;
    rounds.push(round);
    drop(alone);

    told("they find each other");
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(b"what the runners of this example know\n")?;
    let place = folder.path().join("herd");
    std::fs::create_dir(&place)?;
    let first = Share::Secret(file.path(), None);
    let mut members = start(&github, &place, 0..1, first).await?;
    let address = members[0].address().await?;
    let others = Share::Secret(file.path(), Some(&address));
    members.extend(start(&github, &place, 1..runners, others).await?);
    meet(&members).await?;

    let rounds_of = [
        ("cold", None),
        ("cold again", None),
        ("one is stopped", Some(Trouble::Stop)),
        ("one is killed", Some(Trouble::Kill)),
    ];
    for (name, trouble) in rounds_of {
        told(name);
        let before = reasons(&members).await;
        let mut round = round::ask(&github, &members, size, (name, trouble)).await?;
        match trouble {
            None => {}
            Some(Trouble::Stop) => {
                if let Some(last) = members.last() {
                    last.signal(Signal::CONT)?;
                }
                meet(&members).await?;
            }
            Some(Trouble::Kill) => drop(members.pop()),
        }
        let after = reasons(&members).await;
        let more = after.into_iter().map(|(name, count)| {
            let before = before.get(&name).copied().unwrap_or(0);
            (name, count.saturating_sub(before))
        });
        round.reasons = more.filter(|(_, count)| *count > 0).collect();
        rounds.push(round);
    }
    Ok(rounds)
}

async fn start(
    github: &GitHub,
    place: &Path,
    numbers: std::ops::Range<u64>,
    share: Share<'_>,
) -> anyhow::Result<Vec<Member>> {
    let origin = github.url();
    let starting = numbers.map(|number| {
        let (folder, token) = (place.join(number.to_string()), github.token(number));
        let origin = &origin;
        async move { Member::start(origin, &folder, share, token).await }
    });
    stream::iter(starting)
        .buffered(STARTING)
        .try_collect()
        .await
}

/// Waits until everybody is connected with everybody.
async fn meet(members: &[Member]) -> anyhow::Result<()> {
    let others = members.len() - 1;
    try_join_all(members.iter().map(|member| member.meets(others))).await?;
    Ok(())
}

/// What all daemons say of their peers.
async fn reasons(members: &[Member]) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for member in members {
        for (name, count) in member.reasons().await {
            if OF_PEERS.iter().any(|of| name.contains(of)) {
                *all.entry(name).or_default() += count;
            }
        }
    }
    all
}
