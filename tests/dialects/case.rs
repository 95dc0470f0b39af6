//! A recorded case.
//!
//! ```text
//! # What it shows. Lines that begin with # stand at the top only.
//! POST /oauth2/token HTTP/1.1
//! Host: auth.leancore.co
//!
//! grant_type=client_credentials
//! ---
//! 200 OK
//! cache-control: no-store
//!
//! {"access_token":"{access_token}"}
//! --- {access_token}
//! {"alg":"HS256","typ":"JWT"}
//! {"iss":"https://localhost:8443/leancore","iat":{iat}}
//! ===
//! the next request of the same case
//! ```
//!
//! The lines of a head end in CR LF when they are sent; of the body every byte is as it stands, without the last line's end.
//! A body gets its `Content-Length`, which the client adds, unless the case has one. In a request `{name}` is what an answer before
//! it gave, `{65536*x}` that many of a letter, `\xff` a byte. In an answer `{name}` is what is random: a number, which may be any,
//! or a word, the same wherever the name stands, and another one for another name. `--- {name}` tells what the token of that name
//! says, byte for byte.

use std::{collections::BTreeMap, path::Path};

use ficha_tests::{Door, Parts};

use super::redact;

/// What was random, by name.
pub(crate) type Known = BTreeMap<String, String>;

/// One request of a case with its answer.
struct Exchange {
    request: String,
    answer: Option<String>,
    /// The tokens that are looked into: name, header and claims.
    tokens: Vec<(String, String)>,
}

/// Plays the case of `file` at `door`; an `Err` says where it went otherwise.
pub(crate) fn play(file: &Path, door: &Door) -> Result<(), String> {
    let text = std::fs::read_to_string(file).unwrap();
    let about: String = text.split_inclusive('\n').take_while(|l| l.starts_with('#')).collect();
    let mut known = Known::new();
    let mut recorded = Vec::new();
    for part in text[about.len()..].split("\n===\n") {
        let mut exchange = parse(part);
        let bytes = request(&exchange.request, &known)?;
        let answer = door.send(&bytes).whole();
        match &exchange.answer {
            Some(expected) => compare(expected, &answer, &mut known)?,
            None if std::env::var("FICHA_RECORD").is_ok() => record(&mut exchange, &answer, &mut known),
            None => return Err("it has no answer yet: FICHA_RECORD=1 writes it".into()),
        }
        for (name, expected) in &exchange.tokens {
            let token = known.get(name).ok_or(format!("there is no {name}"))?;
            let Parts { header, claims } = Parts::of(token);
            compare(expected, &format!("{header}\n{claims}"), &mut known)?;
        }
        recorded.push(written(&exchange));
    }
    let whole = format!("{about}{}\n", recorded.join("\n===\n"));
    if whole != text && std::env::var("FICHA_RECORD").is_ok() {
        std::fs::write(file, whole).unwrap();
    }
    Ok(())
}

fn parse(part: &str) -> Exchange {
    let part = part.strip_suffix('\n').unwrap_or(part);
    let (request, rest) = part.split_once("\n---").map_or((part, None), |(request, rest)| (request, Some(rest)));
    let mut sections = rest.unwrap_or_default().split("\n--- ");
    let answer = sections.next().unwrap_or_default().trim_start_matches('\n');
    let token = |section: &str| {
        let (name, expected) = section.split_once('\n').unwrap();
        (name.trim_matches(['{', '}']).to_owned(), expected.to_owned())
    };
    Exchange {
        request: request.to_owned(),
        answer: (!answer.is_empty()).then(|| answer.to_owned()),
        tokens: sections.map(token).collect(),
    }
}

fn written(exchange: &Exchange) -> String {
    let mut out = format!("{}\n---\n{}", exchange.request, exchange.answer.as_deref().unwrap_or_default());
    for (name, token) in &exchange.tokens {
        out += "\n--- {";
        out += name;
        out += "}\n";
        out += token;
    }
    out
}

