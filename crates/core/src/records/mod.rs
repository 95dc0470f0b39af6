//! What is kept: issuers, APIs, clients, users, keys, as plain values. A record is the truth of one row; what a running
//! server adds to it (parsed keys, marks, live tokens) stands in [`crate::views`].

mod api;
mod audit;
mod client;
mod issuer;
mod key;
mod mark;
mod stored_secret;
mod user;

pub use api::{Api, TokenFormat};
pub use audit::AuditEntry;
pub use client::{Client, Status};
pub use issuer::{Issuer, Place};
pub(crate) use key::is_for_refresh;
pub use key::{KeyRow, KeyState, SealedKey, SealingPurpose};
pub use mark::{Mark, Marked};
pub use stored_secret::{RemovedSecrets, SecretOrigin, StoredSecret};
pub use user::{PasswordHash, User};
