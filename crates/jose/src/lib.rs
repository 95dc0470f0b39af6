//! Keys, key sets, signing, verifying, sealing, digests and chance; the only crate that calls the crypto library.
//!
//! Nothing here knows an issuer, a token or a clock. Keys are parsed once and kept; no call on a request's way parses one.

mod digest;
mod jwk;
pub mod jws;
mod key_error;
pub mod random;
mod seal;
mod signing;
mod verifying;

pub use digest::{HmacKey, Sha256, constant_time_eq, pbkdf2_sha256_verify, pbkdf2_sha512_verify, sha256};
pub use jwk::{Jwk, JwkSet};
pub use jws::{Compact, Malformed};
pub use key_error::KeyError;
pub use seal::{SealError, SealingKey};
pub use signing::SigningKey;
pub use verifying::VerifyingKey;
