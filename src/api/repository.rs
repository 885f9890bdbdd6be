//! What a repository's description says about itself.

use serde::Deserialize;

/// A repository's number, name and visibility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// GitHub's number for it; survives renames.
    pub id: u64,
    /// `owner/name` in lower case.
    pub full_name: Box<str>,
    /// Everyone may read it: `"private": false` and `"visibility": "public"`.
    pub public: bool,
}

#[derive(Deserialize)]
struct Body {
    id: u64,
    full_name: String,
    private: bool,
    visibility: Option<String>,
}

/// Reads the body of an answer to `GET /repos/{owner}/{repo}` or `GET /repositories/{id}`.
///
/// `None` when it is not a repository. A server that does not say `visibility` proves nothing: an
/// internal repository is not public, whatever it says of `private`.
pub fn learn(body: &[u8]) -> Option<Repository> {
    let body: Body = serde_json::from_slice(body).ok()?;
    let (owner, name) = body.full_name.split_once('/')?;
    if owner.is_empty() || name.is_empty() || name.contains('/') {
        return None;
    }
    Some(Repository {
        id: body.id,
        full_name: body.full_name.to_ascii_lowercase().into(),
        public: !body.private && body.visibility.as_deref() == Some("public"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_both_words_together_make_a_repository_public() {
        let public = |private: bool, visibility: &str| {
            let body = format!(r#"{{"id":1,"full_name":"O/R","private":{private}{visibility}}}"#);
            learn(body.as_bytes()).unwrap().public
        };
        assert!(public(false, r#","visibility":"public""#));
        assert!(!public(true, r#","visibility":"public""#));
        assert!(!public(false, r#","visibility":"internal""#));
        assert!(!public(false, r#","visibility":null"#));
        assert!(!public(false, ""));
    }

    #[test]
    fn what_is_no_repository_teaches_nothing() {
        for body in [
            "",
            "[]",
            r#"{"id":1,"full_name":"o/r"}"#,
            r#"{"id":-1,"full_name":"o/r","private":false}"#,
            r#"{"id":1,"full_name":"o","private":false}"#,
            r#"{"id":1,"full_name":"/r","private":false}"#,
            r#"{"id":1,"full_name":"o/r/x","private":false}"#,
            r#"{"id":1,"id":2,"full_name":"o/r","private":false}"#,
        ] {
            assert_eq!(learn(body.as_bytes()), None, "{body}");
        }
        let found =
            learn(br#"{"full_name":"Octo-Org/Hello.World","x":[{"id":9}],"private":true,"id":7}"#);
        let found = found.unwrap();
        assert_eq!((found.id, &*found.full_name), (7, "octo-org/hello.world"));
    }
}
