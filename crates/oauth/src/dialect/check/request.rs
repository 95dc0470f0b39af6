//! `[token]`: how a token request looks, and its answer.

use ficha_core::profile::Profile;
use ficha_types::{AuthMethod, BadWord, GrantKind};
use http::HeaderValue;

use super::super::{
    compiled::{Bodies, RequestShape},
    fields::{Names, Param},
    problem::At,
    render::Challenges,
    section::Section,
    template::Template,
    tree::{Entry, Node},
    variables::AnswerVar,
};

/// `[token]` without its answer.
pub(super) fn check(
    root: &Section<'_>,
    profile: Option<&Profile>,
) -> Option<(RequestShape, Vec<AuthMethod>, Challenges)> {
    let section = root.need_section("token", "a table that says how a token request looks")?;
    let bodies = section.need("body", "form, json or a list of both").and_then(|e| bodies(&section, e));
    let methods = section.need("auth_methods", "a list of client_secret_basic and client_secret_post");
    let methods = methods.and_then(|entry| {
        let methods: Vec<AuthMethod> = section.words(entry, &AuthMethod::ALL.map(AuthMethod::as_str))?;
        if methods.is_empty() {
            section.wrong(entry, "expected at least one of client_secret_basic and client_secret_post");
        }
        Some(methods)
    });
    let realm = match section.entry("realm") {
        None => Some("ficha"),
        Some(entry) => realm(&section, entry),
    };
    let required = required(&section);
    let names = names(&section);
    let grant_types = grant_types(&section, profile.map_or(&[], |p| &p.grants));
    // Read by `answer`.
    section.entry("answer");
    section.finish();
    let challenges = challenges(realm?)?;
    let shape = RequestShape { bodies: bodies?, names, grant_types, required: required? };
    Some((shape, methods?, challenges))
}

/// `[token.answer]`.
pub(super) fn answer(root: &Section<'_>, profile: Option<&Profile>) -> Option<Template<AnswerVar>> {
    let entry = root.entry("token")?;
    // That it is a table was checked above, and that it holds nothing else.
    let token =
        if let super::super::tree::Value::Table(_) = entry.node.value { root.below(entry)? } else { return None };
    let section = token.need_section("answer", "the body of the answer, as a table")?;
    let mut complain = |node: &Node, key: &str, message: String| section.wrong_at(&node.at, key, message);
    let answer = Template::object(section.table, &mut complain);
    if !answer.uses(&AnswerVar::AccessToken) {
        section.wrong_here("expected {access_token} in it");
    }
    let refreshes = profile.and_then(|p| p.refresh.as_ref()).is_some_and(|r| !r.with.is_empty());
    if refreshes && !answer.uses(&AnswerVar::RefreshToken) {
        section.wrong_here("expected {refresh_token} in it, since profile.refresh.with names grants that give one");
    }
    Some(answer)
}

/// `required`: parameters beyond those that the grant needs.
pub(super) fn required(section: &Section<'_>) -> Option<Vec<Param>> {
    let Some(entry) = section.entry("required") else { return Some(Vec::new()) };
    section.words(entry, &Param::OF_TOKEN.map(Param::as_str))
}

fn bodies(section: &Section<'_>, entry: &Entry) -> Option<Bodies> {
    let kinds: Vec<BodyKind> = section.words(entry, &["form", "json"])?;
    if kinds.is_empty() {
        section.wrong(entry, "expected form, json or both");
        return None;
    }
    Some(Bodies { form: kinds.contains(&BodyKind::Form), json: kinds.contains(&BodyKind::Json) })
}

#[derive(Clone, Copy, PartialEq)]
enum BodyKind {
    Form,
    Json,
}

impl std::str::FromStr for BodyKind {
    type Err = BadWord;
    fn from_str(s: &str) -> Result<Self, BadWord> {
        match s {
            "form" => Ok(Self::Form),
            "json" => Ok(Self::Json),
            _ => Err(BadWord { word: "body", expected: "form or json" }),
        }
    }
}

fn realm<'t>(section: &Section<'t>, entry: &'t Entry) -> Option<&'t str> {
    let text = section.text(entry)?;
    let ok = text.len() <= 100 && text.bytes().all(|b| (0x20..=0x7e).contains(&b) && b != b'"' && b != b'\\');
    if !ok {
        section.wrong(entry, "expected at most 100 printable ASCII characters without '\"' and '\\'");
    }
    ok.then_some(text)
}

fn challenges(realm: &str) -> Option<Challenges> {
    let challenge = |scheme: &str| HeaderValue::from_str(&format!("{scheme} realm=\"{realm}\"")).ok();
    Some(Challenges { basic: challenge("Basic")?, otherwise: challenge(AuthMethod::ClientSecretPost.as_str())? })
}

/// `[token.parameters]`: our name = theirs.
fn names(section: &Section<'_>) -> Names {
    let mut names = Names::registered(&Param::OF_TOKEN);
    let Some(parameters) = section.section("parameters") else {
        // Absent, or no table, which was said.
        return names;
    };
    let mut places: Vec<(Param, &At)> = Vec::new();
    for (wire, param) in &mut names.0 {
        let Some(entry) = parameters.entry(param.as_str()) else { continue };
        let Some(text) = parameters.text(entry) else { continue };
        // Descriptions hold these names: printable, without quotes (RFC 6749 §5.2).
        let ok = (1..=100).contains(&text.len()) && text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        if !ok {
            parameters.wrong(entry, "expected 1 to 100 printable ASCII characters without space, '\"' and '\\'");
        }
        text.clone_into(wire);
        places.push((*param, &entry.node.at));
    }
    for (param, at) in places {
        let wire = names.wire(param);
        if let Some((_, other)) = names.0.iter().find(|(name, p)| name == wire && *p != param) {
            let message = format!("expected a name of its own: {} is called {wire:?} as well", other.as_str());
            parameters.wrong_at(at, param.as_str(), message);
        }
    }
    parameters.finish();
    names
}

/// `[token.grant_types]`: grant = what stands in `grant_type`, one text or a list. Only the profile's grants are taken.
fn grant_types(section: &Section<'_>, grants: &[GrantKind]) -> Vec<(String, GrantKind)> {
    let table = section.section("grant_types");
    let mut types: Vec<(String, GrantKind)> = Vec::new();
    let mut places: Vec<(&str, GrantKind, &At)> = Vec::new();
    for grant in grants {
        let written = table.as_ref().and_then(|t| Some((t, t.entry(grant.as_str())?)));
        match written {
            None => types.push((grant.as_str().to_owned(), *grant)),
            Some((table, entry)) => {
                for (text, at) in table.texts(entry).unwrap_or_default() {
                    types.push((text.to_owned(), *grant));
                    places.push((text, *grant, at));
                }
            }
        }
    }
    let Some(table) = table else { return types };
    for (text, grant, at) in places {
        if text.is_empty() || types.iter().filter(|(name, _)| name == text).count() > 1 {
            let message = format!("expected a text that stands for no other grant, found {text:?}");
            table.wrong_at(at, grant.as_str(), message);
        }
    }
    // Of grants that the profile does not take, names may be kept.
    for grant in GrantKind::ALL {
        table.entry(grant.as_str());
    }
    table.finish();
    types
}
