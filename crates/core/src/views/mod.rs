//! What a running server makes of the records: keys parsed, marks and live tokens beside their owners. A view is of one
//! moment and never altered, but for what it remembers of its own use.

mod client;
mod feed_key;
mod issuer;
mod keys;
mod node;
mod secrets;

pub use client::{ClientView, UserView};
pub(crate) use client::{LiveEntry, UnderWay};
pub use feed_key::FeedKey;
pub use issuer::{IssuerView, ViewError};
pub(crate) use issuer::{open_signing_key, seal_signing_key, secret_digest};
pub use keys::{KeyRing, LoadedKey};
pub use node::{CacheSizes, Change, Entered, IssuerSlot, Node, Place};
pub(crate) use secrets::SecretMemory;
