//! Secrets as types: they print as `***` and are wiped when dropped.

use std::fmt;

use zeroize::{Zeroize as _, Zeroizing};

use crate::digest::Digest;

/// 32 random bytes that never leave this machine. They turn credentials into [`CredentialId`]s.
#[derive(Clone)]
pub struct LocalSecret(Zeroizing<[u8; 32]>);

impl LocalSecret {
    /// Takes 32 random bytes.
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let secret = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        secret
    }

    /// Who `authorization` is, in a form that can be kept: HMAC(local secret, value), shortened.
    pub fn identify(&self, authorization: &Authorization) -> CredentialId {
        match &authorization.value {
            None => CredentialId::ANONYMOUS,
            Some(value) => {
                let mut id = [0_u8; 16];
                id.copy_from_slice(&Digest::keyed(&self.0, value).as_bytes()[..16]);
                CredentialId(id)
            }
        }
    }

    /// A key for one `purpose`: HMAC(local secret, 0x00 || purpose). A header value cannot hold a NUL, so
    /// no credential is ever identified by what is also a key.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let message = [b"\0", purpose.as_bytes()].concat();
        Zeroizing::new(*Digest::keyed(&self.0, &message).as_bytes())
    }
}

impl fmt::Debug for LocalSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Names a credential without revealing it. Means nothing without the [`LocalSecret`] it was made with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId([u8; 16]);

impl CredentialId {
    /// Every request without an `Authorization` header.
    pub const ANONYMOUS: Self = Self([0; 16]);

    /// A name that was written down with [`CredentialId::as_bytes`].
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, for keys that belong to one credential.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether this is a caller without a credential.
    pub fn is_anonymous(&self) -> bool {
        *self == Self::ANONYMOUS
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}{:02x}{:02x}…", self.0[0], self.0[1], self.0[2])
    }
}

/// How GitHub's tokens begin, and signed ones of others.
const TOKENS: [&str; 7] = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "eyJ"];

/// `text` with `***` in the place of what looks like a token: for text that was written by hand, where one
/// may stand that was meant for another place.
pub fn without_tokens(text: &str) -> String {
    let word = |letter: char| letter.is_ascii_alphanumeric() || "_-.".contains(letter);
    let mut safe = String::new();
    let mut rest = text;
    while let Some(at) = TOKENS.iter().filter_map(|token| rest.find(token)).min() {
        safe.push_str(&rest[..at]);
        safe.push_str("***");
        let end = rest[at..].find(|letter| !word(letter));
        rest = end.map_or("", |end| &rest[at + end..]);
    }
    safe.push_str(rest);
    safe
}

/// The value of a request's `Authorization` header, or its absence.
#[derive(Clone)]
pub struct Authorization {
    value: Option<Zeroizing<Box<[u8]>>>,
}

impl Authorization {
    /// A request without credentials.
    pub const NONE: Self = Self { value: None };

    /// Keeps the raw header value: `token X` and `Bearer X` are different credentials to GitHub's ETag.
    pub fn new(value: Option<&[u8]>) -> Self {
        Self {
            value: value.map(|bytes| Zeroizing::new(bytes.into())),
        }
    }

    /// The raw header value.
    pub fn expose(&self) -> Option<&[u8]> {
        self.value.as_ref().map(|value| &***value)
    }

    /// What kind of token this is, by its public prefix.
    pub fn kind(&self) -> TokenKind {
        self.expose().map_or(TokenKind::Anonymous, TokenKind::of)
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.value.is_some() { "***" } else { "none" })
    }
}

/// Kinds of GitHub credentials, told apart by their prefix.
///
/// <https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github#githubs-token-formats>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TokenKind {
    /// No `Authorization` header at all.
    Anonymous,
    /// `ghp_`: a classic personal access token.
    Classic,
    /// `github_pat_`: a fine-grained personal access token.
    FineGrained,
    /// `gho_`: an OAuth app's token for a user.
    OAuth,
    /// `ghu_`: a GitHub App's token for a user.
    UserToServer,
    /// `ghs_`: an installation's token; every job's `GITHUB_TOKEN` is one.
    Installation,
    /// A JSON Web Token that a GitHub App signed for itself.
    AppJwt,
    /// Anything else: basic authentication, older tokens, other hosts' schemes.
    Other,
}

/// What the tokens of each kind begin with.
const PREFIXES: [(&[u8], TokenKind); 6] = [
    (b"ghs_", TokenKind::Installation),
    (b"ghp_", TokenKind::Classic),
    (b"github_pat_", TokenKind::FineGrained),
    (b"gho_", TokenKind::OAuth),
    (b"ghu_", TokenKind::UserToServer),
    (b"eyJ", TokenKind::AppJwt),
];

impl TokenKind {
    fn of(value: &[u8]) -> Self {
        let Some(space) = value.iter().position(|&byte| byte == b' ') else {
            return Self::Other;
        };
        let (scheme, token) = (&value[..space], value[space..].trim_ascii());
        if !scheme.eq_ignore_ascii_case(b"bearer") && !scheme.eq_ignore_ascii_case(b"token") {
            return Self::Other;
        }
        PREFIXES
            .into_iter()
            .find_map(|(prefix, kind)| token.starts_with(prefix).then_some(kind))
            .unwrap_or(Self::Other)
    }

    /// This kind as a bit, for sets of kinds.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_printed() {
        let authorization = Authorization::new(Some(b"token ghp_abc"));
        let secret = LocalSecret::new([7; 32]);
        let printed = format!(
            "{authorization:?} {secret:?} {:?}",
            secret.identify(&authorization)
        );
        assert!(
            !printed.contains("abc") && printed.starts_with("*** ***"),
            "{printed}"
        );
    }

    #[test]
    fn keys_of_two_purposes_or_secrets_differ_and_none_is_a_credential() {
        let (secret, other) = (LocalSecret::new([7; 32]), LocalSecret::new([8; 32]));
        let key = secret.derive("store");
        assert_eq!(key, secret.derive("store"));
        assert_ne!(key, secret.derive("seal"));
        assert_ne!(key, other.derive("store"));
        let id = secret.identify(&Authorization::new(Some(b"store")));
        assert_ne!(key[..16], id.as_bytes()[..]);
        assert_eq!(CredentialId::from_bytes(*id.as_bytes()), id);
    }

    #[test]
    fn the_scheme_is_part_of_who_asks() {
        let secret = LocalSecret::new([7; 32]);
        let id = |value: &str| secret.identify(&Authorization::new(Some(value.as_bytes())));
        assert_ne!(id("token ghp_abc"), id("Bearer ghp_abc"));
        assert_ne!(id("token ghp_abc"), CredentialId::ANONYMOUS);
        assert_eq!(
            secret.identify(&Authorization::NONE),
            CredentialId::ANONYMOUS
        );
    }

    #[test]
    fn kinds_are_told_by_prefix_and_scheme() {
        let kind = |value: &str| Authorization::new(Some(value.as_bytes())).kind();
        assert_eq!(kind("token ghs_1"), TokenKind::Installation);
        assert_eq!(kind("bearer github_pat_1"), TokenKind::FineGrained);
        assert_eq!(kind("Bearer eyJhbGciOi"), TokenKind::AppJwt);
        assert_eq!(kind("Basic Z2hwXzE6"), TokenKind::Other);
        assert_eq!(Authorization::NONE.kind(), TokenKind::Anonymous);
    }
}
