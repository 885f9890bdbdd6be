//! One burst: everybody asks for everything.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ghswarm_lab::usage::Tally;
use rustix::process::Signal;
use tokio::time::{interval, sleep_until};

use crate::github::{GitHub, PRIVATE, PUBLIC, title};
use crate::herd::Size;
use crate::member::Member;

/// What happens to the last member in the middle of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Its process is killed: its connections are closed.
    Kill,
    /// Its process stands still: its connections stay, and nothing comes.
    Stop,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Round {
    pub(crate) name: &'static str,
    pub(crate) shares: bool,
    pub(crate) trouble: Option<Trouble>,
    /// Different URLs.
    pub(crate) urls: u64,
    /// From when they should be asked to the last question, of one URL or of all that begin together.
    pub(crate) asked_within: Duration,
    /// How long each answer took, the longest last.
    pub(crate) took: Vec<Duration>,
    pub(crate) failures: Vec<String>,
    /// What GitHub counted.
    pub(crate) usage: Tally,
    /// The most bodies that GitHub gave for one URL.
    pub(crate) most: u64,
    /// The most secondary points of one token in a minute.
    pub(crate) points: u64,
    /// What the daemons say of their peers, by name.
    pub(crate) reasons: Vec<(String, u64)>,
}

/// A question and the title of its answer.
struct Url {
    path: String,
    title: String,
    /// When it is asked for, from the beginning of the round.
    at: Duration,
}

/// Half of the URLs are about the private repository. `as` makes them others than those of any other round.
fn urls(size: Size, round: &str) -> Vec<Url> {
    let urls = (0..size.urls).map(|number| {
        let repository = [PRIVATE, PUBLIC][usize::from(number % 2 == 1)];
        let issue = number / 2 + 1;
        Url {
            path: format!("/repos/{repository}/issues/{issue}?as={round}"),
            title: title(issue),
            at: match size.pace {
                0 => Duration::ZERO,
                pace => Duration::from_secs(number) / pace,
            },
        }
    });
    urls.collect()
}

/// Has every member ask for the URLs at once, or at their pace.
pub(crate) async fn ask(
    github: &GitHub,
    members: &[Member],
    size: Size,
    (name, trouble): (&'static str, Option<Trouble>),
) -> anyhow::Result<Round> {
    let count = size.urls;
    let urls = urls(size, &name.replace(' ', "-"));
    let (victim, others) = match (members.split_last(), trouble) {
        (Some((last, rest)), Some(_)) => (Some(last), rest),
        _ => (None, members),
    };
    github.forget();
    let began = Instant::now();
    let one = async |member: &Member, url: &Url| {
        sleep_until((began + url.at).into()).await;
        let asked = began.elapsed();
        let answer = member.ask(&url.path, &url.title).await;
        let failure = answer.err().map(|error| format!("{}: {error:#}", url.path));
        let late = asked.saturating_sub(url.at);
        (late, began.elapsed().saturating_sub(asked), failure)
    };
    // As their clients are started: runner by runner, and URL by URL.
    let mut answers: FuturesUnordered<_> = others
        .iter()
        .flat_map(|member| urls.iter().map(move |url| one(member, url)))
        .collect();
    // What becomes of those of the member in trouble is not its fault.
    let mut lost: FuturesUnordered<_> = victim
        .into_iter()
        .flat_map(|member| urls.iter().map(move |url| one(member, url)))
        .collect();
    let mut round = Round {
        name,
        shares: true,
        trouble,
        urls: count,
        asked_within: Duration::ZERO,
        took: Vec::new(),
        failures: Vec::new(),
        usage: Tally::default(),
        most: 0,
        points: 0,
        reasons: Vec::new(),
    };
    let mut waiting = victim.zip(trouble);
    let mut ticks = interval(Duration::from_millis(5));
    loop {
        tokio::select! {
            answer = answers.next() => match answer {
                Some((late, took, failure)) => {
                    round.asked_within = round.asked_within.max(late);
                    round.took.push(took);
                    round.failures.extend(failure);
                }
                None => break,
            },
            Some(_) = lost.next() => {}
            _ = ticks.tick(), if waiting.is_some() => {
                // In the middle: GitHub has been asked for a quarter of it all.
                if github.tally().requests * 4 >= count && let Some((member, trouble)) = waiting.take() {
                    member.signal(match trouble {
                        Trouble::Kill => Signal::KILL,
                        Trouble::Stop => Signal::STOP,
                    })?;
                }
            }
        }
    }
    anyhow::ensure!(waiting.is_none(), "{name}: it was over before the trouble");
    round.took.sort_unstable();
    round.usage = github.tally();
    round.points = github.points();
    round.most = github.bodies().into_values().max().unwrap_or(0);
    Ok(round)
}
