//! One request at a time: who asks, what is left, which route, what it costs.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Response};

use crate::answer::{Answer, Refusal, Reply};
use crate::clock::Clock;
use crate::fault::{Fault, Faults};
use crate::finish;
use crate::github::Change;
use crate::limits::{Family, Limits, MAX_CONCURRENT};
use crate::redirect;
use crate::refuse;
use crate::request::Call;
use crate::routes::{self, Route, Scope};
use crate::seed::Seed;
use crate::state::State;
use crate::token::{Access, Token, TokenSpec, Tokens, Viewer};
use crate::usage::{Entry, Ledger, Seen};

/// How many changes may wait in the script.
const SCRIPT: usize = 10_000;
/// Request headers that the log keeps.
const LOGGED: [&str; 14] = [
    "accept",
    "accept-encoding",
    "authorization",
    "cache-control",
    "content-type",
    "if-modified-since",
    "if-none-match",
    "range",
    "time-zone",
    "user-agent",
    "via",
    "x-github-api-version",
    "x-forwarded-for",
    "connection",
];

/// What can't change while a fake runs.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) base: String,
    pub(crate) enforce_secondary: bool,
    pub(crate) secondary_status: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base: "https://api.github.com".into(),
            enforce_secondary: false,
            secondary_status: 403,
        }
    }
}

/// All that a fake knows and counts.
pub(crate) struct Desk {
    pub(crate) config: Config,
    pub(crate) state: State,
    pub(crate) tokens: Tokens,
    pub(crate) limits: Limits,
    pub(crate) ledger: Ledger,
    pub(crate) faults: Faults,
    clock: Clock,
    seed: Seed,
    script: BTreeMap<(u64, u64), Change>,
    serial: u64,
}

/// An answer that is ready to be sent.
pub(crate) struct Done {
    pub(crate) response: Response<Bytes>,
}

/// What is known about a request when its answer is finished.
pub(crate) struct Context<'a> {
    pub(crate) call: &'a Call,
    pub(crate) viewer: &'a Viewer,
    pub(crate) now: u64,
    pub(crate) serial: u64,
}

impl Desk {
    pub(crate) fn new(config: Config, clock: Clock, seed: Seed) -> Self {
        let state = seed.plant(&config.base, clock.seconds());
        Self {
            config,
            state,
            tokens: Tokens::default(),
            limits: Limits::default(),
            ledger: Ledger::default(),
            faults: Faults::default(),
            clock,
            seed,
            script: BTreeMap::new(),
            serial: 0,
        }
    }

    pub(crate) fn mint(&mut self, spec: TokenSpec) -> Token {
        self.tokens.mint(spec, &self.state)
    }

    pub(crate) fn mint_app(&mut self) -> Token {
        self.tokens.mint_app(&self.state)
    }

    pub(crate) fn set_access(&mut self, token: &str, repo: &str, access: Option<Access>) {
        if let Ok(repo) = self.state.repo(repo) {
            self.tokens.set_access(token, repo.id, access);
        }
    }

    /// Keeps a change until the clock has passed `at` milliseconds.
    pub(crate) fn schedule(&mut self, at: u64, change: Change) {
        if self.script.len() < SCRIPT {
            self.serial += 1;
            self.script.insert((at, self.serial), change);
        }
    }

    /// Applies the changes whose time has come, each with the time it was meant for.
    pub(crate) fn catch_up(&mut self) {
        let now = self.clock.millis();
        while let Some(entry) = self.script.first_entry() {
            if entry.key().0 > now {
                break;
            }
            self.state.now = entry.key().0 / 1000;
            let change = entry.remove();
            change(&mut self.state);
        }
        self.state.now = now / 1000;
    }

    /// Goes back to the seed; tokens, limits and counts stay.
    pub(crate) fn replant(&mut self) {
        self.state = self.seed.plant(&self.config.base, self.clock.seconds());
    }

    /// Counts a request as open: its token, bucket, and how many that bucket has open.
    pub(crate) fn open(&mut self, call: &Call) -> (String, String, u64) {
        let viewer = self
            .viewer(call)
            .unwrap_or_else(|| Viewer::anonymous(&call.peer));
        let token = token_name(&viewer);
        let open = self.ledger.open(&token, &viewer.bucket);
        (token, viewer.bucket, open)
    }

    pub(crate) fn close(&mut self, token: &str, bucket: &str) {
        self.ledger.close(token, bucket);
    }

    /// Who asks; none if the token isn't known.
    fn viewer(&self, call: &Call) -> Option<Viewer> {
        if call.header("authorization").is_none() {
            return Some(Viewer::anonymous(&call.peer));
        }
        self.tokens.viewer(call.token()?, self.clock.seconds())
    }

    /// Puts a request into the log.
    pub(crate) fn keep(&mut self, call: &Call, status: u16) {
        let kept = LOGGED.iter().filter_map(|name| {
            let value = call.header(name)?;
            Some(((*name).to_owned(), value.to_owned()))
        });
        let query = if call.raw_query.is_empty() { "" } else { "?" };
        self.ledger.keep(Seen {
            method: call.method.to_string(),
            host: call.host.clone(),
            path: format!("{}{query}{}", call.raw_path, call.raw_query),
            headers: kept.collect(),
            status,
            at: self.clock.millis(),
        });
    }

