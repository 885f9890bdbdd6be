//! What the answers of the service mean.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

/// How the service says that a token may not write, in a 200 whose `ok` is false; the start is what
/// clients may rely on.
const WRITE_DENIED: &str = "cache write denied:";
/// The same for reading, in a 403.
const READ_DENIED: &str = "cache read denied:";
/// How long we are silent after a 429 that does not say, and at least and at most after one that does.
const SILENCE: Duration = Duration::from_mins(1);
const SILENCE_MIN: Duration = Duration::from_secs(1);
const SILENCE_MAX: Duration = Duration::from_hours(1);

/// An answer that was read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: Vec<u8>,
}

/// What went wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// An entry has this name already.
    #[error("an entry has this name already")]
    Taken,
    /// The token must not write.
    #[error("this job may not write to the cache, as pull requests of forks may not")]
    WriteDenied,
    /// The token must not read.
    #[error("this job may not read the cache")]
    ReadDenied,
    /// Too many entries, or too many calls.
    #[error("the service asks to be left alone for {} s", .0.as_secs())]
    RateLimited(Duration),
    /// The token has run out, or is none.
    #[error("the service does not take the job's token; it may have run out")]
    Expired,
    /// The repository's cache takes nothing more.
    #[error("the cache of the repository is full")]
    Full,
    /// There is no such entry.
    #[error("the service does not know the entry")]
    NotFound,
    /// It refused for another reason: 4xx, or `ok` is false.
    #[error("the service refused (HTTP {0})")]
    Refused(u16),
    /// It has trouble of its own.
    #[error("the service has trouble (HTTP {0})")]
    Unavailable(u16),
    /// The signed URL did not work.
    #[error("the store behind the service refused (HTTP {0})")]
    Blob(u16),
    /// Nobody answered in time.
    #[error("the service did not answer in time")]
    Slow,
    /// No connection, or it broke.
    #[error("the service cannot be reached")]
    Unreachable,
    /// More bytes than any of its answers has.
    #[error("the answer is too large")]
    TooLarge,
    /// Under a name of ours there is something else.
    #[error("what stands under the names of records is none")]
    NotARecord,
    /// Not an answer of this service.
    #[error("the answer makes no sense: another service, or another version")]
    Nonsense,
}

impl Failed {
    /// The stable name, for counters and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Taken => "actions-cache-taken",
            Self::WriteDenied => "actions-cache-write-denied",
            Self::ReadDenied => "actions-cache-read-denied",
            Self::RateLimited(_) => "actions-cache-rate-limited",
            Self::Expired => "actions-cache-expired",
            Self::Full => "actions-cache-full",
            Self::NotFound => "actions-cache-not-found",
            Self::Refused(_) => "actions-cache-refused",
            Self::Unavailable(_) => "actions-cache-unavailable",
            Self::Blob(_) => "actions-cache-blob",
            Self::Slow => "actions-cache-slow",
            Self::Unreachable => "actions-cache-unreachable",
            Self::TooLarge => "actions-cache-too-large",
            Self::NotARecord => "actions-cache-not-a-record",
            Self::Nonsense => "actions-cache-nonsense",
        }
    }
}

impl Failed {
    /// Whether an entry that was to be saved may be reserved all the same.
    pub const fn may_have_reserved(self) -> bool {
        !matches!(
            self,
            Self::WriteDenied
                | Self::ReadDenied
                | Self::RateLimited(_)
                | Self::Expired
                | Self::Full
        )
    }
}

/// An entry that was found.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// Its key.
    pub key: String,
    /// A signed URL: who has it can read the entry.
    url: String,
}

impl Found {
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Found({})", self.key)
    }
}

/// The fields of all answers. What is empty may be absent; names are those of the description or, as JSON of
/// protocol buffers may have them, in camel case.
#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    ok: bool,
    #[serde(default, alias = "signedUploadUrl")]
    signed_upload_url: String,
    #[serde(default, alias = "signedDownloadUrl")]
    signed_download_url: String,
    #[serde(default, alias = "matchedKey")]
    matched_key: String,
    #[serde(default)]
    message: String,
}

/// A refusal of Twirp.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Error {
    code: String,
    msg: String,
}

/// Where an entry that was reserved is uploaded.
pub(super) fn reserved(answer: &Answer) -> Result<String, Failed> {
    let fields = fields(answer)?;
    if !fields.ok {
        return Err(refused(&fields.message));
    }
    some(fields.signed_upload_url)
}

/// Whether an entry was closed.
pub(super) fn finalised(answer: &Answer) -> Result<(), Failed> {
    let fields = fields(answer)?;
    fields
        .ok
        .then_some(())
        .ok_or_else(|| refused(&fields.message))
}

/// What was found.
pub(super) fn found(answer: &Answer) -> Result<Option<Found>, Failed> {
    let fields = fields(answer)?;
    if !fields.ok {
        return Ok(None);
    }
    Ok(Some(Found {
        key: some(fields.matched_key)?,
        url: some(fields.signed_download_url)?,
    }))
}

