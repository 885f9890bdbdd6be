//! Whether the daemon answers on its port, and whether a port that was asked for can be had.

use std::net::SocketAddr;

use super::finding::{Area, Finding};

/// Who answers at an address of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Door {
    /// The daemon or its keeper.
    Ours,
    /// Nobody listens.
    Closed,
    /// Another program.
    Foreign,
    /// It cannot be told.
    Unknown(String),
}

/// Whether an address can be listened at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bind {
    Free,
    Taken,
    /// A port below 1024.
    Forbidden,
    /// The address is none of this machine, or the system refuses for another reason.
    Impossible(String),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// The `api_url` of a daemon that lives, and who answers there.
    pub(super) api: Option<(String, Door)>,
    /// `--listen`, when it asks for a certain port.
    pub(super) listen: Option<SocketAddr>,
    /// Whether that can be had; looked at when no daemon runs.
    pub(super) bind: Option<Bind>,
}

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((url, door)) = &facts.api {
        findings.push(open(url, door));
        let asked = facts.listen.map(|address| format!("http://{address}"));
        if let Some(asked) = asked.filter(|asked| asked != url) {
            let what = format!("--listen asks for {asked}, but the daemon that runs has {url}");
            let fix = "`ghswarm stop`, then `ghswarm start`";
            findings.push(Finding::warning(Area::Port, what, fix));
        }
    }
    if let (Some(address), Some(bind)) = (facts.listen, &facts.bind) {
        findings.push(wanted(address, bind));
    }
    findings
}

fn open(url: &str, door: &Door) -> Finding {
    match door {
        Door::Ours => Finding::ok(Area::Port, format!("the daemon answers at {url}")),
        Door::Closed => {
            let what =
                format!("the daemon says that it listens at {url}, but nobody answers there");
            let fix = "this shell is in another network namespace (a container?) than the daemon: \
                       start one here, or share the network; else `ghswarm stop` and `ghswarm start`";
            Finding::problem(Area::Port, what, fix)
        }
        Door::Foreign => {
            let what = format!("another program answers at {url}");
            let fix = "this shell is in another network namespace than the daemon: start one here";
            Finding::problem(Area::Port, what, fix)
        }
        Door::Unknown(why) => {
            let what = format!("{url} cannot be asked: {why}");
            let fix = "a firewall must let this machine talk to itself on 127.0.0.1";
            Finding::problem(Area::Port, what, fix)
        }
    }
}

fn wanted(address: SocketAddr, bind: &Bind) -> Finding {
    match bind {
        Bind::Free => Finding::ok(Area::Port, format!("{address} is free")),
        Bind::Taken => {
            let what = format!("{address} is taken by another program, so no daemon can start");
            let fix = format!(
                "`--listen 127.0.0.1:0` takes a free port; `ss -ltnp 'sport = :{}'` shows who has this one",
                address.port()
            );
            Finding::problem(Area::Port, what, fix)
        }
        Bind::Forbidden => {
            let what = format!("this user may not listen at {address}");
            let fix = "choose a port from 1024 on, or `--listen 127.0.0.1:0`";
            Finding::problem(Area::Port, what, fix)
        }
        Bind::Impossible(why) => {
            let what = format!("nobody can listen at {address}: {why}");
            Finding::problem(Area::Port, what, "`--listen 127.0.0.1:0` always works")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const URL: &str = "http://127.0.0.1:4000";

    #[test]
    fn a_door_that_is_not_the_daemons_is_a_problem() {
        let at = |door| {
            check(&Facts {
                api: Some((URL.to_owned(), door)),
                ..Facts::default()
            })
        };
        Finding::assert_fine(&at(Door::Ours));
        Finding::assert_one(&at(Door::Closed), Level::Problem, "namespace");
        Finding::assert_one(&at(Door::Foreign), Level::Problem, "another program");
        Finding::assert_one(&at(Door::Unknown("x".into())), Level::Problem, "firewall");
    }

    #[test]
    fn a_port_that_was_asked_for_must_be_free() {
        let at = |bind| {
            check(&Facts {
                listen: Some(([127, 0, 0, 1], 80).into()),
                bind: Some(bind),
                ..Facts::default()
            })
        };
        Finding::assert_fine(&at(Bind::Free));
        Finding::assert_one(&at(Bind::Taken), Level::Problem, "sport = :80");
        Finding::assert_one(&at(Bind::Forbidden), Level::Problem, "1024");
        Finding::assert_one(
            &at(Bind::Impossible("x".into())),
            Level::Problem,
            "127.0.0.1:0",
        );
    }

    #[test]
    fn a_daemon_on_another_port_than_asked_for_is_a_warning() {
        let at = |port| {
            check(&Facts {
                api: Some((URL.to_owned(), Door::Ours)),
                listen: Some(([127, 0, 0, 1], port).into()),
                bind: None,
            })
        };
        Finding::assert_fine(&at(4000));
        Finding::assert_one(&at(4001), Level::Warning, "ghswarm stop");
    }
}
