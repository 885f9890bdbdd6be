//! What a handler answers, before ETag, limits and encodings are added.

use bytes::Bytes;
use serde_json::{Value, json};

/// The body of an answer.
#[derive(Clone, Debug)]
pub enum Body {
    /// No body.
    Empty,
    /// JSON, sent compact.
    Json(Value),
    /// Anything else, with its Content-Type.
    Raw(&'static str, Bytes),
}

/// Where the ETag comes from.
#[derive(Clone, Debug)]
pub enum Tag {
    /// The formula over the body.
    OfBody,
    /// The object id of a git object (contents and readme).
    GitObject(String),
    /// No ETag: search, errors, redirects, `GraphQL`.
    None,
}

/// What `Cache-Control` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// 60 seconds; private if somebody is signed in.
    Minute,
    /// A day: git objects by their id.
    Day,
    /// `no-cache`: search and `/rate_limit`.
    NoCache,
    /// `public, must-revalidate, max-age=0`: redirects to archives.
    Revalidate,
    /// No header: errors, writes and `GraphQL`.
    Silent,
}

/// An answer of a handler.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Body,
    /// The ETag's source.
    pub tag: Tag,
    /// The Cache-Control rule.
    pub caching: Caching,
    /// Last-Modified, where GitHub has one.
    pub modified: Option<u64>,
    /// More headers, in order.
    pub headers: Vec<(&'static str, String)>,
    /// `GraphQL` points that this answer costs.
    pub points: u64,
}

/// A refusal: GitHub's error object.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status code.
    pub status: u16,
    /// `message`.
    pub message: String,
    /// `errors`, mostly of a 422.
    pub errors: Option<Value>,
}

/// What handlers return.
pub type Reply = Result<Answer, Refusal>;

impl Answer {
    fn with(status: u16, body: Body, tag: Tag, caching: Caching) -> Self {
        Self {
            status,
            body,
            tag,
            caching,
            modified: None,
            headers: Vec::new(),
            points: 1,
        }
    }

    /// 200 with JSON and an ETag over it.
    pub fn json(body: Value) -> Self {
        Self::with(200, Body::Json(body), Tag::OfBody, Caching::Minute)
    }

    /// 201 with JSON and a Location if the body has an `url`.
    pub fn created(body: Value) -> Self {
        let url = body["url"].as_str().map(str::to_owned);
        let mut answer = Self::json(body);
        answer.status = 201;
        answer.headers.extend(url.map(|url| ("location", url)));
        answer
    }

    /// 200 with another media type.
    pub fn raw(content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self::with(
            200,
            Body::Raw(content_type, bytes.into()),
            Tag::OfBody,
            Caching::Minute,
        )
    }

    /// 204.
    pub fn no_content() -> Self {
        Self::with(204, Body::Empty, Tag::None, Caching::Silent)
    }

    /// A redirect without a body, such as 302 to a signed address.
    pub fn redirect(status: u16, location: String) -> Self {
        let mut answer = Self::with(status, Body::Empty, Tag::None, Caching::Silent);
        answer.headers.push(("location", location));
        answer
    }

    /// With Last-Modified.
    #[must_use]
    pub fn modified(mut self, at: u64) -> Self {
        self.modified = Some(at);
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With another Cache-Control rule.
    #[must_use]
    pub fn caching(mut self, caching: Caching) -> Self {
        self.caching = caching;
        self
    }

    /// Without an ETag.
    #[must_use]
    pub fn untagged(mut self) -> Self {
        self.tag = Tag::None;
        self
    }

    /// With the id of a git object as ETag.
    #[must_use]
    pub fn git_object(mut self, sha: &str) -> Self {
        self.tag = Tag::GitObject(sha.to_owned());
        self
    }
}

impl Refusal {
    /// An error with GitHub's `message`.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            errors: None,
        }
    }

    /// 404, also for what the viewer may not know about.
    pub fn not_found() -> Self {
        Self::new(404, "Not Found")
    }

    /// 422 with one entry in `errors`.
    pub fn invalid(resource: &str, field: &str, code: &str) -> Self {
        let errors = json!([{"resource": resource, "field": field, "code": code}]);
        Self {
            status: 422,
            message: "Validation Failed".into(),
            errors: Some(errors),
        }
    }

    /// The answer for this refusal; `docs` is the path of the operation's documentation.
    pub fn answer(self, docs: &str) -> Answer {
        let mut body = json!({
            "message": self.message,
            "documentation_url": format!("https://docs.github.com/{docs}"),
            "status": self.status.to_string(),
        });
        if let Some(errors) = self.errors {
            body["errors"] = errors;
        }
        Answer::with(self.status, Body::Json(body), Tag::None, Caching::Silent)
    }
}

impl From<crate::state::Missing> for Refusal {
    fn from(_: crate::state::Missing) -> Self {
        Self::not_found()
    }
}
