//! The library for resource servers: checks an access token and its scopes.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use ficha_verify::Verifier;
//!
//! let verifier = Verifier::builder("https://auth.example.com", "https://api.example.com").build()?;
//! match verifier.verify("eyJhbGciOi…").await {
//!     Ok(claims) => println!("{:?} may {}", claims.client_id(), claims.scopes()),
//!     Err(rejection) => println!("{} {}", rejection.status(), rejection.description()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! It works with every issuer of JWT access tokens by RFC 9068 or OpenID Connect, not only with ficha, and with opaque
//! tokens by introspection (RFC 7662). What it promises:
//!
//! - the algorithm is the key's and one of those allowed, never the token's choice; `none` is none of them;
//! - issuer, audience and expiry are required, times have a leeway (30 s, at most 60 s);
//! - a refresh token, an ID token or a logout token never passes for an access token;
//! - keys are fetched once and again before they grow old; they are kept while the issuer is away, for
//!   [`Builder::keys_kept_for`] beyond their life; a key withdrawn from the set stops being trusted when the set's life
//!   (its `max-age`, 60 s to 1 h) is over, at the latest;
//! - an unknown `kid` asks the issuer at most once in 30 s, however many arrive;
//! - what is the issuer's absence is 503 and never said to be the token's fault.
//!
//! It needs a tokio runtime wherever keys are fetched or tokens introspected. A proxy named by the environment is not
//! used: whose answers are believed is told by the configuration alone.

mod builder;
mod claims;
mod discovery;
mod fetch;
mod introspection;
mod key_cache;
mod key_set;
mod rejection;
mod rules;
#[cfg(feature = "tower")]
mod scope_table;
#[cfg(feature = "tower")]
mod tower;
mod verifier;

pub use builder::{BuildError, Builder};
pub use claims::Claims;
pub use ficha_jose::{JwkSet, Malformed};
pub use ficha_types::{Algorithm, Scope, ScopeSet, Seconds, Secret, UnixSeconds};
pub use rejection::{NotAccess, Rejection};
#[cfg(feature = "tower")]
pub use scope_table::{BadRow, ScopeTable};
pub use verifier::Verifier;

#[cfg(feature = "tower")]
pub use self::tower::{NotProtected, Protect, ProtectLayer, Transport};
