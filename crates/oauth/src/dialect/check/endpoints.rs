//! `[endpoints]`.

use super::super::{endpoints::Endpoints, problem::At, section::Section, tree::Entry};

/// A path, the key that names it, and where.
pub(super) type Path<'t> = (String, &'static str, &'t At);

pub(super) fn check(root: &Section<'_>, vendor: &[Path<'_>]) -> Option<Endpoints> {
    let section = root.need_section("endpoints", "a table with the paths of the token endpoint")?;
    let token = section
        .need("token", "the path of the token endpoint, or a list of them")
        .and_then(|e| paths(&section, e, "endpoints.token"));
    let mut others = Vec::new();
    let mut one = |key, default: &str| -> Option<String> {
        let Some(entry) = section.entry(key) else { return Some(default.to_owned()) };
        let path = path(&section, entry, (section.text(entry)?, &entry.node.at))?;
        others.push((path.clone(), key, &entry.node.at));
        Some(path)
    };
    let revoke = one("revoke", "/oauth/revoke");
    let introspect = one("introspect", "/oauth/introspect");
    let jwks = one("jwks", "/.well-known/jwks.json");
    let metadata = one("metadata", "/.well-known/oauth-authorization-server");
    let feed = one("revocation_feed", "/oauth/revocations");
    let feed_jwks = one("revocation_feed_jwks", "/oauth/revocations/jwks.json");
    let endpoints = Endpoints {
        token: token.iter().flatten().map(|(path, ..)| path.clone()).collect(),
        vendor_revoke: vendor.iter().map(|(path, ..)| path.clone()).collect(),
        revoke: revoke?,
        introspect: introspect?,
        jwks: jwks?,
        metadata: metadata?,
        feed: feed?,
        feed_jwks: feed_jwks?,
    };
    let written = token.iter().flatten().chain(vendor).chain(&others);
    let mut clash = false;
    for (path, key, at) in written {
        if endpoints.paths().filter(|(_, there)| there == path).count() > 1 {
            section.wrong_at(at, "", format!("the path {path} of {key} is there twice: expected each only once"));
            clash = true;
        }
    }
    section.finish();
    (token.is_some() && !clash).then_some(endpoints)
}

/// One path or a list of them.
pub(super) fn paths<'t>(section: &Section<'t>, entry: &'t Entry, key: &'static str) -> Option<Vec<Path<'t>>> {
    let texts = section.texts(entry)?;
    let paths: Vec<Path<'t>> =
        texts.iter().filter_map(|(text, at)| Some((path(section, entry, (text, at))?, key, *at))).collect();
    (paths.len() == texts.len()).then_some(paths)
}

/// A path as it will be compared: what would have to be mended or decoded first is refused.
fn path(section: &Section<'_>, entry: &Entry, (text, at): (&str, &At)) -> Option<String> {
    let segment_ok = |s: &str| {
        !s.is_empty() && s != "." && s != ".." && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    let ok = text.len() <= 200 && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment_ok));
    if !ok {
        let message = format!(
            "expected a path like \"/oauth/token\" (letters, digits, '-', '.', '_', '~'; no '/' at its end), found {text:?}"
        );
        section.wrong_at(at, &entry.key, message);
    }
    ok.then(|| text.to_owned())
}
