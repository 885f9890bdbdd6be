//! Which token programs here will use, of what kind it is, and how it may have been spoilt on its way
//! into a variable. Nothing here keeps the token itself.

use http::HeaderValue;

use super::finding::{Area, Finding};
use crate::secret::{Authorization, TokenKind};

/// How a token was spoilt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A line break or a blank, at an end or inside.
    Blank,
    /// Quotes around it.
    Quotes,
    /// `Bearer ` or `token ` before it.
    Scheme,
    /// What stands for a secret: `***` of a log, `${{ … }}`, `$NAME`.
    Placeholder,
    /// Bytes that no header can carry.
    Bytes,
}

impl Fault {
    /// What is wrong with `token`, if anything.
    pub(super) fn of(token: &str) -> Option<Self> {
        let inside = token.trim();
        let quoted =
            |quote| inside.len() > 1 && inside.starts_with(quote) && inside.ends_with(quote);
        let scheme = |name: &str| {
            let start = inside.get(..name.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        match () {
            () if inside.starts_with('$') || inside.trim_matches('*').is_empty() => {
                Some(Self::Placeholder)
            }
            () if quoted('"') || quoted('\'') => Some(Self::Quotes),
            () if scheme("bearer ") || scheme("token ") => Some(Self::Scheme),
            () if token.contains(char::is_whitespace) => Some(Self::Blank),
            () if HeaderValue::from_str(token).is_err() || !token.is_ascii() => Some(Self::Bytes),
            () => None,
        }
    }
}

/// A token that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The variable, or "gh's hosts.yml".
    pub(super) place: &'static str,
    pub(super) kind: TokenKind,
    pub(super) fault: Option<Fault>,
}

impl Found {
    pub(super) fn of(token: &str, variable: Option<&'static str>) -> Self {
        let value = zeroize::Zeroizing::new(format!("token {}", token.trim()));
        Self {
            place: variable.unwrap_or("gh's hosts.yml"),
            kind: Authorization::new(Some(value.as_bytes())).kind(),
            fault: Fault::of(token),
        }
    }

