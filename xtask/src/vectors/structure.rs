//! The form of a token, and its bounds.

use anyhow::Result;
use serde_json::json;

use super::{
    draft::{Draft, case, members},
    keys::Keys,
};

const FORM: &str = "RFC 7515 §7.1: three parts in base64url without padding";
const HEADER: &str = "RFC 7515 §4: the header is a JSON object, each member once";
const CLAIMS: &str = "RFC 7519 §4: the claims are a JSON object, each member once";
const CRITICAL: &str = "RFC 7515 §4.1.11: what is critical and not understood";
const BOUND: &str = "a bound";

pub(crate) fn all() -> Vec<Draft> {
    let mut all = forms();
    all.extend(headers());
    all.extend(payloads());
    all.extend(bounds());
    all
}

fn forms() -> Vec<Draft> {
    let plain = |name, text| case(name, FORM, "malformed_token").text(text);
    let altered = |name, how: fn(&Keys, &str) -> Result<String>| case(name, FORM, "malformed_token").then(how);
    vec![
        plain("an empty text", ""),
        plain("an opaque text", "fat_q3m8Zk2Jx0"),
        plain("two parts", "e30.e30"),
        plain("two dots alone", ".."),
        plain("five parts, as of an encrypted token", "e30.e30.e30.e30.e30"),
        altered("four parts", |_, token| Ok(format!("{token}.e30"))),
        altered("a space before it", |_, token| Ok(format!(" {token}"))),
        altered("a line end after it", |_, token| Ok(format!("{token}\n"))),
        altered("a line end within it", |_, token| Ok(token.replacen('.', "\n.", 1))),
        altered("padding after the signature", |_, token| Ok(format!("{token}=="))),
        altered("padding after the header", |_, token| Ok(token.replacen('.', "=.", 1))),
        altered("base64 of the other alphabet", |_, token| {
            let [header, payload, signature] = Keys::apart(token)?;
            Ok(format!("{header}.{payload}.{}", signature.replace('-', "+").replace('_', "/")))
        }),
        altered("bits that belong to no byte", |_, token| {
            // 256 bytes leave four bits in the last character, which are zero: any other spelling is another text.
            let last = if token.ends_with('A') { 'B' } else { 'x' };
            Ok(format!("{}{last}", token.get(..token.len() - 1).unwrap_or_default()))
        }),
        altered("the JSON form", |_, token| {
            let [protected, payload, signature] = Keys::apart(token)?;
            Ok(json!({"payload": payload, "protected": protected, "signature": signature}).to_string())
        }),
    ]
}

fn headers() -> Vec<Draft> {
    let refused = |name, header: &str| case(name, HEADER, "malformed_token").header_text(header, "rs256");
    vec![
        refused("the header is no JSON", "{alg: RS256}"),
        refused("the header is a list", r#"["RS256"]"#),
        refused("the header is null", "null"),
        refused("the header says alg twice", r#"{"alg":"RS256","kid":"rs256","alg":"RS256"}"#),
        refused("the header says kid twice", r#"{"alg":"RS256","kid":"other","kid":"rs256"}"#),
        refused("the header says alg none, then RS256", r#"{"alg":"none","alg":"RS256","kid":"rs256"}"#),
        case("crit names an extension", CRITICAL, "malformed_token")
            .header_text(r#"{"alg":"RS256","kid":"rs256","crit":["exp"],"exp":1}"#, "rs256"),
        case("crit names what is not there", CRITICAL, "malformed_token")
            .header_text(r#"{"alg":"RS256","kid":"rs256","crit":["x"]}"#, "rs256"),
        case("crit is an empty list", CRITICAL, "malformed_token")
            .header_text(r#"{"alg":"RS256","kid":"rs256","crit":[]}"#, "rs256"),
        case("the payload is not encoded", "RFC 7797 §7", "malformed_token")
            .header_text(r#"{"alg":"RS256","kid":"rs256","b64":false,"crit":["b64"]}"#, "rs256"),
        case("a header with a member of its own", HEADER, "ok")
            .header_text(r#"{"alg":"RS256","kid":"rs256","x-own":{"a":[1]}}"#, "rs256"),
    ]
}

fn payloads() -> Vec<Draft> {
    let refused = |name, payload: &[u8]| case(name, CLAIMS, "malformed_claims").payload(payload);
    let claims = members(&json!({})).to_string();
    let more = |text: &str| claims.replacen('}', text, 1);
    vec![
        refused("the claims are empty", b""),
        refused("the claims are no JSON", b"iss=https://issuer.example"),
        refused("the claims are a list", b"[]"),
        refused("the claims are a text", b"\"claims\""),
        refused("something follows the claims", more("} {}").as_bytes()),
        refused(
            "the claims are not UTF-8",
            &[claims.as_bytes().get(..claims.len() - 1).unwrap_or_default(), b",\"x\":\"\xff\"}"].concat(),
        ),
        refused("the claims say aud twice", more(r#","aud":"https://api.example.com"}"#).as_bytes()),
        refused("the claims say exp twice", more(r#","exp":1900000000}"#).as_bytes()),
        refused("the claims say scope twice, once escaped", more(r#","\u0073cope":"admin"}"#).as_bytes()),
        refused("a claim says a member twice", more(r#","act":{"sub":"a","sub":"b"}}"#).as_bytes()),
        refused("a token within a token", b"eyJhbGciOiJub25lIn0.e30."),
        case("claims that nobody knows", CLAIMS, "ok").claims(&json!({"x": [1, {"y": null}], "z": 1.5})),
    ]
}

fn bounds() -> Vec<Draft> {
    let among = |others: u32| -> Vec<String> {
        (0..others).map(|n| n.to_string()).chain(["https://api.example.com".to_owned()]).collect()
    };
    let deep = |levels: usize| {
        let (open, close) = ("[".repeat(levels - 1), "]".repeat(levels - 1));
        members(&json!({})).to_string().replacen('}', &format!(r#","x":{open}{close}}}"#), 1)
    };
    vec![
        case("a token of 64 KiB and a byte", BOUND, "token_too_long").text(&"x".repeat(64 * 1024 + 1)),
        case("ten thousand audiences", BOUND, "too_many_audiences").claims(&json!({"aud": vec![""; 10_000]})),
        case("256 audiences, one of them this", BOUND, "ok").claims(&json!({"aud": among(255)})),
        case("257 audiences, one of them this", BOUND, "too_many_audiences").claims(&json!({"aud": among(256)})),
        case("claims of 16 levels", BOUND, "ok").payload(deep(16).as_bytes()),
        case("claims of 17 levels", BOUND, "malformed_claims").payload(deep(17).as_bytes()),
        case("claims of 5000 levels", BOUND, "malformed_claims").payload(deep(5000).as_bytes()),
    ]
}
