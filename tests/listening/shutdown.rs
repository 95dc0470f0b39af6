//! The end in good order.

use ficha_tests::{Config, eventually};

use crate::{Site, begun};

/// As much time for a body as there can be: one that came too late would be answered as such.
const PATIENT: (&str, &str) = ("limits", "body_timeout_s = 30");

#[test]
fn it_is_unready_first_serves_on_and_finishes_what_was_begun() {
    let mut site = Site::with(Config::new().with("listen", "drain_s = 20"));
    let mut kept = site.server.https().connect();
    kept.write(&site.token().bytes()).unwrap();
    kept.read_answer(false).unwrap().expect(200);
    site.server.signal("TERM");
    let ops = site.server.ops();
    eventually("it is unready", || ops.base("").get("/readyz").status == 503);
    ops.base("").get("/livez").expect(200);

    let answer = site.token().send().expect(200);
    assert_eq!(answer.header("connection"), Some("close"), "a new connection is served, once");
    kept.write(&site.token().bytes()).unwrap();
    assert_eq!(kept.read_answer(false).unwrap().expect(200).header("connection"), Some("close"));
    let (rest, in_good_order) = kept.read_to_end();
    assert!(rest.is_empty() && in_good_order);
    assert_eq!(site.server.wait(), 0);
}

#[test]
fn a_request_that_was_begun_is_finished_after_the_draining() {
    let mut site = Site::with(Config::new().with("listen", "drain_s = 0\nshutdown_s = 30").with(PATIENT.0, PATIENT.1));
    let (mut begun, body) = begun(site.slow());
    let mut idle = site.server.https().connect();
    idle.write(&site.token().bytes()).unwrap();
    idle.read_answer(false).unwrap().expect(200);
    site.server.signal("TERM");
    let (rest, _) = idle.read_to_end();
    assert!(rest.is_empty(), "an idle connection is closed");
    begun.write(&body).unwrap();
    let answer = begun.read_answer(false).unwrap();
    assert_eq!(answer.status, 400, "{}", answer.whole());
    assert_eq!(site.server.wait(), 0);
    assert!(site.server.https().try_connect().is_err(), "nobody listens any more");
}

#[test]
fn what_takes_longer_than_it_may_is_dropped() {
    let mut site = Site::with(Config::new().with("listen", "drain_s = 0\nshutdown_s = 0").with(PATIENT.0, PATIENT.1));
    let (mut begun, _never_sent) = begun(site.token());
    site.server.signal("INT");
    assert!(begun.read_answer(false).is_err());
    assert_eq!(site.server.wait(), 0);
}
