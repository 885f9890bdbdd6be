//! The verdicts: one function for each method, and nothing but values.

use std::time::Duration;

use subtle::ConstantTimeEq as _;

use super::reason::Reason;
use super::terms::{Grant, Method, Terms};
use super::transcript::{Role, Transcript};
use crate::seal::Cost;
use crate::swarm::{PoolSecret, Ticket};
use crate::time::Timestamp;

/// No ticket lasts longer, so one that claims to was not made by us, or by a clock that was wrong.
pub const TICKET_AHEAD_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What a proof comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is one.
    Admitted(Grant),
    /// It is none.
    Refused(Reason),
}

/// Judges the proof `mac` of `prover` by the ticket of the listener that runs out at `transcript.expires`.
///
/// `ticket`: makes that ticket. Only the listener can make any; the dialer has its own alone, which it is bound to show
/// unchanged. `now`: the time of whoever made the ticket; `None` at the dialer, whose clock has no say.
pub fn verify_ticket(
    transcript: &Transcript<'_>,
    prover: Role,
    mac: &[u8; 32],
    ticket: impl FnOnce(Timestamp) -> Ticket,
    terms: &Terms,
    now: Option<Timestamp>,
) -> Verdict {
    if transcript.method != Method::Ticket || transcript.cost != 0 {
        return Verdict::Refused(Reason::Malformed);
    }
    if !terms.tickets {
        return Verdict::Refused(Reason::NoCommonMethod);
    }
    let expires = Timestamp::from_secs(transcript.expires);
    if let Some(now) = now
        && (expires <= now || expires > now.plus(TICKET_AHEAD_MAX))
    {
        return Verdict::Refused(Reason::TicketExpired);
    }
    let ticket = ticket(expires);
    if ticket.expires.as_secs() != transcript.expires {
        return Verdict::Refused(Reason::WrongProof);
    }
    judge(transcript, prover, mac, &ticket.secret, terms)
}

/// Judges the proof `mac` of `prover` by the pool's secret.
pub fn verify_secret(
    transcript: &Transcript<'_>,
    prover: Role,
    mac: &[u8; 32],
    secret: &PoolSecret,
    terms: &Terms,
) -> Verdict {
    if transcript.method != Method::Secret || transcript.expires != 0 {
        return Verdict::Refused(Reason::Malformed);
    }
    if transcript.cost != secret.cost().rounds() || transcript.cost < Cost::MIN.rounds() {
        return Verdict::Refused(Reason::KeyCost);
    }
    judge(transcript, prover, mac, secret.admission(), terms)
}

fn judge(
    transcript: &Transcript<'_>,
    prover: Role,
    mac: &[u8; 32],
    key: &[u8; 32],
    terms: &Terms,
) -> Verdict {
    // In constant time: how many bytes are right must not be measurable.
    if bool::from(transcript.mac(prover, key).ct_eq(mac)) {
        Verdict::Admitted(terms.grant(transcript.method))
    } else {
        Verdict::Refused(Reason::WrongProof)
    }
}
