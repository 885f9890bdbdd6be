//! An offer: an entry as it travels. What a peer says, and nothing that only its caller may know.

pub(super) mod coding;

mod body;
mod pages;

use std::time::Duration;

use bytes::Bytes;

use crate::api::page::Links;
use crate::api::{Key, Vary};
use crate::digest::Digest;

/// The longest body that travels.
pub const BODY_MAX: usize = 10 << 20;

/// Who may be given an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// Anybody could read it when GitHub last confirmed it.
    Public,
    /// Everybody who can read its repository.
    Repository,
}

/// A body and what is said of it. Status 200 goes without saying; there is no validator, because everyone
/// computes their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What it answers.
    pub key: Key,
    /// The identity body, at most [`BODY_MAX`] bytes.
    pub body: Bytes,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `X-GitHub-Api-Version-Selected`.
    pub api_version: Option<String>,
    /// Pagination as targets on the same host.
    pub links: Option<Links>,
    /// What GitHub's validator of it covers; `None` if it is not of the computed form, so that nobody else can
    /// prove it.
    pub vary: Option<Vary>,
    /// Who may be given it.
    pub audience: Audience,
    /// How long ago GitHub said that it is current. A length of time, because clocks differ.
    pub age: Duration,
    /// What GitHub's `Cache-Control` gives it.
    pub origin_lifetime: Duration,
    /// The token kinds that received or proved it, as a set of bits.
    pub kinds: u8,
}

impl Offer {
    /// SHA-256 of the body.
    pub fn digest(&self) -> Digest {
        Digest::of([&self.body[..]])
    }
}

#[cfg(test)]
mod tests;
