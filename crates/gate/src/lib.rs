//! The face for proxies: a proxy in front of an API asks whether a request may pass, and is told whose it is.
//!
//! What a request needs stands in a file of rules ([`Rulebook`]); whose tokens are good, a [`Check`] knows: [`Verifying`] by
//! the issuer's keys or by asking it, [`OwnIssuer`] within the issuer's own process.

mod answer;
mod caller;
mod check;
mod explain;
mod face;
mod own_issuer;
mod path;
mod question;
pub mod rules;
mod verifying;

pub use caller::Caller;
pub use check::Check;
pub use explain::{Explained, explain};
pub use face::{Gate, PATH};
pub use own_issuer::OwnIssuer;
pub use path::{OddPath, PlainPath};
pub use question::Unclear;
pub use rules::Rulebook;
pub use verifying::{Checkable, Verifying, VerifyingOptions, verifying};
