//! What of the verifier is fuzzed: what an issuer's feed says, and the claims of a token whose signature is good.
//! `crates/verify/tests/corpora.rs` runs the corpora.

use std::sync::OnceLock;

use ficha_jose::{SigningKey, jws};
use ficha_verify::{Algorithm, UnixSeconds, Verifier};
use tokio::runtime::{Builder, Runtime};

const SECRET: [u8; 32] = [7; 32];

struct Tokens {
    key: SigningKey,
    verifier: Verifier,
    runtime: Runtime,
}

fn tokens() -> &'static Tokens {
    static TOKENS: OnceLock<Tokens> = OnceLock::new();
    TOKENS.get_or_init(|| {
        let verifier = Verifier::builder("https://a", "b").shared_secret(&SECRET).clock(|| UnixSeconds(1_800_000_000));
        Tokens {
            key: SigningKey::from_private(Algorithm::Hs256, &SECRET).expect("32 bytes"),
            verifier: verifier.build().expect("a verifier"),
            runtime: Builder::new_current_thread().build().expect("a runtime"),
        }
    })
}

/// A stream of events, the signature of each taken for a good one.
pub(crate) fn feed(data: &[u8]) {
    ficha_verify::read_feed_unsigned(data);
}

/// A header on the first line and claims behind it, signed.
pub(crate) fn claims(data: &[u8]) {
    let end = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let (header, payload) = data.split_at(end);
    let Tokens { key, verifier, runtime } = tokens();
    let token = jws::compact(header, payload, key).expect("a digest is made of anything");
    let _ = runtime.block_on(verifier.verify(&token)).map(|claims| claims.scopes().to_string());
}
