//! What GitHub's API means, as pure functions: nothing here asks a clock, moves a byte or waits.
//!
//! In the order in which a request meets them:
//!
//! | module | answers |
//! |---|---|
//! | [`head`] | is this request cacheable, a GraphQL query, a write, or none of our business |
//! | [`path`] | the segments of a target, and whether the target can be trusted to mean what it says |
//! | [`operation`] | which class of GitHub's operations a path belongs to, and how long its answers live |
//! | [`namespace`] | which repository or owner a read belongs to and a write changes |
//! | [`key`] | the name under which an answer is stored |
//! | [`graphql`] | is this GraphQL body a query, and what is its normal form |
//! | [`validator`] | the `ETag` that GitHub would give *this* caller for *these* bytes |
//! | [`page`] | `Link` headers, and lists whose next page a 304 would hide |
//! | [`answer`] | may this answer be stored, and for whom |
//! | [`limit`] | rate-limit headers, and which refusals are rate limits |
//! | [`repository`] | what a repository's description says about its name and visibility |
//! | [`json`] | a scanner that looks at JSON without building a tree |

pub mod answer;
pub mod graphql;
pub mod head;
pub mod json;
pub mod key;
pub mod limit;
pub mod namespace;
pub mod operation;
pub mod page;
pub mod path;
pub mod repository;
pub mod validator;

pub use answer::{NotStored, Shareable, storable};
pub use head::{Bypass, Fields, Head, Question, Route, refused, route};
pub use key::Key;
pub use limit::{RateHeaders, Refusal, refusal};
pub use namespace::{Effect, Namespace};
pub use operation::{Operation, Reach};
pub use page::{Links, Probe, Tail, tail};
pub use repository::Repository;
pub use validator::{Etag, Health, Vary};
