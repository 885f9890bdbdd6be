//! What each client has to be told, with the port of the daemon that runs, and whether this shell tells
//! it already.

use std::path::PathBuf;

use url::Url;

use super::finding::{Area, Finding};
use super::proxy::is_local;

#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// Where clients find the daemon, if one runs.
    pub(super) api_url: Option<String>,
    pub(super) socket: Option<PathBuf>,
    /// What is set in this shell.
    pub(super) github_api_url: Option<String>,
    pub(super) github_base_url: Option<String>,
    pub(super) renovate_endpoint: Option<String>,
    pub(super) in_job: bool,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let Some(url) = facts.api_url.as_deref() else {
        let what = "without a daemon there is no address to tell them";
        let fix = "`ghswarm start`, then `ghswarm doctor` again";
        let mut findings = vec![Finding::note(Area::Clients, what).fixed_by(fix)];
        findings.extend(astray(facts, ""));
        return findings;
    };
    let socket = facts
        .socket
        .as_ref()
        .map(|socket| socket.display().to_string());
    let curl = match &socket {
        Some(socket) => {
            format!("`curl {url}/user`, or `--unix-socket {socket} http://api.github.com/user`")
        }
        None => format!("`curl {url}/user`"),
    };
    let say = |client: &str, what: &str| Finding::note(Area::Clients, format!("{client}: {what}"));
    let mut findings = Vec::from_iter(astray(facts, url));
    findings.extend([
        say(
            "octokit",
            &format!("`new Octokit({{ baseUrl: \"{url}\" }})`"),
        ),
        actions_github(facts, url),
        say(
            "github-script",
            &format!("`with: {{ base-url: \"{url}\" }}`"),
        ),
        say("PyGithub", &format!("`Github(base_url=\"{url}\", auth=…)`")),
        say(
            "go-github",
            &format!("`client.WithEnterpriseURLs(\"{url}\", \"{url}\")`"),
        ),
        say(
            "octocrab",
            &format!("`Octocrab::builder().base_uri(\"{url}\")`"),
        ),
        by_variable(
            "Terraform",
            "GITHUB_BASE_URL",
            facts.github_base_url.as_deref(),
            url,
        ),
        by_variable(
            "Renovate",
            "RENOVATE_ENDPOINT",
            facts.renovate_endpoint.as_deref(),
            &format!("{url}/api/v3"),
        ),
        say("curl and scripts", &curl),
    ]);
    findings
}

/// The one client that reads where the API is from the runner's variable.
fn actions_github(facts: &Facts, url: &str) -> Finding {
    if is(facts.github_api_url.as_deref(), url) {
        let what = "@actions/github: GITHUB_API_URL names the daemon in this shell";
        return Finding::ok(Area::Clients, what);
    }
    let anew = if facts.in_job {
        "; the runner sets the variable anew at every step, so GITHUB_ENV cannot carry it"
    } else {
        ""
    };
    let what = format!(
        "@actions/github: `GITHUB_API_URL={url}` in the step's shell, or \
         `getOctokit(token, {{ baseUrl: \"{url}\" }})`{anew}"
    );
    Finding::note(Area::Clients, what)
}

fn by_variable(client: &str, variable: &str, value: Option<&str>, url: &str) -> Finding {
    if is(value, url) {
        let what = format!("{client}: {variable} names the daemon in this shell");
        return Finding::ok(Area::Clients, what);
    }
    Finding::note(Area::Clients, format!("{client}: `{variable}={url}/`"))
}

fn is(value: Option<&str>, url: &str) -> bool {
    let bare = |url: &str| {
        url.trim_end_matches('/')
            .trim_end_matches("/api/v3")
            .to_owned()
    };
    value.is_some_and(|value| bare(value) == bare(url))
}

/// `GITHUB_API_URL` names a port of this machine that is not the daemon's.
fn astray(facts: &Facts, url: &str) -> Option<Finding> {
    let value = facts.github_api_url.as_deref()?;
    let parsed = Url::parse(value).ok()?;
    if !is_local(&parsed) || is(Some(value), url) {
        return None;
    }
    let shown = format!("{}:{}", parsed.host_str()?, parsed.port_or_known_default()?);
    let what = format!(
        "GITHUB_API_URL names {shown}, which is not this daemon: its daemon is gone, or another one"
    );
    let fix = "`eval \"$(ghswarm env --start)\"`, or `unset GITHUB_API_URL GITHUB_GRAPHQL_URL`";
    Some(Finding::problem(Area::Clients, what, fix))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const URL: &str = "http://127.0.0.1:4000";

    fn facts(github_api_url: Option<&str>) -> Facts {
        Facts {
            api_url: Some(URL.to_owned()),
            socket: Some("/s".into()),
            github_api_url: github_api_url.map(str::to_owned),
            ..Facts::default()
        }
    }

    #[test]
    fn every_client_is_told_the_real_port() {
        let found = check(&facts(None));
        Finding::assert_fine(&found);
        for client in [
            "octokit",
            "@actions/github",
            "github-script",
            "PyGithub",
            "go-github",
            "octocrab",
            "Terraform",
            "Renovate",
            "curl",
        ] {
            let line = found
                .iter()
                .find(|finding| finding.what.starts_with(client));
            assert!(
                line.is_some_and(|line| line.what.contains(URL)),
                "{client}: {found:#?}"
            );
        }
    }

    #[test]
    fn what_this_shell_says_already_is_seen() {
        for value in [
            URL,
            "http://127.0.0.1:4000/",
            "http://127.0.0.1:4000/api/v3",
        ] {
            Finding::assert_one(&check(&facts(Some(value))), Level::Ok, "GITHUB_API_URL");
        }
        let terraform = Facts {
            github_base_url: Some(format!("{URL}/")),
            ..facts(None)
        };
        Finding::assert_one(&check(&terraform), Level::Ok, "Terraform");
        Finding::assert_fine(&check(&facts(Some("https://api.github.com"))));
    }

    #[test]
    fn the_port_of_an_earlier_daemon_is_a_problem() {
        let old = check(&facts(Some("http://127.0.0.1:3999")));
        Finding::assert_one(&old, Level::Problem, "127.0.0.1:3999");
        let without = Facts {
            api_url: None,
            ..facts(Some("http://localhost:3999"))
        };
        Finding::assert_one(&check(&without), Level::Problem, "ghswarm env --start");
        let user = check(&facts(Some("http://u:s3cret@127.0.0.1:3999")));
        assert!(!format!("{user:?}").contains("s3cret"));
    }
}