    /// The token in words that reveal nothing.
    pub(super) fn name(&self) -> String {
        format!("{} ({})", kind(self.kind), self.place)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// The token that `gh` and `ghswarm api` take.
    pub(super) found: Option<Found>,
    /// Variables that hold another token than the one that is taken.
    pub(super) others: Vec<&'static str>,
    pub(super) in_job: bool,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(found) = &facts.found else {
        return vec![none(facts.in_job)];
    };
    let mut findings = vec![match found.fault {
        Some(fault) => spoilt(found.place, fault),
        None => kinds(found),
    }];
    if facts.in_job && found.fault.is_none() && found.kind == TokenKind::Installation {
        let what = "a job's token is another one in every job: it can never be the shared secret of \
                    a swarm";
        let fix = "nothing, for the cache; where runners need a secret in common, take one of the \
                   repository or organisation";
        findings.push(Finding::note(Area::Token, what).fixed_by(fix));
    }
    if !facts.others.is_empty() {
        let others = facts.others.join(" and ");
        let what = format!(
            "{others} holds another token than {}: some programs prefer one, some the other, and \
             each has a budget of its own",
            found.place
        );
        let fix = "keep one of them where programs of both kinds should share what is cached";
        findings.push(Finding::note(Area::Token, what).fixed_by(fix));
    }
    findings
}

fn none(in_job: bool) -> Finding {
    if in_job {
        let what = "there is no token in this step: gh and `ghswarm api` will refuse to work";
        let fix = "give the step `env: { GH_TOKEN: ${{ github.token }} }`. In pull requests from \
                   forks the secrets of the repository are empty; github.token is there";
        return Finding::warning(Area::Token, what, fix);
    }
    let what = "there is no token: anonymous calls have 60 an hour";
    Finding::note(Area::Token, what).fixed_by("set GH_TOKEN, or run `gh auth login`")
}

fn spoilt(place: &str, fault: Fault) -> Finding {
    let (what, fix) = match fault {
        Fault::Blank => (
            "holds a line break or a blank",
            format!(
                "store it again without: `printf %s \"$TOKEN\" | gh secret set {place}`, not `echo`"
            ),
        ),
        Fault::Quotes => (
            "holds quotes around the token",
            "take them away: in `.env` files and YAML blocks quotes are part of the value"
                .to_owned(),
        ),
        Fault::Scheme => (
            "begins with a scheme (Bearer or token) as a header would",
            "store the token alone: programs add the scheme themselves".to_owned(),
        ),
        Fault::Placeholder => (
            "holds what stands for a secret, and not the secret",
            "look where it is set: an expression or a variable was not filled in, or a value was \
             copied out of a log that masks it"
                .to_owned(),
        ),
        Fault::Bytes => (
            "holds bytes that are in no token",
            "store it again; a file with another encoding or a prompt's colour was read along"
                .to_owned(),
        ),
    };
    let what = format!("{place} {what}: GitHub will say 401, or the request cannot be sent");
    Finding::problem(Area::Token, what, fix)
}

fn kinds(found: &Found) -> Finding {
    let name = found.name();
    match found.kind {
        TokenKind::AppJwt => {
            let what = format!("{name}: it can ask about the App alone, and for ten minutes");
            let fix = "exchange it for an installation token: actions/create-github-app-token";
            Finding::warning(Area::Token, what, fix)
        }
        TokenKind::Other | TokenKind::Anonymous => {
            let what = format!("{name}: an older one, or one of another host");
            Finding::note(Area::Token, what)
                .fixed_by("`ghswarm doctor --probe` asks GitHub about it")
        }
        _ => Finding::ok(Area::Token, name),
    }
}

const fn kind(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Anonymous => "no token",
        TokenKind::Classic => "classic personal access token",
        TokenKind::FineGrained => "fine-grained personal access token",
        TokenKind::OAuth => "token of an OAuth app for a user",
        TokenKind::UserToServer => "token of a GitHub App for a user",
        TokenKind::Installation => "installation token",
        TokenKind::AppJwt => "JSON Web Token of a GitHub App",
        TokenKind::Other => "token of an unknown form",
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const JOB: &str = "ghs_0123456789";

    fn facts(token: Option<&str>, in_job: bool) -> Facts {
        Facts {
            found: token.map(|token| Found::of(token, Some("GITHUB_TOKEN"))),
            others: Vec::new(),
            in_job,
        }
    }

    #[test]
    fn what_happens_to_tokens_on_their_way_is_named() {
        for (token, fault) in [
            ("ghp_1", None),
            ("ghp_1\n", Some(Fault::Blank)),
            (" ghp_1", Some(Fault::Blank)),
            ("ghp_1\nghp_2", Some(Fault::Blank)),
            ("\"ghp_1\"", Some(Fault::Quotes)),
            ("'ghp_1'\n", Some(Fault::Quotes)),
            ("Bearer ghp_1", Some(Fault::Scheme)),
            ("token ghp_1", Some(Fault::Scheme)),
            ("***", Some(Fault::Placeholder)),
            ("${{ secrets.X }}", Some(Fault::Placeholder)),
            ("$GH_TOKEN", Some(Fault::Placeholder)),
            ("ghp_\u{1b}1", Some(Fault::Bytes)),
            ("ghp_é", Some(Fault::Bytes)),
        ] {
            assert_eq!(Fault::of(token), fault, "{token:?}");
            if fault.is_some() {
                let found = check(&facts(Some(token), false));
                Finding::assert_one(&found, Level::Problem, "GITHUB_TOKEN");
            }
        }
    }

    #[test]
    fn a_token_is_told_by_its_kind_alone() {
        let found = check(&facts(Some(JOB), true));
        Finding::assert_fine(&found);
        assert_eq!(found[0].what, "installation token (GITHUB_TOKEN)");
        Finding::assert_one(&found, Level::Note, "shared secret");
        let jwt = check(&facts(Some("eyJhbGciOi"), false));
        Finding::assert_one(&jwt, Level::Warning, "installation token");
        for token in [JOB, "Bearer ghs_0123456789", "eyJ0123456789"] {
            let shown = format!("{:?}", check(&facts(Some(token), true)));
            assert!(!shown.contains("0123456789"), "{shown}");
        }
    }

    #[test]
    fn without_a_token_a_job_is_warned() {
        Finding::assert_one(&check(&facts(None, true)), Level::Warning, "forks");
        Finding::assert_fine(&check(&facts(None, false)));
    }

    #[test]
    fn two_different_tokens_are_worth_a_note() {
        let both = Facts {
            others: vec!["GH_TOKEN"],
            ..facts(Some("ghp_1"), false)
        };
        Finding::assert_fine(&check(&both));
        Finding::assert_one(&check(&both), Level::Note, "GH_TOKEN");
    }
}
