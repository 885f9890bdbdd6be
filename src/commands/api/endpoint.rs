//! Which host and which path are asked.

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

/// The public GitHub.
pub(super) const GITHUB: &str = "github.com";

/// Where the API of a GitHub host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// The host that is asked.
    api: String,
    /// What stands before a REST path.
    rest: &'static str,
    /// The path of GraphQL.
    graphql: &'static str,
}

impl Host {
    /// The API of `name`: github.com and its data residency hosts have one of their own, a GitHub
    /// Enterprise Server has it under a path.
    pub(super) fn new(name: &str) -> anyhow::Result<Self> {
        let name = name.to_ascii_lowercase();
        let odd = |character: char| {
            !(character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | ':' | '[' | ']'))
        };
        if name.is_empty() || name.contains(odd) {
            bail!("--hostname {name:?} is not a host name");
        }
        if name == GITHUB || name.ends_with(".ghe.com") {
            return Ok(Self {
                api: format!("api.{name}"),
                rest: "",
                graphql: "/graphql",
            });
        }
        Ok(Self {
            api: name,
            rest: "/api/v3",
            graphql: "/api/graphql",
        })
    }
}

/// What is asked: a host, a path and a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// The host, with its port if that is not the scheme's.
    pub(super) host: String,
    /// Path and query.
    pub(super) target: String,
    api: Host,
    graphql: bool,
}

impl Endpoint {
    /// Reads what was typed: a path with or without its slash, `graphql`, or a whole URL.
    pub(super) fn parse(path: &str, api: Host) -> anyhow::Result<Self> {
        if path.starts_with("https://") || path.starts_with("http://") {
            return Self::of_url(path, api);
        }
        if path.trim_matches('/') == "graphql" {
            let target = api.graphql.to_owned();
            return Ok(Self {
                host: api.api.clone(),
                target,
                api,
                graphql: true,
            });
        }
        let whole = format!(
            "https://{}{}/{}",
            api.api,
            api.rest,
            path.trim_start_matches('/')
        );
        Self::of_url(&whole, api)
    }

    /// Where a `Link` or `Location` of this endpoint's answer leads.
    pub(super) fn follow(&self, reference: &str) -> anyhow::Result<Self> {
        let here = Url::parse(&format!("https://{}{}", self.host, self.target))?;
        let there = here
            .join(reference)
            .with_context(|| format!("{reference:?} leads nowhere"))?;
        Self::of_url(there.as_str(), self.api.clone())
    }

    fn of_url(url: &str, api: Host) -> anyhow::Result<Self> {
        let url = Url::parse(url).with_context(|| format!("{url:?} is not a path or URL"))?;
        let host = url
            .host_str()
            .with_context(|| format!("{url} has no host"))?;
        let host = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self {
            host,
            target,
            api,
            graphql: false,
        })
    }

    /// Whether this is the GraphQL API.
    pub(super) fn is_graphql(&self) -> bool {
        self.graphql
    }

    /// Whether the host may see the token: the API, and where it takes uploads.
    pub(super) fn takes_token(&self) -> bool {
        self.host == self.api.api
            || (self.api.api == "api.github.com" && self.host == "uploads.github.com")
    }

    /// Adds `fields` to the query, nested ones as `name[]` and `name[key]`.
    pub(super) fn add_query(&mut self, fields: &Map<String, Value>) {
        let mut pairs = Vec::new();
        for (name, value) in fields {
            flatten(name.clone(), value, &mut pairs);
        }
        if pairs.is_empty() {
            return;
        }
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.target
            .push(if self.target.contains('?') { '&' } else { '?' });
        self.target.push_str(&query);
    }

    /// Asks for full pages, unless the query says how large they are.
    pub(super) fn fill_pages(&mut self) {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let sized = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "per_page");
        if !sized {
            self.target
                .push(if self.target.contains('?') { '&' } else { '?' });
            self.target.push_str("per_page=100");
        }
    }
}

fn flatten(name: String, value: &Value, pairs: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => pairs.push((name, text.clone())),
        Value::Null => pairs.push((name, String::new())),
        Value::Bool(_) | Value::Number(_) => pairs.push((name, value.to_string())),
        Value::Array(values) => {
            for value in values {
                flatten(format!("{name}[]"), value, pairs);
            }
        }
        Value::Object(values) => {
            for (key, value) in values {
                flatten(format!("{name}[{key}]"), value, pairs);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(path: &str, host: &str) -> Endpoint {
        Endpoint::parse(path, Host::new(host).unwrap()).unwrap()
    }

    #[test]
    fn each_kind_of_host_has_its_api_elsewhere() {
        for (path, host, asked, target) in [
            ("user", "github.com", "api.github.com", "/user"),
            ("/user", "GitHub.com", "api.github.com", "/user"),
            ("graphql", "github.com", "api.github.com", "/graphql"),
            ("user", "acme.ghe.com", "api.acme.ghe.com", "/user"),
            (
                "user",
                "ghe.example:8443",
                "ghe.example:8443",
                "/api/v3/user",
            ),
            ("graphql", "ghe.example", "ghe.example", "/api/graphql"),
            (
                "https://api.github.com/a?b=c",
                "github.com",
                "api.github.com",
                "/a?b=c",
            ),
            ("a b/ü", "github.com", "api.github.com", "/a%20b/%C3%BC"),
        ] {
            let endpoint = parse(path, host);
            assert_eq!(
                (endpoint.host.as_str(), endpoint.target.as_str()),
                (asked, target)
            );
        }
        assert!(Host::new("a/b").is_err() && Host::new("").is_err());
    }

    #[test]
    fn the_token_goes_to_github_alone() {
        assert!(parse("user", "github.com").takes_token());
        assert!(parse("https://uploads.github.com/x", "github.com").takes_token());
        assert!(!parse("https://api.github.com.evil.example/x", "github.com").takes_token());
        let elsewhere = parse("user", "github.com")
            .follow("https://objects.example/x")
            .unwrap();
        assert!(!elsewhere.takes_token());
        let next = parse("user/repos", "github.com")
            .follow("/user/repos?page=2")
            .unwrap();
        assert!(next.takes_token() && next.target == "/user/repos?page=2");
    }

    #[test]
    fn fields_of_a_get_go_into_its_query() {
        let mut endpoint = parse("search?q=x", "github.com");
        let fields = json!({"a": "b c", "n": 3, "l": ["x", true], "o": {"k": null}});
        endpoint.add_query(fields.as_object().unwrap());
        let query = endpoint.target.strip_prefix("/search?q=x&").unwrap();
        assert_eq!(
            query,
            "a=b+c&n=3&l%5B%5D=x&l%5B%5D=true&o%5Bk%5D="
                .replace("n=3&l%5B%5D=x&l%5B%5D=true", "l%5B%5D=x&l%5B%5D=true&n=3")
        );
        endpoint.fill_pages();
        assert!(endpoint.target.ends_with("&per_page=100"));
        let mut sized = parse("x?per_page=7", "github.com");
        sized.fill_pages();
        assert_eq!(sized.target, "/x?per_page=7");
    }
}
