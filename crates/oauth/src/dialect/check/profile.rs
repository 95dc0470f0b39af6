//! `[profile]`: policies by name. The rules behind the names are core's.

use std::str::FromStr;

use ficha_core::profile::{KidStyle, Profile, Refresh, RefreshForm, RefreshMode, Reuse};
use ficha_types::{Algorithm, BadWord, GrantKind, Seconds};

use super::super::{
    section::{Noted, Section},
    tree::{Entry, Value},
};

/// The longest family of refresh tokens when nothing else is said.
const FAMILY: Seconds = Seconds::days(30);
/// How long a predecessor gets the same successor again when nothing else is said.
const RETRY: Seconds = Seconds(120);

/// `[profile]`; the methods of authentication stand in `[token]` and are added by the caller.
pub(super) fn check(root: &Section<'_>) -> Option<Profile> {
    let section = root.need_section("profile", "a table with the policies")?;
    let grants = section.need("grants", "a list of grants").and_then(|entry| grants(&section, entry));
    let token_lifetime = section.need("token_lifetime", "a span like \"1h\"").and_then(|e| lifetime(&section, e));
    let algorithm = section
        .need("algorithm", "the algorithm of an API that names none")
        .and_then(|e| section.word::<Algorithm>(e, &Algorithm::ALL.map(Algorithm::as_str)));
    let kid = section.need("kid", "how keys are named").and_then(|e| kid(&section, e));
    let by_id = flag(&section, "refresh_by_id_alone");
    let reuse = part(&section, "reuse", |s| reuse(s, token_lifetime));
    let refresh = part(&section, "refresh", |s| refresh(s, grants.as_deref()));
    section.finish();
    let grants = grants?;
    let refreshes = grants.contains(&GrantKind::RefreshToken);
    Some(Profile {
        auth_methods: Vec::new(),
        refresh_by_id_alone: by_id?,
        algorithm: algorithm?,
        token_lifetime: token_lifetime?,
        reuse: reuse.ok()?,
        // What is inherited stays unused where the grant is not taken.
        refresh: refresh.ok()?.filter(|_| refreshes),
        kid: kid?,
        grants,
    })
}

/// A table that may be absent or switched off with `false`.
fn part<'t, T>(
    section: &Section<'t>,
    key: &'static str,
    read: impl FnOnce(&Section<'t>) -> Option<T>,
) -> Result<Option<T>, Noted> {
    let Some(entry) = section.entry(key) else { return Ok(None) };
    if matches!(entry.node.value, Value::Bool(false)) {
        return Ok(None);
    }
    let below = section.below(entry).ok_or(Noted)?;
    let part = read(&below);
    below.finish();
    part.map(Some).ok_or(Noted)
}

fn flag(section: &Section<'_>, key: &'static str) -> Option<bool> {
    let Some(entry) = section.entry(key) else { return Some(false) };
    if let Value::Bool(truth) = entry.node.value {
        return Some(truth);
    }
    section.wrong(entry, format!("expected true or false, found {}", entry.node.value.noun()));
    None
}

fn grants<'t>(section: &Section<'t>, entry: &'t Entry) -> Option<Vec<GrantKind>> {
    let grants: Vec<GrantKind> = section.words(entry, &GrantKind::ALL.map(GrantKind::as_str))?;
    if grants.is_empty() {
        section.wrong(entry, "expected at least one grant");
        return None;
    }
    Some(grants)
}

/// A span of at least a second.
fn lifetime<'t>(section: &Section<'t>, entry: &'t Entry) -> Option<Seconds> {
    let span = section.span(entry)?;
    if span.0 < 1 {
        section.wrong(entry, "expected at least \"1s\"");
        return None;
    }
    Some(span)
}

fn reuse(section: &Section<'_>, token_lifetime: Option<Seconds>) -> Option<Reuse> {
    let entry = section.need("min_remaining", "what a token has left at least, \"0s\" for its last second")?;
    let min_remaining = section.span(entry)?;
    if token_lifetime.is_some_and(|lifetime| min_remaining >= lifetime) {
        section.wrong(entry, "expected less than profile.token_lifetime: no token would be handed out twice");
        return None;
    }
    Some(Reuse { min_remaining })
}

