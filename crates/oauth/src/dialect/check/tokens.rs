//! `[access_token]` and `[refresh_token]`: what tokens say, and that it can be read again.

use ficha_core::profile::{Profile, RefreshForm};

use super::super::{
    claims::{Places, RefreshShape, TokenShape},
    section::{Noted, Section},
    template::{Template, TextTemplate, Variable},
    tree::{Node, Table, Value},
    variables::{HeaderVar, SubjectVar},
};

/// Claims that stand under their registered names (RFC 7519 §4.1), each with its whole value.
const REGISTERED: [(&str, &str); 5] =
    [("iss", "{issuer}"), ("sub", "{sub}"), ("iat", "{issued_at}"), ("exp", "{expires_at}"), ("jti", "{jti}")];

pub(super) fn check(root: &Section<'_>, profile: Option<&Profile>) -> Option<TokenShape> {
    let section = root.need_section("access_token", "a table that says what an access token looks like")?;
    let header =
        section.need_section("header", "the JOSE header, as a table").map(|header_table| header(&header_table));
    let client_subject = match section.entry("client_subject") {
        None => TextTemplate::text("{client_id}").ok(),
        Some(entry) => section.text(entry).and_then(|text| match TextTemplate::<SubjectVar>::text(text) {
            Ok(subject) if subject.uses(&SubjectVar) => Some(subject),
            Ok(_) => {
                section.wrong(entry, "expected {client_id} in it: two clients can't be one subject");
                None
            }
            Err(message) => {
                section.wrong(entry, message);
                None
            }
        }),
    };
    let claims = section.need_section("claims", "the claims, as a table").and_then(|claims| {
        let places = places(&claims, true);
        Some((template(&claims), places?))
    });
    section.finish();
    let refresh = refresh(root, profile);
    let (claims, places) = claims?;
    Some(TokenShape { header: header?, client_subject: client_subject?, claims, places, refresh: refresh.ok()? })
}

fn header(section: &Section<'_>) -> Template<HeaderVar> {
    let header = template(section);
    match section.table.text("alg") {
        Some("{alg}") => {}
        Some(_) | None => section.wrong_here("expected alg = \"{alg}\" in it (RFC 7515 §4.1.1)"),
    }
    if let Some(entry) = section.table.entry("kid")
        && section.table.text("kid") != Some("{kid}")
    {
        section.wrong(entry, "expected \"{kid}\", or no kid at all");
    }
    for name in ["crit", "b64", "zip"] {
        if let Some(entry) = section.table.entry(name) {
            section.wrong(entry, "expected no such header: what it asks for is not done here");
        }
    }
    header
}

fn refresh(root: &Section<'_>, profile: Option<&Profile>) -> Result<Option<RefreshShape>, Noted> {
    let is_jwt = profile.and_then(|p| p.refresh.as_ref()).is_some_and(|r| r.form == RefreshForm::Jwt);
    let Some(entry) = root.entry("refresh_token") else {
        if is_jwt {
            root.wrong_here("refresh_token.claims: missing: expected the claims, since profile.refresh.form is jwt");
            return Err(Noted);
        }
        return Ok(None);
    };
    let section = root.below(entry).ok_or(Noted)?;
    let claims = section.need_section("claims", "the claims, as a table");
    section.finish();
    let claims = claims.ok_or(Noted)?;
    let template = template(&claims);
    let places = places(&claims, false).ok_or(Noted)?;
    let endpoint = whole(claims.table, "{token_endpoint}").map(str::to_owned);
    let constants = claims.table.0.iter().filter_map(|e| Some((e.key.clone(), constant(&e.node)?))).collect();
    // A dialect that inherits the claims but seals its tokens has no use for them.
    Ok(is_jwt.then_some(RefreshShape { claims: template, places, endpoint, constants }))
}

fn template<V: Variable>(section: &Section<'_>) -> Template<V> {
    let mut complain = |node: &Node, key: &str, message: String| section.wrong_at(&node.at, key, message);
    Template::object(section.table, &mut complain)
}

/// Where the facts stand that are read again; a problem for each that stands nowhere.
fn places(claims: &Section<'_>, aud_is_api: bool) -> Option<Places> {
    let mut complete = true;
    for (name, value) in REGISTERED {
        if claims.table.text(name) != Some(value) {
            claims.wrong_here(format!("expected {name} = \"{value}\" in it: that is read again"));
            complete = false;
        }
    }
    let place = |what: &str, found: Option<&str>| -> Option<String> {
        if found.is_none() {
            claims.wrong_here(format!("expected a claim that is \"{what}\" and nothing else: that is read again"));
        }
        found.map(str::to_owned)
    };
    let client = place("{client_id}", whole(claims.table, "{client_id}"));
    let scope = place("{scope}", whole(claims.table, "{scope}").or_else(|| whole(claims.table, "{scope:list}")));
    let audience = whole(claims.table, "{audience}");
    let audience = if aud_is_api {
        if audience_stands_in_aud(claims.table) {
            Some("aud".to_owned())
        } else {
            claims.wrong_here("expected aud = \"{audience}\" or [\"{audience}\"] in it: that is read again");
            None
        }
    } else {
        place("{audience}", audience)
    };
    complete.then_some(())?;
    Some(Places { client: client?, scope: scope?, audience: audience? })
}

fn audience_stands_in_aud(claims: &Table) -> bool {
    match claims.get("aud").map(|n| &n.value) {
        Some(Value::Text(text)) => text == "{audience}",
        Some(Value::Array(items)) => {
            matches!(items.as_slice(), [Node { value: Value::Text(text), .. }] if text == "{audience}")
        }
        Some(Value::Integer(_) | Value::Float(_) | Value::Bool(_) | Value::Table(_)) | None => false,
    }
}

/// The claim whose value is `variable` and nothing else; the registered name goes first.
fn whole<'t>(claims: &'t Table, variable: &str) -> Option<&'t str> {
    claims.0.iter().find(|e| matches!(&e.node.value, Value::Text(text) if text == variable)).map(|e| e.key.as_str())
}

/// What stands there in every token, where it is a single value.
fn constant(node: &Node) -> Option<serde_json::Value> {
    match &node.value {
        Value::Text(text) if !text.contains(['{', '}']) => Some(text.clone().into()),
        Value::Integer(number) => Some((*number).into()),
        Value::Bool(truth) => Some((*truth).into()),
        Value::Text(_) | Value::Float(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