fn some(text: String) -> Result<String, Failed> {
    if text.is_empty() {
        return Err(Failed::Nonsense);
    }
    Ok(text)
}

fn fields(answer: &Answer) -> Result<Fields, Failed> {
    if !answer.status.is_success() {
        return Err(failed(answer));
    }
    serde_json::from_slice(&answer.body).map_err(|_| Failed::Nonsense)
}

/// What a status other than 2xx means. The status first: what is between us and the service writes bodies of its
/// own.
fn failed(answer: &Answer) -> Failed {
    let error: Error = serde_json::from_slice(&answer.body).unwrap_or_default();
    let status = answer.status.as_u16();
    match status {
        429 => {
            let after = answer.retry_after.unwrap_or(SILENCE);
            Failed::RateLimited(after.clamp(SILENCE_MIN, SILENCE_MAX))
        }
        401 => Failed::Expired,
        409 => Failed::Taken,
        403 if error.msg.contains(READ_DENIED) => Failed::ReadDenied,
        403 if error.msg.contains(WRITE_DENIED) => Failed::WriteDenied,
        _ if error.msg.contains("insufficient usage") => Failed::Full,
        // A 404 of anybody else says that the service is not there.
        404 if error.code == "not_found" => Failed::NotFound,
        500..=599 => Failed::Unavailable(status),
        _ => Failed::Refused(status),
    }
}

/// What the message of a 200 whose `ok` is false means.
fn refused(message: &str) -> Failed {
    if message.starts_with(WRITE_DENIED) {
        Failed::WriteDenied
    } else if message.contains("already exists") {
        Failed::Taken
    } else {
        Failed::Refused(200)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn each_answer_to_a_reservation_has_one_meaning() {
        let denied = r#"{"ok":false,"message":"cache write denied: token has no writable scopes"}"#;
        let taken = r#"{"code":"already_exists","msg":"cache entry with the same key"}"#;
        for (status, body, expected) in [
            (200, r#"{"ok":true,"signed_upload_url":"u"}"#, Ok("u")),
            (200, r#"{"ok":true,"signedUploadUrl":"u","new":1}"#, Ok("u")),
            (200, r#"{"ok":true}"#, Err(Failed::Nonsense)),
            (200, denied, Err(Failed::WriteDenied)),
            (
                200,
                r#"{"ok":false,"message":"cache entry already exists"}"#,
                Err(Failed::Taken),
            ),
            (200, r#"{"ok":false}"#, Err(Failed::Refused(200))),
            (200, "<html>", Err(Failed::Nonsense)),
            (200, "7", Err(Failed::Nonsense)),
            (409, taken, Err(Failed::Taken)),
            (401, "", Err(Failed::Expired)),
            (
                403,
                r#"{"code":"permission_denied","msg":"cache write denied: x"}"#,
                Err(Failed::WriteDenied),
            ),
            (403, "", Err(Failed::Refused(403))),
            (429, "", Err(Failed::RateLimited(Duration::from_secs(60)))),
            (404, "not here", Err(Failed::Refused(404))),
            (302, "", Err(Failed::Refused(302))),
            (
                403,
                r#"{"msg":"insufficient usage to create"}"#,
                Err(Failed::Full),
            ),
            (502, "bad gateway", Err(Failed::Unavailable(502))),
        ] {
            let told = reserved(&answer(status, body));
            let told = told.as_deref().map_err(|failed| *failed);
            assert_eq!(told, expected, "{status} {body}");
        }
    }

    #[test]
    fn a_lookup_finds_an_entry_or_nothing_or_is_denied() {
        let hit = r#"{"ok":true,"signed_download_url":"https://SIGNED","matched_key":"k"}"#;
        let hit = found(&answer(200, hit)).unwrap().unwrap();
        assert_eq!((hit.key.as_str(), hit.url()), ("k", "https://SIGNED"));
        assert!(!format!("{hit:?}").contains("SIGNED"));
        assert_eq!(found(&answer(200, r#"{"ok":false}"#)), Ok(None));
        let half = r#"{"ok":true,"signed_download_url":"u"}"#;
        assert_eq!(found(&answer(200, half)), Err(Failed::Nonsense));
        let denied = r#"{"code":"permission_denied","msg":"cache read denied: no scopes"}"#;
        assert_eq!(found(&answer(403, denied)), Err(Failed::ReadDenied));
        let unknown = r#"{"code":"not_found","msg":"cache entry not found"}"#;
        assert_eq!(finalised(&answer(404, unknown)), Err(Failed::NotFound));
        assert_eq!(finalised(&answer(200, r#"{"ok":true}"#)), Ok(()));
    }

    #[test]
    fn nobody_can_silence_us_for_longer_than_an_hour() {
        let limited = |seconds| {
            let mut answer = answer(429, "");
            answer.retry_after = Some(Duration::from_secs(seconds));
            finalised(&answer)
        };
        let silent = |seconds| Err(Failed::RateLimited(Duration::from_secs(seconds)));
        assert_eq!(limited(0), silent(1));
        assert_eq!(limited(42), silent(42));
        assert_eq!(limited(u64::MAX), silent(3600));
    }
}
