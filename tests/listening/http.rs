//! HTTP/1.1 and HTTP/2.

use std::io::ErrorKind;

use reqwest::Version;

use crate::{begun, client, site};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test(flavor = "multi_thread")]
async fn http_2_and_1_1_answer_alike() {
    let site = site();
    let by_1 = site.token().send().expect(200);
    let request =
        client(&site.server).post("https://localhost:8443/a/oauth/token").basic_auth("app", Some(&site.secret));
    let by_2 = request.header(FORM.0, FORM.1).body("grant_type=client_credentials").send().await.unwrap();
    assert_eq!((by_2.status().as_u16(), by_2.version()), (200, Version::HTTP_2));
    for name in ["content-type", "cache-control", "pragma"] {
        assert_eq!(by_2.headers()[name].to_str().unwrap(), by_1.header(name).unwrap());
    }
    let token = by_2.text().await.unwrap();
    assert!(token.starts_with(r#"{"access_token":""#));
    let token: serde_json::Value = serde_json::from_str(&token).unwrap();
    ficha_tests::secrets::note("an access token", token["access_token"].as_str().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http_2_head_is_answered_without_the_body() {
    let site = site();
    let client = client(&site.server);
    for (path, status) in [("/.well-known/jwks.json", 200), ("/oauth/token", 405), ("/nowhere", 404)] {
        let url = format!("https://localhost:8443/a{path}");
        let answer = client.head(&url).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (status, Version::HTTP_2), "{path}");
        let length: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
        let body = answer.bytes().await.unwrap_or_else(|e| panic!("{path}: {e:?}"));
        assert!(body.is_empty() && length > 0, "{path}");
        if path != "/oauth/token" {
            assert_eq!(client.get(&url).send().await.unwrap().bytes().await.unwrap().len(), length, "{path}");
        }
    }
}

#[test]
fn a_connection_serves_request_after_request() {
    let site = site();
    let mut connection = site.server.https().connect();
    for _ in 0..5 {
        connection.write(&site.token().bytes()).unwrap();
        let answer = connection.read_answer(false).unwrap().expect(200);
        assert_eq!(answer.header("connection"), None);
    }
}

#[test]
fn requests_that_come_at_once_are_answered_in_their_order() {
    let site = site();
    let keys = site.server.https().base("/a").call("GET", "/.well-known/jwks.json").bytes();
    let mut connection = site.server.https().connect();
    connection.write(&[site.token().bytes(), keys, site.token().bytes()].concat()).unwrap();
    assert!(connection.read_answer(false).unwrap().text().contains("access_token"));
    assert!(connection.read_answer(false).unwrap().text().contains("keys"));
    assert!(connection.read_answer(false).unwrap().text().contains("access_token"));
}

#[test]
fn a_body_may_come_in_chunks() {
    let site = site();
    let head = site.token().header("Transfer-Encoding", "chunked").bytes();
    let head = String::from_utf8(head).unwrap();
    let head: Vec<_> =
        head.lines().take_while(|l| !l.is_empty()).filter(|l| !l.starts_with("Content-Length")).collect();
    let request = format!("{}\r\n\r\n11\r\ngrant_type=client\r\nc\r\n_credentials\r\n0\r\n\r\n", head.join("\r\n"));
    site.server.https().send(request.as_bytes()).expect(200);
}

#[test]
fn a_client_may_wait_for_100_continue() {
    let site = site();
    let (mut connection, body) = begun(site.token());
    connection.write(&body).unwrap();
    connection.read_answer(false).unwrap().expect(200);
}

#[test]
fn what_is_no_http_is_400_or_the_end() {
    let site = site();
    for nonsense in [
        &b"\x16\x03\x01\x00\x05hello\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n\0\r\n\r\n",
    ] {
        let mut connection = site.server.http().connect();
        connection.write(nonsense).unwrap();
        match connection.read_answer(false) {
            Ok(answer) => assert!([400, 505].contains(&answer.status), "{}", answer.whole()),
            Err(ended) => {
                assert!([ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset].contains(&ended.kind()), "{ended}");
            }
        }
    }
    site.token().send().expect(200);
}

#[test]
fn two_ways_to_tell_the_length_are_refused() {
    let site = site();
    let smuggled =
        b"POST /a/oauth/token HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef";
    assert_eq!(site.server.http().send(smuggled).status, 400);
}