fn refresh(section: &Section<'_>, grants: Option<&[GrantKind]>) -> Option<Refresh> {
    let with = section.need("with", "a list of the grants whose answers carry a refresh token");
    let with = with.and_then(|entry| {
        let with: Vec<GrantKind> = section.words(entry, &GrantKind::ALL.map(GrantKind::as_str))?;
        let grants = grants?;
        if let Some(absent) = with.iter().find(|g| !grants.contains(g)) {
            section.wrong(entry, format!("expected grants of profile.grants: {absent} is not among them"));
        } else if !with.is_empty() && !grants.contains(&GrantKind::RefreshToken) {
            section.wrong(entry, "expected refresh_token in profile.grants: nobody could use a refresh token");
        } else if with.contains(&GrantKind::RefreshToken) {
            section.wrong(entry, "expected no refresh_token here: what its answer carries follows from mode");
        }
        Some(with)
    });
    let mode = section.need("mode", "rotate or keep").and_then(|e| section.word::<Mode>(e, &["rotate", "keep"]));
    let form = section.need("form", "sealed or jwt").and_then(|e| section.word::<Form>(e, &["sealed", "jwt"]));
    if let (Some(Mode(RefreshMode::Rotate)), Some(Form(RefreshForm::Jwt)), Some(entry)) =
        (&mode, &form, section.entry("form"))
    {
        section.wrong(entry, "expected sealed: a JWT has no step, so it can't rotate (or mode = \"keep\")");
    }
    let lifetime = section.need("lifetime", "a span like \"7d\"").and_then(|e| lifetime(section, e));
    let retry_window = section.entry("retry_window").map_or(Some(RETRY), |e| section.span(e));
    let family = section.entry("family_lifetime");
    let family_lifetime = match (family, lifetime, &mode) {
        (Some(entry), lifetime, _) => {
            let span = section.span(entry)?;
            if lifetime.is_some_and(|l| span < l) {
                section.wrong(entry, "expected at least profile.refresh.lifetime");
            }
            Some(span)
        }
        (None, Some(lifetime), Some(Mode(RefreshMode::Keep))) => Some(lifetime),
        (None, Some(lifetime), _) => Some(FAMILY.max(lifetime)),
        (None, None, _) => None,
    };
    Some(Refresh {
        with: with?,
        mode: mode?.0,
        form: form?.0,
        lifetime: lifetime?,
        family_lifetime: family_lifetime?,
        retry_window: retry_window?,
    })
}

struct Mode(RefreshMode);

impl FromStr for Mode {
    type Err = BadWord;
    fn from_str(s: &str) -> Result<Self, BadWord> {
        match s {
            "rotate" => Ok(Self(RefreshMode::Rotate)),
            "keep" => Ok(Self(RefreshMode::Keep)),
            _ => Err(BadWord { word: "mode", expected: "rotate or keep" }),
        }
    }
}

struct Form(RefreshForm);

impl FromStr for Form {
    type Err = BadWord;
    fn from_str(s: &str) -> Result<Self, BadWord> {
        match s {
            "sealed" => Ok(Self(RefreshForm::Sealed)),
            "jwt" => Ok(Self(RefreshForm::Jwt)),
            _ => Err(BadWord { word: "form", expected: "sealed or jwt" }),
        }
    }
}

/// `thumbprint`, `random:21`, `numbered:k`.
fn kid<'t>(section: &Section<'t>, entry: &'t Entry) -> Option<KidStyle> {
    let text = section.text(entry)?;
    let prefix_ok =
        |p: &str| (1..=32).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let style = match text.split_once(':') {
        None if text == "thumbprint" => Some(KidStyle::Thumbprint),
        Some(("random", length)) => length.parse().ok().filter(|n| (8..=64).contains(n)).map(KidStyle::Random),
        Some(("numbered", prefix)) => prefix_ok(prefix).then(|| KidStyle::Numbered(prefix.to_owned())),
        None | Some(_) => None,
    };
    if style.is_none() {
        let expected = "\"thumbprint\", \"random:21\" (8 to 64 characters) or \"numbered:k\" (k1, k2, …)";
        section.wrong(entry, format!("expected {expected}, found {text:?}"));
    }
    style
}
