//! What the names of counters mean to people.

/// What a counter is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// Answers that peers were not given.
    Sharing,
    /// Answers that are not kept, and requests that the cache stayed out of.
    Keeping,
    /// Something that somebody should look at.
    Trouble,
}

/// A counter in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) about: About,
    /// What has happened.
    pub(super) what: &'static str,
    /// What to do about it, if anything.
    pub(super) fix: &'static str,
}

/// What `name` means; `None` for what is counted for those who read the source.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    let (about, what, fix) = sharing(name)
        .map(|(what, fix)| (About::Sharing, what, fix))
        .or_else(|| keeping(name).map(|what| (About::Keeping, what, "")))
        .or_else(|| trouble(name).map(|(what, fix)| (About::Trouble, what, fix)))?;
    Some(Meaning { about, what, fix })
}

fn sharing(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "not-shared-private" => (
            "only readers of the repository may see it, and these peers were admitted without a secret",
            "`pool-secret`, or `share-private: true` if all who can read the Actions cache may",
        ),
        "not-shared-of-caller" => ("what it says depends on who asks", ""),
        "not-shared-made-for-one" => ("it holds a token or a signed URL made for one caller", ""),
        "not-shared-unprovable" => (
            "GitHub's validator for it is not one that another runner could ask with",
            "",
        ),
        "not-shared-not-ours" => (
            "it came from elsewhere, and GitHub has not confirmed it here",
            "",
        ),
        "peer-not-shared" => (
            "another runner asked GitHub for it and may not share the answer",
            "",
        ),
        "offer-too-long" => ("it is longer than what is sent to peers", ""),
        _ => return None,
    })
}

fn keeping(name: &str) -> Option<&'static str> {
    Some(match name {
        "not-stored-status" => "an answer other than 200",
        "not-stored-no-store" => "GitHub said `no-store`",
        "not-stored-too-large" => "a body over `--body-limit`",
        "not-stored-too-slow" => "a body that took longer than 30 s",
        "not-stored-no-length" => "a body of unknown length that broke off",
        "not-stored-not-identity" => "a body that was coded on the way",
        "not-stored-content-type" => "neither JSON nor text",
        "not-stored-set-cookie" => "it sets a cookie",
        "not-stored-token" => "it hands out a token",
        "not-stored-rate-limit" | "rate-limit-query" => "it is about the caller's own limits",
        "not-stored-rate-limit-inside" => "GraphQL's `rateLimit` is among the data",
        "not-stored-graphql-errors" => "GraphQL answered with errors",
        "not-stored-vary-all" => "GitHub said `Vary: *`",
        "not-stored-malformed" => "GraphQL answered with something that is no JSON object",
        "unknown-header" => "a header field that may change the answer in unknown ways",
        "repeated-header" => "a header field came twice",
        "cookie" => "a request with a cookie",
        "range" => "a part of a body was asked for",
        "precondition" => "a precondition that is not about caching",
        "token" => "a read that hands out a token",
        "stream" => "an archive, a log or an asset",
        "basic" => "a name and a password",
        "path" => "a path that two readers could read differently",
        "too-long" => "a target longer than GitHub takes",
        "body" => "a read with a body",
        "method" => "neither a read nor a write",
        "other-host" => "another host than the API's",
        "long-query" | "unreadable-query" | "coded-query" => "a GraphQL query that cannot be read",
        _ => return None,
    })
}

fn trouble(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        "daemon-restarted" => (
            "the daemon died and was started again at once",
            "`daemon.log` in the state directory says how it ended; too little memory is a common cause",
        ),
        "cache-dir-unusable" => (
            "the cache directory could not be used, so nothing was kept on disk",
            "`cache-dir` or GHSWARM_CACHE_DIR names another place; `ghswarm doctor` says what is wrong with this one",
        ),
        "epoch-log-unusable" => (
            "the file by which the daemons of a host tell one another of writes could not be used, so GitHub was asked \
             about everything",
            "the cache directory must be on a local file system that can be written",
        ),
        "disk-full" => (
            "the disk was full: answers were not kept on it",
            "free some space, or lower `--disk-limit`",
        ),
        "disk-corrupt" | "disk-entry-unsound" | "disk-body-unsound" => (
            "something stored on disk was damaged, and was dropped",
            "`ghswarm cache verify` checks the rest; a disk that does so again may be failing",
        ),
        "disk-io" | "disk-readonly" | "disk-unavailable" | "disk-slow" | "disk-write-dropped" => (
            "the disk did not take what was written, or not in time",
            "`ghswarm doctor` looks at the cache directory; GHSWARM_CACHE_DIR names another place",
        ),
        "rate-limited" => (
            "GitHub refused calls because a rate limit was used up",
            "the table of budgets says whose; a token of another user or App has a budget of its own",
        ),
        "origin-unreachable" => (
            "GitHub could not be reached",
            "look at the network and at the proxy variables; `ghswarm doctor --probe` asks GitHub",
        ),
        "swarm-overloaded" | "peer-too-busy" | "tiers-busy" => (
            "peers asked for more than could be answered in time",
            "nothing is lost but a hit; a runner with more processors helps its peers",
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trouble_says_what_to_do() {
        for name in [
            "daemon-restarted",
            "disk-full",
            "rate-limited",
            "origin-unreachable",
        ] {
            let meaning = meaning(name).unwrap();
            assert!(
                meaning.about == About::Trouble && !meaning.fix.is_empty(),
                "{name}"
            );
        }
        assert_eq!(meaning("peer-held"), None);
    }

    /// The names are written twice, and a new one must not be forgotten here.
    #[test]
    fn every_name_of_the_request_path_is_known() {
        let bypasses = [
            "method",
            "unknown-header",
            "repeated-header",
            "cookie",
            "range",
            "precondition",
            "token",
            "stream",
            "basic",
            "path",
            "too-long",
            "body",
        ];
        for name in bypasses {
            assert_eq!(meaning(name).unwrap().about, About::Keeping, "{name}");
        }
    }
}
