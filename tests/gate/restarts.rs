//! A gate that is restarted under load gives no wrong answer.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use ficha_tests::eventually;

use crate::fronts::{Front, Proxied};

/// What came of requests, by whether their token was good.
type Answers = Mutex<BTreeMap<(bool, u16), usize>>;

fn restarted_under_load(front: Front) {
    let mut proxied = Proxied::new(front);
    let (good, bad) = (proxied.site.token("cards:read"), proxied.site.token("cards:write"));
    let (stop, answers) = (AtomicBool::new(false), Answers::default());
    let mut gate = proxied.gate.take();
    std::thread::scope(|scope| {
        for is_good in [true, true, false, false] {
            let (proxied, stop, answers) = (&proxied, &stop, &answers);
            let call = proxied.card(if is_good { &good } else { &bad });
            scope.spawn(move || {
                while !stop.load(SeqCst) {
                    let answer = call.try_send().unwrap();
                    *answers.lock().unwrap().entry((is_good, answer.status)).or_default() += 1;
                }
            });
        }
        let count = |is_good, status| answers.lock().unwrap().get(&(is_good, status)).copied().unwrap_or(0);
        for round in 0..4 {
            let (passed, refused) = (count(true, 200), count(false, 403));
            eventually("both kinds are answered", || count(true, 200) > passed && count(false, 403) > refused);
            let running = gate.take().unwrap();
            if round % 2 == 0 {
                assert_eq!(running.stop(), 0);
            } else {
                running.kill();
            }
            gate = Some(proxied.site.gate());
        }
        let (passed, refused) = (count(true, 200), count(false, 403));
        eventually("both kinds are answered", || count(true, 200) > passed + 5 && count(false, 403) > refused + 5);
        stop.store(true, SeqCst);
    });
    proxied.gate = gate;
    let away = if front == Front::Nginx { 503 } else { 502 };
    for ((is_good, status), times) in answers.into_inner().unwrap() {
        let right = if is_good { 200 } else { 403 };
        assert!([right, away, 503].contains(&status), "{times} times {status} for a good token: {is_good}");
    }
}

#[test]
fn behind_nginx() {
    restarted_under_load(Front::Nginx);
}

#[test]
fn behind_caddy() {
    restarted_under_load(Front::Caddy);
}
