//! The caller's token: from the environment, or from what `gh auth login` wrote.

use zeroize::Zeroizing;

use super::super::gh_config;
use super::endpoint::GITHUB;
use crate::config::{Environment, env};

/// A token, and where it stood.
pub(in super::super) struct Found {
    /// The token, as it stood there.
    pub(in super::super) token: Zeroizing<String>,
    /// The variable; `None`: gh's `hosts.yml`.
    pub(in super::super) variable: Option<&'static str>,
}

/// The token for `host`, in the order of `gh`.
pub(super) fn find(host: &str, environment: &Environment) -> Option<Zeroizing<String>> {
    look(host, environment).map(|found| found.token)
}

/// The token for `host`, in the order of `gh`, and where it stood.
pub(in super::super) fn look(host: &str, environment: &Environment) -> Option<Found> {
    let host = host.to_ascii_lowercase();
    let variables = if host == GITHUB || host.ends_with(".ghe.com") {
        [env::GH_TOKEN, env::GITHUB_TOKEN]
    } else {
        [env::GH_ENTERPRISE_TOKEN, env::GITHUB_ENTERPRISE_TOKEN]
    };
    let given = variables.into_iter().find_map(|variable| {
        Some(Found {
            token: Zeroizing::new(environment.get(variable)?.to_owned()),
            variable: Some(variable),
        })
    });
    given.or_else(|| {
        let path = gh_config::of_user(environment)?.join("hosts.yml");
        let token = in_hosts(&Zeroizing::new(std::fs::read_to_string(path).ok()?), &host)?;
        Some(Found {
            token,
            variable: None,
        })
    })
}

/// The `oauth_token` of `host` in a `hosts.yml`.
///
/// A reader of two levels instead of a YAML parser: `gh` writes this file itself, always as a block
/// mapping of hosts to plain scalars, and the token of the account in use stands right under its host.
/// The tokens of other accounts, one level deeper, are not meant. In a file of any other form there is
/// no token, which is what `gh` without one says, too.
fn in_hosts(text: &str, host: &str) -> Option<Zeroizing<String>> {
    let mut lines = text.lines().skip_while(|line| {
        line.strip_suffix(':')
            .map(unquoted)
            .is_none_or(|name| !name.eq_ignore_ascii_case(host))
    });
    lines.next()?;
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let mut of_host = lines.take_while(|line| line.trim().is_empty() || indentation(line) > 0);
    let first = of_host.find(|line| !line.trim().is_empty())?;
    let depth = indentation(first);
    std::iter::once(first)
        .chain(of_host)
        .filter(|line| indentation(line) == depth)
        .find_map(|line| line.trim_start().strip_prefix("oauth_token:"))
        .map(|value| unquoted(value.trim()))
        .filter(|value| !value.is_empty())
        .map(|value| Zeroizing::new(value.to_owned()))
}

fn unquoted(text: &str) -> &str {
    let inside = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "\
ghe.example:
    oauth_token: other
github.com:
    users:
        hubot:
            oauth_token: not-in-use
        octocat:
    git_protocol: https
    oauth_token: \"in-use\"
    user: octocat
";

    fn token(text: &str, host: &str) -> Option<String> {
        in_hosts(text, host).map(|token| token.to_string())
    }

    #[test]
    fn the_account_in_use_is_the_one_right_under_the_host() {
        assert_eq!(token(HOSTS, "github.com").as_deref(), Some("in-use"));
        assert_eq!(token(HOSTS, "ghe.example").as_deref(), Some("other"));
        assert_eq!(token(HOSTS, "elsewhere.example"), None);
    }

    #[test]
    fn a_token_in_the_keyring_is_not_in_the_file() {
        assert_eq!(
            token("github.com:\n    user: octocat\n", "github.com"),
            None
        );
        assert_eq!(token("github.com:\n", "github.com"), None);
        assert_eq!(token("", "github.com"), None);
    }

    #[test]
    fn each_host_has_its_variables() {
        let environment = Environment::from_pairs(&[
            ("GITHUB_TOKEN", "job"),
            ("GH_ENTERPRISE_TOKEN", "enterprise"),
        ]);
        let token = |host: &str| find(host, &environment).map(|token| token.to_string());
        assert_eq!(token("github.com").as_deref(), Some("job"));
        assert_eq!(token("acme.ghe.com").as_deref(), Some("job"));
        assert_eq!(token("ghe.example").as_deref(), Some("enterprise"));
    }
}
