//! What is an access token, what is another kind, and how the vendors write theirs.

use serde_json::{Value, json};

use super::draft::{Draft, NOON, case};

const TYP: &str = "RFC 8725 §3.11, RFC 9068 §4: the kind in the header";
const USE: &str = "a refresh token never passes";
const ID: &str = "OpenID Connect Core §2: an ID token never passes";
const EVENT: &str = "RFC 8417 §2.2: what tells of an event never passes";
const BOUND: &str = "RFC 7800 §3.1: a token bound to its sender is no bearer token";
const VENDOR: &str = "a vendor's own form";

pub(crate) fn all() -> Vec<Draft> {
    let mut all = typed();
    all.extend(others());
    all.extend(bound());
    all.extend(vendors());
    all
}

fn typed() -> Vec<Draft> {
    let typ = |name, verdict, typ: Value| {
        let header = if typ.is_null() {
            json!({"alg": "RS256", "kid": "rs256"})
        } else {
            json!({"alg": "RS256", "typ": typ, "kid": "rs256"})
        };
        case(name, TYP, verdict).header(&header, "rs256")
    };
    let not = "not_an_access_token";
    vec![
        typ("typ at+jwt", "ok", json!("at+jwt")),
        typ("typ AT+JWT", "ok", json!("AT+JWT")),
        typ("typ application/at+jwt", "ok", json!("application/at+jwt")),
        typ("typ JWT", "ok", json!("JWT")),
        typ("no typ", "ok", json!(null)),
        typ("typ logout+jwt", not, json!("logout+jwt")),
        typ("typ dpop+jwt", not, json!("dpop+jwt")),
        typ("typ secevent+jwt", not, json!("secevent+jwt")),
        typ("typ ficha-revocations+jwt", not, json!("ficha-revocations+jwt")),
        typ("typ id_token", not, json!("id_token")),
        typ("an empty typ", not, json!("")),
        typ("typ is a number", "malformed_token", json!(7)),
        typ("typ at+jwt where it is required", "ok", json!("at+jwt")).to("only-at-jwt"),
        typ("typ JWT where at+jwt is required", not, json!("JWT")).to("only-at-jwt"),
        typ("no typ where at+jwt is required", not, json!(null)).to("only-at-jwt"),
    ]
}

fn others() -> Vec<Draft> {
    let untyped = json!({"alg": "RS256", "kid": "rs256"});
    let other =
        |name, rule, claims: Value| case(name, rule, "not_an_access_token").header(&untyped, "rs256").claims(&claims);
    vec![
        other("token_use refresh", USE, json!({"token_use": "refresh"})),
        case("token_use refresh under typ at+jwt", USE, "not_an_access_token").claims(&json!({"token_use": "refresh"})),
        other("the claim typ Refresh", USE, json!({"typ": "Refresh"})),
        other("the claim typ Offline", USE, json!({"typ": "Offline"})),
        other("token_use is a number", USE, json!({"token_use": 7})),
        case("token_use access", USE, "ok").claims(&json!({"token_use": "access"})),
        case("the claim typ Bearer", USE, "ok").claims(&json!({"typ": "Bearer"})),
        other("token_use id", ID, json!({"token_use": "id"})),
        other("the claim typ ID", ID, json!({"typ": "ID"})),
        other("a nonce, as of an ID token", ID, json!({"nonce": "n-0S6_WzA2Mj"})),
        other("an at_hash, as of an ID token", ID, json!({"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"})),
        case("a nonce under typ at+jwt", ID, "ok").claims(&json!({"nonce": "n-0S6_WzA2Mj"})),
        other(
            "events, as of a logout token",
            EVENT,
            json!({"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        ),
    ]
}

fn bound() -> Vec<Draft> {
    let certificate = json!({"cnf": {"x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"}});
    vec![
        case("bound to a certificate", BOUND, "sender_bound").claims(&certificate),
        case("bound to a DPoP key", BOUND, "sender_bound")
            .claims(&json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}})),
        case("bound to something unknown", BOUND, "sender_bound").claims(&json!({"cnf": {}})),
        case("bound to a certificate where that is checked", BOUND, "ok").claims(&certificate).to("sender-bound"),
    ]
}

fn vendors() -> Vec<Draft> {
    vec![
        case("a token as LeanCore writes it", VENDOR, "ok")
            .header_text(r#"{"alg":"HS256","typ":"JWT"}"#, "secret-1")
            .to("secret"),
        case("a token as Deyel writes it", VENDOR, "ok").header_text(r#"{"kid":"rs256","alg":"RS256"}"#, "rs256"),
        case("a refresh token as Deyel writes it", VENDOR, "unknown_key")
            .header_text(r#"{"kid":"k1","alg":"RS256"}"#, "forger-rs256")
            .claims(&json!({"token_use": "refresh", "aud": "https://issuer.example/oauth/token"})),
        case("a token as Pomelo writes it", VENDOR, "ok")
            .header_text(r#"{"alg":"RS256","typ":"JWT","kid":"rs256"}"#, "rs256")
            .payload(
                json!({
                    "https://pomelo.la/client_id": "8f14e45fceea167a5a36dedd4bea2543",
                    "iss": "https://issuer.example", "sub": "app@clients", "aud": "https://api.example.com",
                    "iat": NOON, "exp": NOON + 86_400, "azp": "app", "scope": "arg:cards:get-card",
                    "gty": "client-credentials", "jti": "sZ7gU8Tzo6g2ga36PthFjg",
                })
                .to_string()
                .as_bytes(),
            ),
    ]
}
