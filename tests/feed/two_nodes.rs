//! Two nodes on one PostgreSQL database: what is revoked through one is refused by who follows the other.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use super::{
    site::Site,
    verifier::{refused, verifier},
};

/// Tokens that are revoked where `FICHA_REVOCATIONS` names no other number.
const FEW: usize = 24;
/// Who revokes at the same time. Of each one's tokens every fourth is revoked through the node that is followed.
const REVOKERS: usize = 3;

/// From what until a token was refused, for all of them.
#[derive(Default)]
struct Waits {
    asked: Vec<Duration>,
    answered: Vec<Duration>,
}

#[test]
fn what_is_revoked_through_one_node_is_refused_by_who_follows_another() {
    let many = std::env::var("FICHA_REVOCATIONS").map_or(FEW, |many| many.parse().unwrap());
    let site = Site::of_two_nodes();
    let runtime = Runtime::new().unwrap();
    let verifier = verifier(&site, &runtime);
    runtime.block_on(verifier.ready()).unwrap();
    let (good, _) = site.token();
    let waits = Mutex::new(Waits::default());
    let revoke = |n: usize| {
        let (token, _) = site.token();
        runtime.block_on(verifier.verify(&token)).unwrap();
        // So that the revocations do not keep time with the batches.
        std::thread::sleep(Duration::from_millis(n as u64 * 83 % 250));
        let asked = Instant::now();
        site.revoke_at(if n / REVOKERS % 4 == 3 { &site.server } else { &site.others[0] }, &token);
        let answered = Instant::now();
        refused(&runtime, &verifier, &token);
        runtime.block_on(verifier.verify(&good)).unwrap();
        let mut waits = waits.lock().unwrap();
        waits.asked.push(asked.elapsed());
        waits.answered.push(answered.elapsed());
    };
    std::thread::scope(|scope| {
        for first in 0..REVOKERS {
            let revoke = &revoke;
            scope.spawn(move || (first..many).step_by(REVOKERS).for_each(revoke));
        }
    });
    let Waits { asked, answered } = waits.into_inner().unwrap();
    assert_eq!(answered.len(), many);
    for (from, waits) in [("the answer to a revocation", answered), ("the call that revokes", asked)] {
        println!("from {from} until the token is refused, {many} of them: {}", told(waits));
    }
}

fn told(mut waits: Vec<Duration>) -> String {
    waits.sort_unstable();
    let at = |percent: usize| waits[(waits.len() * percent).div_ceil(100) - 1].as_millis();
    format!("p50 {} ms, p99 {} ms, most {} ms", at(50), at(99), at(100))
}
