//! The verifier from outside: tokens of ficha-jose and of another library, a real issuer on a port of its own.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

mod feed;
mod introspection;
mod issuer;
mod key_cache;
mod kinds;
mod protect;
mod second_sight;
mod tls;
mod tokens;
mod vouch;
