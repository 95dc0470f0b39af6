//! The server is killed by SIGKILL at random moments under load, and stands by everything that it has answered.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ficha_tests::{Config, Ledger};

use crate::{load::Load, site::Site};

/// How often it is killed at least.
const KILLS: u32 = 24;
/// What must have been checked by then; on a machine that is slow it is killed more often, after longer times.
const WANTED: [&str; 7] =
    ["revocations", "good tokens", "kept tokens revoked", "live tokens", "keys", "same successors", "replays"];
/// `FICHA_CRASH_SEED` takes another one.
const SEED: u64 = 0x5eed_f1c4_a000_0003;

/// Random numbers that can be had again (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }
}

#[test]
fn whatever_was_answered_stands_after_a_kill_at_any_moment() {
    let seed = std::env::var("FICHA_CRASH_SEED").map_or(SEED, |text| text.parse().unwrap());
    println!("seed {seed}: FICHA_CRASH_SEED={seed} plays it again");
    let mut chance = Chance(seed);
    let mut site = Site::new(Config::new());
    let ledger = Mutex::new(Ledger::default());
    ledger.lock().unwrap().check_keys(&|issuer| site.ask(issuer));
    let mut missing = Vec::new();
    for kill in 0..4 * KILLS {
        if kill >= KILLS {
            let checked = &ledger.lock().unwrap().checked;
            missing = WANTED.into_iter().filter(|what| checked.get(*what).is_none_or(|n| *n == 0)).collect();
            if missing.is_empty() {
                break;
            }
        }
        under_load(&mut site, &ledger, Duration::from_millis(10 + chance.below(390)) * (1 + kill / KILLS));
        if kill % 4 == 3 {
            // Once more while it starts.
            site.server.launch();
            std::thread::sleep(Duration::from_millis(chance.below(150)));
            site.server.kill();
        }
        site.server.start();
        ledger.lock().unwrap().check(&|issuer| site.ask(issuer));
    }
    println!("checked: {:?}", ledger.lock().unwrap().checked);
    assert!(missing.is_empty(), "nothing to check: {missing:?}");
}

/// Runs the clients, and kills the server after `time`.
fn under_load(site: &mut Site, ledger: &Mutex<Ledger>, time: Duration) {
    let stop = AtomicBool::new(false);
    let load = Load { ledger, stop: &stop };
    let (lean, pomelo, deyel) = (site.ask("lean"), site.ask("pomelo"), site.ask("deyel"));
    std::thread::scope(|scope| {
        for client in ["app-0", "app-1"] {
            scope.spawn(|| load.revokes(&lean, client));
            scope.spawn(|| load.lives(&pomelo, client, Some(50)));
        }
        for client in ["app-2", "app-3"] {
            scope.spawn(|| load.refreshes(&lean, client));
            scope.spawn(|| load.refreshes(&lean, client));
        }
        scope.spawn(|| load.lives(&pomelo, "app-2", None));
        scope.spawn(|| load.logs_in(&deyel));
        let command = scope.spawn(|| load.rotates(site));
        std::thread::sleep(time);
        // By its number: the server itself is held by the thread that gives commands.
        site.server.signal("KILL");
        stop.store(true, Ordering::Release);
        command.join().unwrap();
    });
    site.server.kill();
}
