//! The rules; knows neither HTTP nor SQL.

pub mod client_auth;
mod failures;
pub mod feed;
mod grants;
pub mod guard;
pub mod master;
pub mod operator;
mod outage;
pub mod passwords;
mod pool;
pub mod ports;
pub mod profile;
pub mod records;
mod refusal;
pub mod revocation_feed;
mod rules;
mod secret_use;
pub mod signer;
pub mod token;
mod turns;
pub mod upkeep;
pub mod views;

pub use outage::Outage;
pub use refusal::{ClientFailure, ErrorCode, Malformed, Refusal};
pub use rules::{Limits, Rules};
pub use secret_use::SecretUses;
