//! What is fuzzed: every parser that a stranger's bytes reach. `cargo fuzz run NAME` looks for new ones; the corpora run as
//! ordinary tests (`crates/oauth/tests/corpora.rs`).

use std::{net::SocketAddr, sync::OnceLock, time::Instant};

use ficha_oauth::dialect::{DialectSet, Endpoint, Sent, StandardForm, basic};
use ficha_web::{Arrival, Origin, TrustedProxies};
use http::{HeaderMap, HeaderValue, Request, header};

const DIALECTS: [&str; 4] = ["standard", "leancore", "deyel", "pomelo"];

fn dialects() -> &'static DialectSet {
    static SET: OnceLock<DialectSet> = OnceLock::new();
    SET.get_or_init(|| DialectSet::load(None).expect("the built-in dialects load"))
}

/// A body of that type, as every dialect reads it.
fn body(data: &[u8], media_type: &'static str) {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    let sent = Sent { query: None, headers: &headers, body: data };
    for name in DIALECTS {
        let dialect = dialects().compiled(&name.parse().expect("a name")).expect("a built-in dialect");
        let _ = dialect.parse_token(sent);
        let _ = dialect.parse_vendor_revoke(sent);
    }
    let _ = StandardForm::parse(Endpoint::Introspect, sent);
}

pub(crate) fn form(data: &[u8]) {
    body(data, "application/x-www-form-urlencoded");
}

pub(crate) fn json(data: &[u8]) {
    body(data, "application/json");
}

pub(crate) fn basic(data: &[u8]) {
    let mut headers = HeaderMap::new();
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    headers.insert(header::AUTHORIZATION, value);
    let _ = basic::credentials(&headers);
}

pub(crate) fn jwt(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(parsed) = ficha_jose::Compact::parse(text) {
        let key = ficha_jose::VerifyingKey::from_secret(&[7; 32]).expect("32 bytes");
        let _ = parsed.verify_with(&key);
    }
}

pub(crate) fn refresh_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = ficha_core::token::take_apart(text);
    let _ = ficha_jose::Compact::parse(text);
}

pub(crate) fn dialect_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = DialectSet::check_text(&"fuzzed".parse().expect("a name"), text);
}

/// Lines of `name: value` as the headers of a request that a trusted proxy sent.
pub(crate) fn forwarding(data: &[u8]) {
    let mut request = Request::builder().uri("/oauth/token");
    for line in data.split(|b| *b == b'\n').take(32) {
        let mut parts = line.splitn(2, |b| *b == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        request = request.header(name, value);
    }
    let Ok(request) = request.body(()) else { return };
    let local = SocketAddr::from(([127, 0, 0, 1], 443));
    let arrival = Arrival { peer: local, local, tls: false, sni: None, at: Instant::now() };
    let trusted = TrustedProxies::new(vec!["127.0.0.0/8".parse().expect("a network")]);
    let _ = Origin::of(&arrival, &request, &trusted);
    let _ = Origin::of(&arrival, &request, &TrustedProxies::default());
}
