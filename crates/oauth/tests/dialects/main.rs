//! Dialects as the face for clients uses them: requests as bytes in, whole answers out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acme;
mod deyel;
mod every;
mod leancore;
mod pomelo;
mod standard;

use std::{path::Path, sync::Arc};

use ficha_core::{
    Refusal,
    token::{AccessToken, Issued, TokenAnswer, TokenRequest},
};
use ficha_oauth::dialect::{Answer, Asked, Compiled, DialectSet, Endpoint, Refused, Sent};
use ficha_types::{GrantKind, Seconds, Secret};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The built-in dialects and those of the folder beside this file.
fn set() -> DialectSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialects/acme");
    DialectSet::load(Some(&folder)).unwrap_or_else(|e| panic!("{e}"))
}

fn dialect(name: &str) -> Arc<Compiled> {
    set().compiled(&name.parse().unwrap()).unwrap()
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

fn headers(of: &[(&str, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(&str, &str)| -> (HeaderName, HeaderValue) { (name.parse().unwrap(), value.parse().unwrap()) };
    of.iter().map(pair).collect()
}

/// Reads a token request.
fn token(dialect: &Compiled, sent: &[(&str, &str)], body: &str) -> Result<(TokenRequest, Asked), Refused> {
    dialect.parse_token(Sent { query: None, headers: &headers(sent), body: body.as_bytes() })
}

/// The whole answer to a token request that is refused before anybody is asked.
fn refused(dialect: &Compiled, sent: &[(&str, &str)], body: &str) -> String {
    let refused = token(dialect, sent, body).unwrap_err();
    whole(&dialect.render_refusal(&refused.refusal, refused.asked))
}

/// The whole answer to a token request of `grant` that core refuses.
fn verdict(dialect: &Compiled, refusal: &Refusal, grant: Option<GrantKind>) -> String {
    whole(&dialect.render_refusal(refusal, Asked { endpoint: Endpoint::Token, grant, basic: true }))
}

/// A granted request's answer.
fn granted(refresh: Option<&str>, user: Option<&str>) -> TokenAnswer {
    TokenAnswer {
        access_token: AccessToken("aaa.bbb.ccc".into()),
        expires_in: Seconds(3599),
        scope: "cards:read cards:write".into(),
        refresh_token: refresh.map(|t| Secret::new(t.to_owned())),
        issued: Issued {
            id: "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
            client: "app".parse().unwrap(),
            user: user.map(|u| u.parse().unwrap()),
            api: "cards".parse().unwrap(),
            grant: GrantKind::ClientCredentials,
            secret: None,
            reused: false,
            outage: false,
        },
    }
}

/// Status, headers in alphabetical order, and body.
fn whole(answer: &Answer) -> String {
    let mut headers: Vec<String> =
        answer.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    headers.sort();
    let body = std::str::from_utf8(&answer.body).unwrap();
    format!("{}\n{}\n\n{body}", answer.status, headers.join("\n"))
}

/// The first line and the body alone, where the headers are those of every answer.
fn short(whole: &str) -> String {
    let (head, body) = whole.split_once("\n\n").unwrap();
    format!("{} {body}", head.lines().next().unwrap())
}
