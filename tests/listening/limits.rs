//! Limits: what is above one is refused, and the connection of who dawdles ends.

use ficha_tests::{Config, Door, eventually};

use crate::{Site, client, site};

/// A server with that limit and no other: a shorter one would end what the test needs whole.
fn limited(limit: &str) -> Site {
    Site::with(Config::new().with("limits", limit))
}

/// Waits until the server answers; a try may itself take longer than the limit.
fn goes_on(site: &Site) {
    eventually("it answers others", || site.token().try_send().is_ok_and(|answer| answer.status == 200));
}

#[test]
fn a_body_above_64_kib_is_read_whole_and_then_413() {
    let site = site();
    for size in [64 * 1024 + 1, 300_000, 900_000] {
        let body = "x".repeat(size);
        let head = format!(
            "POST /a/oauth/token HTTP/1.1\r\nHost: localhost:8443\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {size}\r\n\r\n"
        );
        let mut connection = site.server.https().connect();
        connection.write(head.as_bytes()).unwrap();
        for piece in body.as_bytes().chunks(50_000) {
            connection.write(piece).unwrap();
        }
        connection.read_answer(false).unwrap().expect(413);
        // The whole of it was read: what follows is the next request.
        connection.write(&site.token().bytes()).unwrap();
        connection.read_answer(false).unwrap().expect(200);
    }
    let exactly = "x".repeat(64 * 1024 - 1);
    let call = site.server.https().base("/a").post("/oauth/token").form(&[(&exactly, "")]);
    assert_ne!(call.send().status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_http_2_the_413_always_arrives() {
    let site = site();
    let client = client(&site.server);
    for _ in 0..20 {
        let request = client.post("https://localhost:8443/a/oauth/token").body("x".repeat(200_000));
        let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 413);
    }
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let site = site();
    let long = site.token().header("X-Long", &"x".repeat(40_000)).send();
    assert!([400, 431].contains(&long.status), "{}", long.whole());
}

#[test]
fn who_sends_no_whole_head_in_time_is_sent_away() {
    let site = limited("header_timeout_s = 1");
    for begun in [&b""[..], b"POST /a/oauth/token HTTP/1.1\r\nHost: local"] {
        for door in [site.server.http(), site.server.https()] {
            let mut connection = door.connect();
            // It may be sent away before that is written.
            let _ = connection.write(begun);
            let (_, _) = connection.read_to_end();
        }
    }
    goes_on(&site);
}

#[test]
fn who_sends_no_whole_body_in_time_is_answered_and_sent_away() {
    let site = limited("body_timeout_s = 1");
    let mut connection = site.server.https().connect();
    let mut request = site.token().bytes();
    request.truncate(request.len() - 5);
    connection.write(&request).unwrap();
    let answer = connection.read_answer(false).unwrap();
    assert!([400, 408].contains(&answer.status), "{}", answer.whole());
}

#[test]
fn a_handshake_that_never_comes_ends_the_connection() {
    let site = limited("handshake_timeout_s = 1");
    let mut silent = Door::plain(site.server.places.https).connect();
    let (came, _) = silent.read_to_end();
    assert!(came.is_empty());
    goes_on(&site);
}

#[test]
fn one_address_may_not_take_all_connections() {
    let site = limited("connections_per_address = 8\nheader_timeout_s = 120");
    let held: Vec<_> = (0..8).map(|_| site.server.http().connect()).collect();
    let mut further = site.server.http().connect();
    let (came, _) = further.read_to_end();
    assert!(came.is_empty(), "it is closed at once");
    drop(held);
    // The places are those of that door.
    let keys = site.server.http().base("/a").call("GET", "/.well-known/jwks.json");
    eventually("the places are free again", || keys.try_send().is_ok_and(|answer| answer.status == 200));
}
