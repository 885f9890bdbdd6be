//! What one runner has, the others need not pay for; and what peers say is shown to nobody on their word alone.

mod budgets;
mod forged;
mod herd;
mod reads;
mod trust;
mod writes;
