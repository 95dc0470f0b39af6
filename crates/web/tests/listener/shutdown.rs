//! The end in good order.

use std::{slice, time::Duration};

use axum::http::StatusCode;
use ficha_web::{Phase, wind_down};
use tokio::net::TcpStream;

use crate::support::{LONG, SOON, Wire, ask, http2, limited, patient};

#[tokio::test]
async fn while_it_drains_everything_is_served_and_told_to_close() {
    let site = limited(patient());
    let mut kept = Wire::to(site.address).await;
    assert!(!kept.get("/hello").await.contains("connection: close"));
    site.shutdown.advance(Phase::Draining);
    for mut wire in [kept, Wire::to(site.address).await] {
        let answer = wire.get("/hello").await;
        assert!(answer.contains("connection: close\r\n") && answer.ends_with("hello"), "{answer}");
        assert_eq!(wire.end().await, "");
    }
}

#[tokio::test]
async fn while_it_drains_http2_connections_finish_their_requests_and_go() {
    let mut site = limited(patient());
    let (mut send, connection) = http2(TcpStream::connect(site.address).await.unwrap()).await;
    let waiting = tokio::spawn(async move { ask(&mut send, "GET", "/wait", b"").await });
    site.begun.recv().await.unwrap();
    site.shutdown.advance(Phase::Draining);
    let (mut new, new_connection) = http2(TcpStream::connect(site.address).await.unwrap()).await;
    assert_eq!(ask(&mut new, "GET", "/hello", b"").await.1, "hello");
    tokio::time::timeout(LONG, new_connection).await.expect("GOAWAY ends it").unwrap().unwrap();
    site.go_on.add_permits(1);
    assert_eq!(waiting.await.unwrap(), (StatusCode::OK, "waited".into()));
    tokio::time::timeout(LONG, connection).await.expect("GOAWAY ends it").unwrap().unwrap();
}

#[tokio::test]
async fn what_was_begun_is_finished_and_nothing_new_is_taken() {
    let mut site = limited(patient());
    let mut busy = Wire::to(site.address).await;
    busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let mut idle = Wire::to(site.address).await;
    assert!(idle.get("/hello").await.ends_with("hello"));
    let (mut send, connection) = http2(TcpStream::connect(site.address).await.unwrap()).await;
    let waiting = tokio::spawn(async move { ask(&mut send, "GET", "/wait", b"").await });
    for _ in 0..2 {
        site.begun.recv().await.unwrap();
    }
    let (shutdown, address) = (site.shutdown.clone(), site.address);
    let wound_down =
        tokio::spawn(async move { wind_down(&shutdown, slice::from_ref(&site.serving), Duration::ZERO, LONG).await });
    assert_eq!(idle.end().await, "");
    tokio::time::timeout(LONG, async { while TcpStream::connect(address).await.is_ok() {} })
        .await
        .expect("no longer taken");
    assert!(!wound_down.is_finished());
    site.go_on.add_permits(2);
    let answer = busy.response().await;
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("waited"), "{answer}");
    assert_eq!(waiting.await.unwrap(), (StatusCode::OK, "waited".into()));
    assert_eq!(busy.end().await, "");
    connection.await.unwrap().unwrap();
    assert!(wound_down.await.unwrap());
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_dropped() {
    let mut site = limited(patient());
    let mut busy = Wire::to(site.address).await;
    busy.send("GET /wait HTTP/1.1\r\nHost: test\r\n\r\n").await;
    site.begun.recv().await.unwrap();
    assert!(!wind_down(&site.shutdown, slice::from_ref(&site.serving), Duration::ZERO, SOON).await);
    assert_eq!(busy.end().await, "");
    tokio::time::timeout(LONG, site.serving.finished()).await.expect("nothing is left");
}
