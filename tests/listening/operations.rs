//! The operations port.

use ficha_tests::{Addresses, Server, eventually};

use crate::site;

#[test]
fn it_tells_that_it_lives_that_it_is_ready_and_its_metrics() {
    let site = site();
    site.token().send().expect(200);
    site.token().send().expect(200);
    let ops = site.server.ops().base("");
    assert_eq!(ops.get("/livez").expect(200).text(), "ok\n");
    // After a beat that took long it is degraded until the next one.
    eventually("it is ready", || ops.get("/readyz").expect(200).text() == "ready\n");
    let metrics = ops.get("/metrics").expect(200);
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    let text = metrics.text();
    let counted = text.lines().find(|l| {
        l.starts_with("ficha_token_answers_total{") && l.contains("client_credentials") && l.contains("issued")
    });
    let counted = counted.unwrap_or_else(|| panic!("{text}"));
    assert!(counted.rsplit(' ').next().unwrap().parse::<u64>().unwrap() >= 2, "{counted}");
    for label in [&site.secret, "\"app\""] {
        assert!(!text.contains(label), "a label is never a client's id");
    }
    ops.get("/nothing").expect(404);
}

#[test]
fn it_serves_no_tokens_and_the_other_ports_no_metrics() {
    let site = site();
    site.server.ops().base("/a").get("/.well-known/jwks.json").expect(404);
    for door in [site.server.http(), site.server.https()] {
        for path in ["/metrics", "/livez", "/readyz"] {
            door.base("").get(path).expect(404);
        }
    }
}

#[test]
fn dev_has_it_too() {
    let server = Server::dev(Addresses::Own);
    server.ops().base("").get("/readyz").expect(200);
    server.ops().base("").get("/metrics").expect(200);
}
