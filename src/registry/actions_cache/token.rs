//! What a runtime token says about itself. It is read, never verified: whether it holds is the service's
//! business, and we only save ourselves calls that it would refuse.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::Deserialize;
use serde_json::Value;

use crate::time::Timestamp;

/// The bits of a permission.
const READ: u64 = 1;
const WRITE: u64 = 2;
/// The longest token that is looked at.
const LONGEST: usize = 64 << 10;

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// What it may do.
    pub access: Access,
    /// When it ends.
    pub expires: Option<Timestamp>,
}

/// What a token may do in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It says nothing about that, or nothing that we understand.
    Unknown,
    /// What its scopes (claim `ac`) allow.
    Scopes {
        /// At least one of them is read.
        read: bool,
        /// At least one is written.
        write: bool,
    },
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    ac: Value,
    exp: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Scope {
    permission: u64,
}

/// What `token` says; `None` if it is no JSON Web Token (RFC 7519).
pub(super) fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    if payload.len() > LONGEST {
        return None;
    }
    let payload = BASE64.decode(payload.trim_end_matches('=')).ok()?;
    let payload: Payload = serde_json::from_slice(&payload).ok()?;
    let expires = payload.exp.filter(|&end| end <= u64::MAX / 1000);
    Some(Claims {
        access: access(&payload.ac),
        expires: expires.map(Timestamp::from_secs),
    })
}

/// The claim is text with JSON in it: `[{"Scope":"refs/heads/main","Permission":3}]`.
fn access(claim: &Value) -> Access {
    let Some(text) = claim.as_str() else {
        return Access::Unknown;
    };
    match serde_json::from_str::<Vec<Scope>>(text) {
        Err(_) => Access::Unknown,
        Ok(scopes) => {
            let any = |bit| scopes.iter().any(|scope| scope.permission & bit != 0);
            Access::Scopes {
                read: any(READ),
                write: any(WRITE),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(payload: &str) -> String {
        format!("e30.{}.x", BASE64.encode(payload))
    }

    fn access_of(ac: &str) -> Access {
        claims(&token(&format!(r#"{{"ac":{ac}}}"#))).unwrap().access
    }

    #[test]
    fn scopes_and_end_are_read_without_asking_anybody() {
        let ac = r#""[{\"Scope\":\"refs/heads/main\",\"Permission\":1},{\"Scope\":\"x\",\"Permission\":3}]""#;
        let (read, write) = (true, true);
        assert_eq!(access_of(ac), Access::Scopes { read, write });
        let ac = r#""[{\"Scope\":\"refs/heads/main\",\"Permission\":1}]""#;
        let write = false;
        assert_eq!(access_of(ac), Access::Scopes { read, write });
        let read = false;
        assert_eq!(access_of(r#""[]""#), Access::Scopes { read, write });
        let claims = claims(&token(r#"{"exp":1800000000}"#)).unwrap();
        assert_eq!(claims.expires, Some(Timestamp::from_secs(1_800_000_000)));
        assert_eq!(claims.access, Access::Unknown);
    }

    #[test]
    fn what_is_not_understood_is_for_the_service_to_judge() {
        for ac in [
            "null",
            "7",
            "[]",
            r#""main""#,
            r#""[{\"Scope\":\"x\"}]""#,
            r#""[{\"Permission\":-1}]""#,
        ] {
            assert_eq!(access_of(ac), Access::Unknown, "{ac}");
        }
    }

    #[test]
    fn what_is_no_jwt_says_nothing() {
        let cut = "e30.e30";
        for text in [
            "",
            "ghs_0123456789",
            cut,
            "a.b.c",
            "e30.e30.x.y",
            "..",
            "e30.bnVsbA.x",
        ] {
            assert_eq!(claims(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,200}", payload in ".{0,200}") {
            let _ = claims(&text);
            let _ = claims(&token(&payload));
        }
    }
}
