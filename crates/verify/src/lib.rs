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
//! - the algorithm is the key's and one of those allowed, never the token's choice; `none` is none of them, a key that a
//!   token brings along (`jwk`, `jku`, `x5u`) is not looked at, `crit` is refused;
//! - issuer, audience and expiry are required, times have a leeway (30 s, at most 60 s);
//! - a refresh token, an ID token or a logout token never passes for an access token, nor one that is bound to its sender
//!   (`cnf`) for a bearer token;
//! - a token of more than 64 KiB, of more than 256 audiences, with a member twice at any level or nested deeper than 16 is
//!   refused;
//! - keys are fetched once and again before they grow old; they are kept while the issuer is away, for
//!   [`Builder::keys_kept_for`] beyond their life; a key withdrawn from the set stops being trusted when the set's life
//!   (its `max-age`, 60 s to 1 h) is over, at the latest;
//! - an unknown `kid` asks the issuer at most once in 30 s, however many arrive;
//! - a token that passed before costs no signature check ([`Builder::token_cache`]), but its times, its key and its
//!   revocation are looked at each time; what was refused is never kept, so a flood of bad tokens takes no memory;
//! - what is the issuer's absence is 503 and never said to be the token's fault.
//!
//! # Revoked tokens
//!
//! Without a word a revoked token is refused when it expires. With [`Builder::introspection`] it is refused at once, for a
//! question per token. With ficha's revocation feed it is refused within a second or so, and checking stays offline:
//!
//! ```no_run
//! # async fn example(secret: String) -> Result<(), Box<dyn std::error::Error>> {
//! use ficha_verify::{FeedOptions, Rejection, Seconds, Verifier};
//!
//! let feed = FeedOptions::with_secret("cards", secret) // the API's own, as for introspection
//!     .allow_stale_for(Seconds::minutes(2))
//!     .refuse_at_once("cards:create-card".parse()?);
//! let verifier = Verifier::builder("https://auth.example.com", "https://api.example.com").follow(feed).build()?;
//! verifier.ready().await?;
//!
//! // While the feed can't be followed, for 2 minutes everything but `cards:create-card` goes on, then nothing does.
//! let claims = verifier.verify("eyJhbGciOi…").await?;
//! match claims.require(&"cards:create-card".parse()?) {
//!     Ok(()) => println!("made"),
//!     Err(Rejection::RevocationsUnavailable) => println!("503: try again"),
//!     Err(rejection) => println!("{} {}", rejection.status(), rejection.description()),
//! }
//! println!("{:?}", verifier.feed_status());
//! # Ok(())
//! # }
//! ```
//!
//! It needs a tokio runtime wherever keys are fetched, tokens introspected or the feed followed. A proxy named by the
//! environment is not used: whose answers are believed is told by the configuration alone.

mod asked;
mod bearer;
mod build_error;
mod builder;
mod claims;
mod clock;
mod discovery;
mod feed;
mod fetch;
mod introspection;
mod key_cache;
mod key_set;
mod rejection;
mod revocations;
mod rules;
#[cfg(feature = "tower")]
mod scope_table;
mod signed;
mod strict;
mod token_cache;
#[cfg(feature = "tower")]
mod tower;
mod verifier;

pub use bearer::bearer_token;
pub use build_error::BuildError;
pub use builder::Builder;
pub use claims::Claims;
#[doc(hidden)]
pub use feed::read_feed_unsigned;
pub use feed::{FeedOptions, FeedStatus};
pub use ficha_jose::{JwkSet, Malformed};
pub use ficha_types::{Algorithm, Scope, ScopeSet, Seconds, Secret, UnixSeconds};
pub use rejection::{NotAccess, Rejection};
pub use revocations::{Full, Revocations};
#[cfg(feature = "tower")]
pub use scope_table::{BadRow, ScopeTable};
pub use verifier::Verifier;

#[cfg(feature = "tower")]
pub use self::tower::{NotProtected, Protect, ProtectLayer, Transport};