    /// Answers a request; `open` is how many requests its bucket has open.
    pub(crate) fn answer(&mut self, call: &Call, fault: Option<&Fault>, open: u64) -> Done {
        self.catch_up();
        self.serial += 1;
        let response = match redirect::serve(call, self.state.now) {
            Some(response) => {
                let entry = Entry {
                    token: "anonymous".into(),
                    bucket: format!("host:{}", call.host),
                    operation: format!("{} {}", call.method, call.host),
                    status: response.status().as_u16(),
                    ..Entry::default()
                };
                self.ledger.count(&entry, self.state.now);
                response
            }
            None => self.api(call, fault, open),
        };
        self.keep(call, response.status().as_u16());
        Done { response }
    }

    /// An answer of the API's host.
    fn api(&mut self, call: &Call, fault: Option<&Fault>, open: u64) -> Response<Bytes> {
        let now = self.state.now;
        let call = routes::canonical(call, &self.state);
        let known = self.viewer(&call);
        let viewer = known
            .clone()
            .unwrap_or_else(|| Viewer::anonymous(&call.peer));
        let route = routes::find(&call);
        let graphql = call.path == "/graphql";
        let (family, resource) = match &route {
            Some((route, _)) if graphql => (Family::GraphQl, route.resource),
            Some((route, _)) => (Family::Rest, route.resource),
            None => (Family::Rest, "core"),
        };
        let points = secondary_points(&call, graphql);
        let docs = route.as_ref().map_or("rest", |(route, _)| route.docs);
        let refused = refuse::gatekeeper(&call)
            .or_else(|| fault.and_then(refuse::faulty))
            .or_else(|| {
                let unknown = Refusal::new(401, "Bad credentials").answer("rest");
                known.is_none().then_some(unknown)
            })
            .or_else(|| self.over_secondary(&viewer, family, points, open))
            .or_else(|| self.over_primary(&call, &viewer, resource));
        let free = resource == "rate_limit";
        let answer = match (refused, route) {
            (Some(refused), _) => refused,
            (None, Some((route, params))) => {
                let mut call = call.clone();
                call.params = params;
                self.handle(&viewer, route, &call)
                    .unwrap_or_else(|no| no.answer(docs))
            }
            (None, None) => Refusal::not_found().answer("rest"),
        };
        self.limits.spend(&viewer.bucket, family, points, now);
        let context = Context {
            call: &call,
            viewer: &viewer,
            now,
            serial: self.serial,
        };
        let cost = if graphql { answer.points } else { 1 };
        let limited = answer.headers.iter().any(|(name, _)| *name == "x-lab-over");
        let mut response = finish::finish(&context, answer);
        let free_304 = response.status() == 304 && !viewer.is_anonymous();
        let counted = !(free || free_304 || limited || fault.is_some_and(refuse::is_limit));
        let window = self
            .limits
            .window(&viewer, if free { "core" } else { resource }, now);
        if counted {
            window.used = (window.used + cost).min(window.limit);
        }
        finish::limit_headers(&mut response, window, if free { "core" } else { resource });
        let entry = Entry {
            token: token_name(&viewer),
            bucket: viewer.bucket.clone(),
            operation: routes::operation(&call),
            status: response.status().as_u16(),
            counted: u64::from(counted && !graphql),
            free_304,
            points,
            graphql: graphql.then_some(if counted { cost } else { 0 }),
        };
        self.ledger.count(&entry, now);
        response
    }

    fn handle(&mut self, viewer: &Viewer, route: &Route, call: &Call) -> Reply {
        let mut scope = Scope {
            state: &mut self.state,
            tokens: &mut self.tokens,
            limits: &mut self.limits,
            viewer,
        };
        if let Some(moved) = scope.moved(call) {
            return Ok(moved);
        }
        (route.handler)(&mut scope, call)
    }

    /// The refusal of a request over a secondary limit, if that is enforced.
    fn over_secondary(
        &mut self,
        viewer: &Viewer,
        family: Family,
        points: u64,
        open: u64,
    ) -> Option<Answer> {
        let now = self.state.now;
        let over = self
            .limits
            .would_exceed(&viewer.bucket, family, points, now);
        let refuses = self.config.enforce_secondary && (over || open > MAX_CONCURRENT);
        refuses.then(|| refuse::secondary(self.config.secondary_status, Some(60)))
    }

    /// The refusal of a request over its primary limit.
    fn over_primary(
        &mut self,
        call: &Call,
        viewer: &Viewer,
        resource: &'static str,
    ) -> Option<Answer> {
        if resource == "rate_limit" {
            return None;
        }
        let window = *self.limits.window(viewer, resource, self.state.now);
        if window.remaining() > 0 {
            return None;
        }
        Some(refuse::primary(viewer, resource, &call.peer))
    }
}

/// GET 1, writes 5, `GraphQL` 1 and 5.
fn secondary_points(call: &Call, graphql: bool) -> u64 {
    if graphql {
        return if crate::graphql::is_mutation(call) {
            5
        } else {
            1
        };
    }
    match call.method {
        Method::GET | Method::HEAD | Method::OPTIONS => 1,
        _ => 5,
    }
}

fn token_name(viewer: &Viewer) -> String {
    if viewer.is_anonymous() {
        "anonymous".into()
    } else {
        viewer.token.clone()
    }
}
