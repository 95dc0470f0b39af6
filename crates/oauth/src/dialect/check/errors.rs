//! `[errors]`, `[grants.<grant>.errors]` and `[vendor_revoke.errors]`: how refusals are answered.
//!
//! Status, body and headers of a refusal are each taken from the first entry that says them: under the refusal's own name,
//! its code, `verdict` if it is one, `default`; first among those of the occasion, then among the general ones.

use std::{collections::BTreeMap, sync::Arc};

use ficha_types::GrantKind;
use http::{HeaderName, StatusCode};

use super::super::{
    refusals::{self, DEFAULT, Kind},
    render::{ErrorRule, ErrorRules, HeaderRule, Occasion},
    section::Section,
    template::{Template, TextTemplate},
    tree::{Entry, Node, Value},
    variables::ErrorVar,
};

/// Headers that are set by rule, or that belong to the connection.
const NOT_A_DIALECTS: [&str; 10] = [
    "allow",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "keep-alive",
    "pragma",
    "retry-after",
    "set-cookie",
    "transfer-encoding",
];

/// What an entry says.
#[derive(Default)]
struct Said {
    status: Option<StatusCode>,
    body: Option<Arc<Template<ErrorVar>>>,
    headers: Option<Arc<[HeaderRule]>>,
}

type Entries = BTreeMap<&'static str, Said>;

pub(super) fn check(root: &Section<'_>, vendor: Option<&Section<'_>>) -> Option<ErrorRules> {
    let section = root.need_section("errors", "a table with the entry default")?;
    let general = entries(&section);
    let default_body = general.get(DEFAULT).and_then(|said| said.body.clone());
    if default_body.is_none() {
        section.wrong_here("expected default.body in it: the body of every refusal that no other entry is about");
    }
    section.finish();
    let grants = grants(root);
    let of_vendor = vendor.and_then(|v| errors_of(v));
    let default_body = default_body?;
    let rule = |occasion: Occasion, kind: &Kind| {
        let own = match occasion {
            Occasion::Token(grant) => grant.and_then(|g| grants.get(g.as_str())),
            Occasion::VendorRevoke => of_vendor.as_ref(),
        };
        let said = || {
            let of = |entries| refusals::names(kind).filter_map(move |name| Entries::get(entries, name));
            own.into_iter().flat_map(of).chain(of(&general))
        };
        ErrorRule {
            status: said().find_map(|s| s.status),
            body: said().find_map(|s| s.body.clone()).unwrap_or_else(|| Arc::clone(&default_body)),
            headers: said().find_map(|s| s.headers.clone()),
        }
    };
    Some(ErrorRules(Occasion::all().map(|o| refusals::kinds().iter().map(|k| rule(o, k)).collect()).collect()))
}

/// `[grants.<grant>.errors]` of each grant that has some.
fn grants(root: &Section<'_>) -> BTreeMap<&'static str, Entries> {
    let mut found = BTreeMap::new();
    let Some(section) = root.section("grants") else { return found };
    for grant in GrantKind::ALL.map(GrantKind::as_str) {
        if let Some(of_grant) = section.section(grant) {
            if let Some(entries) = errors_of(&of_grant) {
                found.insert(grant, entries);
            }
            of_grant.finish();
        }
    }
    section.finish();
    found
}

fn errors_of(section: &Section<'_>) -> Option<Entries> {
    let errors = section.section("errors")?;
    let entries = entries(&errors);
    errors.finish();
    Some(entries)
}

fn entries(section: &Section<'_>) -> Entries {
    let mut found = Entries::new();
    for name in refusals::known() {
        if let Some(below) = section.section(name) {
            found.insert(name, said(&below, name));
            below.finish();
        }
    }
    found
}

fn said(section: &Section<'_>, name: &str) -> Said {
    let status = section.entry("status").and_then(|e| status(section, e, name));
    let body = section.section("body").map(|body| {
        let mut complain = |node: &Node, key: &str, message: String| body.wrong_at(&node.at, key, message);
        Arc::new(Template::object(body.table, &mut complain))
    });
    let headers = section
        .section("headers")
        .map(|headers| headers.table.0.iter().filter_map(|entry| header(&headers, entry)).collect());
    Said { status, body, headers }
}

fn status(section: &Section<'_>, entry: &Entry, name: &str) -> Option<StatusCode> {
    let code = match entry.node.value {
        Value::Integer(code @ (200 | 400..=599)) => u16::try_from(code).ok().and_then(|c| StatusCode::from_u16(c).ok()),
        Value::Integer(_) | Value::Text(_) | Value::Float(_) | Value::Bool(_) | Value::Array(_) | Value::Table(_) => {
            None
        }
    };
    if code.is_none() {
        section.wrong(entry, "expected a status from 400 to 599, or 200 for a vendor that refuses with it");
    }
    let mut about = refusals::kinds().iter().filter(|k| refusals::names(k).any(|n| n == name)).peekable();
    if about.peek().is_some() && about.all(|k| k.keeps_status) {
        section
            .wrong(entry, "expected no status: this refusal keeps its own (404, 405, 413, 415, 421, 429 and 503 do)");
    }
    code
}

fn header<'t>(section: &Section<'t>, entry: &'t Entry) -> Option<HeaderRule> {
    let Ok(name) = HeaderName::from_bytes(entry.key.as_bytes()) else {
        section.wrong(entry, "expected the name of a header");
        return None;
    };
    if NOT_A_DIALECTS.contains(&name.as_str()) {
        section.wrong(entry, "expected another header: this one is set by rule");
        return None;
    }
    match TextTemplate::text(section.text(entry)?) {
        Ok(text) if text.literals().all(|l| l.bytes().all(|b| (0x20..=0x7e).contains(&b))) => Some((name, text)),
        Ok(_) => {
            section.wrong(entry, "expected printable ASCII characters");
            None
        }
        Err(message) => {
            section.wrong(entry, message);
            None
        }
    }
}
