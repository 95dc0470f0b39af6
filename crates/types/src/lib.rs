//! The words of the protocol as types; no input or output, nothing async.
//!
//! A value of one of these types has been checked, once, where it was made: nothing further in checks it again.

mod algorithm;
pub mod base_url;
mod grant;
mod ids;
mod method;
mod network;
mod scope;
mod secret;
mod time;
mod token_id;
mod word;

pub use algorithm::Algorithm;
pub use base_url::{BaseUrl, Port};
pub use grant::GrantKind;
pub use ids::{ApiName, Audience, ClientId, DialectName, IssuerName, Kid, NodeName, Subject, Username};
pub use method::AuthMethod;
pub use network::network;
pub use scope::{Scope, ScopeSet};
pub use secret::Secret;
pub use time::{Seconds, UnixMillis, UnixSeconds};
pub use token_id::{FamilyId, TokenId};
pub use word::BadWord;