fn record(exchange: &mut Exchange, answer: &str, known: &mut Known) {
    exchange.answer = Some(redact::redact(answer, known));
    for (name, _) in known.clone() {
        let fresh = name.starts_with("access_token") || name.starts_with("refresh_token");
        let shown = exchange.answer.as_ref().unwrap().contains(&format!("{{{name}}}"));
        if fresh && shown && known[&name].split('.').count() == 3 {
            let Parts { header, claims } = Parts::of(&known[&name]);
            exchange.tokens.push((name, redact::redact(&format!("{header}\n{claims}"), known)));
        }
    }
}

/// The bytes of a request.
fn request(text: &str, known: &Known) -> Result<Vec<u8>, String> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end_matches('\n'), ""));
    let body = filled(body, known)?;
    let mut lines: Vec<String> = head.lines().map(str::to_owned).collect();
    let has = |name: &str| lines.iter().any(|l| l.to_ascii_lowercase().starts_with(name));
    if !body.is_empty() && !has("content-length:") && !has("transfer-encoding:") {
        lines.push(format!("Content-Length: {}", body.len()));
    }
    let head = filled(&format!("{}\r\n\r\n", lines.join("\r\n")), known)?;
    Ok([head, body].concat())
}

fn filled(text: &str, known: &Known) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '\\']) {
        out.extend(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        if let Some(digits) = rest.strip_prefix("\\x").and_then(|r| r.get(..2)) {
            out.push(u8::from_str_radix(digits, 16).map_err(|e| format!("\\x{digits}: {e}"))?);
            rest = &rest[4..];
            continue;
        }
        match redact::placeholder(rest) {
            Some((name, after)) => {
                out.extend(known.get(name).ok_or(format!("there is no {name} yet"))?.bytes());
                rest = after;
            }
            None => match repeated(rest) {
                Some((times, letter, after)) => {
                    out.extend(vec![letter; times]);
                    rest = after;
                }
                None => {
                    out.push(rest.as_bytes()[0]);
                    rest = &rest[1..];
                }
            },
        }
    }
    out.extend(rest.bytes());
    Ok(out)
}

/// `{65536*x}`
fn repeated(text: &str) -> Option<(usize, u8, &str)> {
    let (inner, after) = text.strip_prefix('{')?.split_once('}')?;
    let (times, letter) = inner.split_once('*')?;
    Some((times.parse().ok()?, *letter.as_bytes().first()?, after))
}

/// Compares and learns what is random.
fn compare(expected: &str, actual: &str, known: &mut Known) -> Result<(), String> {
    let mut learned = known.clone();
    let differs = |learned: &Known, why: &str| {
        let mut shown = actual.to_owned();
        for (name, value) in learned.iter().filter(|(_, v)| v.len() > 3) {
            shown = shown.replace(value, &format!("{{{name}}}"));
        }
        Err(format!("{why}\nexpected:\n{expected}\nactual:\n{shown}"))
    };
    let (mut expected_rest, mut actual_rest) = (expected, actual);
    while let Some(at) = redact::next_placeholder(expected_rest) {
        let (literal, rest) = expected_rest.split_at(at);
        let Some(behind) = actual_rest.strip_prefix(literal) else { return differs(&learned, "it differs") };
        let (name, after) = redact::placeholder(rest).unwrap();
        let end = behind.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.~".contains(c))).unwrap_or(behind.len());
        let value = &behind[..end];
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if value.is_empty() {
            return differs(&learned, &format!("{name} is not there"));
        }
        if !is_number(value) {
            if learned.get(name).is_some_and(|before| before != value) {
                return differs(&learned, &format!("{name} is another one: {value:?}"));
            }
            if let Some((twin, _)) = learned.iter().find(|(other, v)| *other != name && *v == value) {
                return differs(&learned, &format!("{name} and {twin} are the same"));
            }
            learned.insert(name.to_owned(), value.to_owned());
        }
        (expected_rest, actual_rest) = (after, &behind[end..]);
    }
    if expected_rest != actual_rest {
        return differs(&learned, "it differs");
    }
    *known = learned;
    Ok(())
}
