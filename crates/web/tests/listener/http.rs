//! Requests, bodies and limits without TLS.

use axum::http::StatusCode;
use ficha_web::{BodyError, Limits, Phase, TrustedProxies};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{LONG, Options, SOON, Wire, ask, http2, limited, patient, start};

#[tokio::test]
async fn a_request_tells_how_it_arrived() {
    let site = limited(patient());
    let mut wire = Wire::to(site.address).await;
    let local = wire.0.local_addr().unwrap();
    let answer = wire.get("/arrival").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with(&format!("{local} {} false -", site.address)), "{answer}");
}

#[tokio::test]
async fn http2_is_spoken_to_who_begins_with_it() {
    let site = limited(patient());
    let (mut send, _connection) = http2(TcpStream::connect(site.address).await.unwrap()).await;
    assert_eq!(ask(&mut send, "GET", "/hello", b"").await, (StatusCode::OK, "hello".into()));
    assert_eq!(ask(&mut send, "GET", "/hello", b"").await, (StatusCode::OK, "hello".into()));
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_dropped() {
    let mut site = limited(patient());
    let mut wire = Wire::to(site.address).await;
    wire.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n").await;
    site.begun.recv().await.unwrap();
    drop(wire);
    site.shutdown.advance(Phase::Stopping);
    tokio::time::timeout(LONG, site.serving.finished()).await.expect("the request has ended");
}

#[tokio::test]
async fn what_comes_while_a_request_waits_is_the_next_one() {
    let mut site = limited(patient());
    for cut in [1, 2, 10, 40] {
        let next = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello";
        let mut wire = Wire::to(site.address).await;
        wire.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n").await;
        site.begun.recv().await.unwrap();
        let (first, rest) = next.split_at(cut);
        wire.send(first).await;
        site.go_on.add_permits(1);
        assert!(wire.response().await.ends_with("waited"));
        wire.send(rest).await;
        assert!(wire.response().await.ends_with("hello"), "cut at {cut}");
    }
}

#[tokio::test]
async fn a_body_that_comes_in_pieces_is_read_whole() {
    let site = limited(patient());
    let mut wire = Wire::to(site.address).await;
    for round in 0..200 {
        let body = format!("{round:030}");
        wire.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\nContent-Length: 30\r\n\r\n").await;
        for piece in 0..3 {
            wire.send(&body[10 * piece..][..10]).await;
            tokio::task::yield_now().await;
        }
        assert!(wire.response().await.ends_with(&body), "round {round}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let site = limited(Limits { header_read: SOON, ..patient() });
    let mut wire = Wire::to(site.address).await;
    assert!(wire.get("/hello").await.ends_with("hello"));
    wire.send("GET /hello HTTP/1.1\r\nHost: te").await;
    assert_eq!(wire.end().await, "");
}

#[tokio::test]
async fn a_connection_over_which_nothing_comes_is_closed() {
    let site = limited(Limits { header_read: SOON, ..patient() });
    assert_eq!(Wire::to(site.address).await.end().await, "");
    let mut half_a_preface = Wire::to(site.address).await;
    half_a_preface.send("PRI * HTTP/2.0\r\n").await;
    assert_eq!(half_a_preface.end().await, "");
}

#[tokio::test]
async fn a_connection_may_lie_idle_for_longer_than_a_head_may_take() {
    let site = limited(Limits { header_read: SOON, ..patient() });
    let mut wire = Wire::to(site.address).await;
    assert!(wire.get("/hello").await.ends_with("hello"));
    // The other connection's end shows that as much time has passed.
    assert_eq!(Wire::to(site.address).await.end().await, "");
    assert!(wire.get("/hello").await.ends_with("hello"));
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let site = limited(Limits { idle: SOON, ..patient() });
    let mut wire = Wire::to(site.address).await;
    assert!(wire.get("/hello").await.ends_with("hello"));
    assert_eq!(wire.end().await, "");
    let (mut send, connection) = http2(TcpStream::connect(site.address).await.unwrap()).await;
    assert_eq!(ask(&mut send, "GET", "/hello", b"").await.1, "hello");
    tokio::time::timeout(LONG, connection).await.expect("GOAWAY ends it").unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_503() {
    let site = limited(Limits { request: SOON, ..patient() });
    let answer = Wire::to(site.address).await.get("/wait").await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("retry-after: 1\r\n"), "{answer}");
}

#[tokio::test]
async fn who_does_not_take_its_answer_is_cut_off() {
    let site = limited(Limits { request: SOON, answer_taken: SOON, ..patient() });
    let mut wire = Wire::to(site.address).await;
    wire.send("GET /flood HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let mut first = [0; 10];
    wire.0.read_exact(&mut first).await.unwrap();
    // What was begun is finished, and this would never be.
    site.shutdown.advance(Phase::Stopping);
    tokio::time::timeout(LONG, site.serving.finished()).await.expect("the connection is given up");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_all_the_same() {
    let mut site = limited(patient());
    let mut wire = Wire::to(site.address).await;
    wire.send("POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 500\r\n\r\nx").await;
    assert_eq!(site.bodies.recv().await.unwrap(), Err(BodyError::TimedOut));
    assert!(wire.response().await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let site = limited(Limits { header_bytes: 8_192, ..patient() });
    let mut wire = Wire::to(site.address).await;
    wire.send(&format!("GET /hello HTTP/1.1\r\nHost: test\r\nX-Long: {}", "x".repeat(10_000))).await;
    assert!(wire.end().await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn who_sends_much_more_than_is_read_gets_its_answer() {
    let site = limited(Limits { header_bytes: 8_192, ..patient() });
    let mut wire = Wire::to(site.address).await;
    wire.send("GET /hello HTTP/1.1\r\nHost: test\r\nX-Long: ").await;
    // More than fits into the buffers of both ends: it is read away, or who sends it is reset.
    for _ in 0..500 {
        wire.0.write_all(&[b'x'; 10_000]).await.unwrap();
    }
    assert!(wire.end().await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn who_sends_without_end_is_cut_off() {
    let site = limited(Limits { header_bytes: 8_192, ..patient() });
    let mut wire = Wire::to(site.address).await;
    wire.send("GET /hello HTTP/1.1\r\nHost: test\r\nX-Long: ").await;
    let sent = async { while wire.0.write_all(&[b'x'; 10_000]).await.is_ok() {} };
    tokio::time::timeout(LONG, sent).await.expect("nothing more is read");
}

#[tokio::test]
async fn further_connections_than_allowed_are_turned_away_until_there_is_room() {
    let site = limited(Limits { connections: 1, ..patient() });
    let mut first = Wire::to(site.address).await;
    assert!(first.get("/hello").await.ends_with("hello"));
    assert_eq!(Wire::to(site.address).await.end().await, "");
    assert!(first.get("/hello").await.ends_with("hello"));
    drop(first);
    tokio::time::timeout(LONG, async { while !is_served(site.address).await {} }).await.expect("there is room again");
}

async fn is_served(address: std::net::SocketAddr) -> bool {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(b"GET /hello HTTP/1.0\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer.starts_with(b"HTTP/1.0 200")
}

#[tokio::test]
async fn one_address_has_its_own_limit_and_trusted_proxies_have_none() {
    let limits = Limits { connections_per_address: 1, ..patient() };
    for (proxies, second_is_served) in [(vec![], false), (vec!["127.0.0.0/8".parse().unwrap()], true)] {
        let proxies = TrustedProxies::new(proxies);
        let site = start(Options { limits: Some(limits.clone()), proxies, ..Options::default() });
        let mut first = Wire::to(site.address).await;
        assert!(first.get("/hello").await.ends_with("hello"));
        assert_eq!(is_served(site.address).await, second_is_served);
    }
}

#[tokio::test]
async fn the_last_request_of_a_connection_says_so() {
    let site = limited(Limits { requests_per_connection: 2, ..patient() });
    let mut wire = Wire::to(site.address).await;
    assert!(!wire.get("/hello").await.contains("connection: close"));
    assert!(wire.get("/hello").await.contains("connection: close"));
    assert_eq!(wire.end().await, "");
    let (mut send, connection) = http2(TcpStream::connect(site.address).await.unwrap()).await;
    for _ in 0..2 {
        assert_eq!(ask(&mut send, "GET", "/hello", b"").await.1, "hello");
    }
    tokio::time::timeout(LONG, connection).await.expect("GOAWAY ends it").unwrap().unwrap();
}

#[tokio::test]
async fn a_body_too_large_is_read_to_its_end_before_it_is_refused() {
    static LARGE: [u8; 500_000] = [b'x'; 500_000];
    let site = limited(patient());
    let mut wire = Wire::to(site.address).await;
    wire.send("POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 500000\r\n\r\n").await;
    wire.0.write_all(&LARGE).await.unwrap();
    assert!(wire.response().await.starts_with("HTTP/1.1 413 "));
    // Nothing of it is left in the connection.
    assert!(wire.get("/hello").await.ends_with("hello"));
    let (mut send, _connection) = http2(TcpStream::connect(site.address).await.unwrap()).await;
    assert_eq!(ask(&mut send, "POST", "/body", &LARGE).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(ask(&mut send, "GET", "/hello", b"").await.1, "hello");
}

#[tokio::test]
async fn a_body_within_the_limit_comes_whole_in_any_encoding() {
    let mut site = limited(patient());
    let mut wire = Wire::to(site.address).await;
    wire.send("POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc").await;
    assert!(wire.response().await.starts_with("HTTP/1.1 200 "));
    let chunked =
        "POST /body HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n";
    wire.send(chunked).await;
    assert!(wire.response().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(
        [site.bodies.recv().await.unwrap().unwrap(), site.bodies.recv().await.unwrap().unwrap()],
        ["abc", "def"]
    );
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_badly_encoded_is_broken() {
    let mut site = limited(patient());
    let mut wire = Wire::to(site.address).await;
    wire.send("POST /body HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").await;
    assert_eq!(site.bodies.recv().await.unwrap(), Err(BodyError::Broken));
}
