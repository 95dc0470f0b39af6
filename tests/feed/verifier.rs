//! `ficha-verify` follows.

use std::time::{Duration, Instant};

use ficha_tests::{LONG, wait_for};
use ficha_verify::{FeedOptions, Rejection, Verifier};
use tokio::runtime::Runtime;

use super::site::{AUDIENCE, Site};

/// Tokens that are revoked, one after the other.
const REVOKED: usize = 20;

pub(crate) fn verifier(site: &Site, runtime: &Runtime) -> Verifier {
    let _within = runtime.enter();
    let feed = FeedOptions::with_secret("orders", site.api_secret.clone());
    let ca = site.server.authority().pem();
    Verifier::builder(&site.url, AUDIENCE).root_ca_pem(ca.as_bytes()).timeout(LONG).follow(feed).build().unwrap()
}

/// Waits until the token is refused as revoked.
pub(crate) fn refused(runtime: &Runtime, verifier: &Verifier, token: &str) {
    wait_for("the token is refused", || match runtime.block_on(verifier.verify(token)) {
        Ok(_) => None,
        Err(Rejection::Revoked) => Some(()),
        Err(other) => panic!("{other:?}"),
    });
}

#[test]
fn a_revoked_token_is_refused_by_a_verifier_that_checks_by_keys() {
    let site = Site::new();
    let runtime = Runtime::new().unwrap();
    let verifier = verifier(&site, &runtime);
    runtime.block_on(verifier.ready()).unwrap();
    let (good, _) = site.token();
    let mut waits: Vec<Duration> = Vec::new();
    for _ in 0..REVOKED {
        let (token, _) = site.token();
        runtime.block_on(verifier.verify(&token)).unwrap();
        site.revoke(&token);
        let revoked = Instant::now();
        refused(&runtime, &verifier, &token);
        waits.push(revoked.elapsed());
    }
    runtime.block_on(verifier.verify(&good)).unwrap();
    waits.sort_unstable();
    println!(
        "from the answer to a revocation until the token is refused: median {:?}, longest {:?}",
        waits[REVOKED / 2],
        waits[REVOKED - 1]
    );
}

#[test]
fn a_verifier_finds_back_after_a_restart_and_has_missed_nothing() {
    let mut site = Site::new();
    let runtime = Runtime::new().unwrap();
    let verifier = verifier(&site, &runtime);
    runtime.block_on(verifier.ready()).unwrap();
    let ((before, _), (after, _)) = (site.token(), site.token());
    runtime.block_on(verifier.verify(&after)).unwrap();
    site.revoke(&before);
    site.server.restart();
    refused(&runtime, &verifier, &before);
    site.revoke(&after);
    refused(&runtime, &verifier, &after);
}
