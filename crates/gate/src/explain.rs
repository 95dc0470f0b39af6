//! Which rule decides, and what it needs.

use ficha_config::Place;
use ficha_verify::Rejection;
use ficha_web::Host;
use http::Method;
use serde::Serialize;

use crate::{
    PlainPath, Rulebook,
    answer::No,
    rules::{Needs, Tokens},
};

/// What the rules say of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// `public`, `token` (it needs one), or `refused` (nothing lets it pass).
    pub verdict: &'static str,
    /// The code of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The rule that decides, as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its line there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The hosts of its API.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// The scopes that a token needs, all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// What the token says in `iss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// What it says in `aud`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// What `book` says of a request by `method` for `url`, written `https://HOST/PATH`.
///
/// # Errors
/// What is wrong with the URL or the method, so that no request could be like that.
pub fn explain(book: &Rulebook, method: &str, url: &str) -> Result<Explained, String> {
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| format!("{method:?} is no method"))?;
    let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("{url:?} is no URL: write https://HOST/PATH"))?;
    let secure = match scheme {
        "https" => true,
        "http" => false,
        other => return Err(format!("{other} is no scheme of an API: write https://HOST/PATH")),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = Host::parse(host).ok_or_else(|| format!("{host:?} is no host"))?;
    let target = target.split('#').next().unwrap_or_default();
    let (path, _) = target.split_once('?').unwrap_or((target, ""));
    let path = if path.is_empty() { "/" } else { path };
    if !secure {
        return Ok(refused(&Rejection::InsecureTransport.into()));
    }
    let path = match PlainPath::parse(path.as_bytes()) {
        Ok(path) => path,
        Err(odd) => return Ok(refused(&odd.into())),
    };
    let Some((rule, api)) = book.find(Some(&host), &method, &path) else {
        return Ok(Explained {
            why: Some(format!("No rule matches {method} at {}.", host.name)),
            ..refused(&Rejection::NoRoute.into())
        });
    };
    let (verdict, scope, tokens) = match &rule.needs {
        Needs::Nothing => ("public", None, None),
        Needs::Scopes(needed) => ("token", Some(needed.to_string()), api.tokens.as_ref()),
    };
    let (file, line) = match &rule.place {
        Place::Line(file, line) => (Some(file.display().to_string()), Some(*line)),
        Place::File(file) => (Some(file.display().to_string()), None),
        Place::Variable(_) | Place::Default => (None, None),
    };
    let word = |of: fn(&Tokens) -> &str| tokens.map(|tokens| of(tokens).to_owned());
    Ok(Explained {
        verdict,
        code: None,
        why: None,
        rule: Some(rule.to_string()),
        file,
        line,
        hosts: api.hosts.iter().map(ToString::to_string).collect(),
        scope,
        issuer: word(|tokens| &tokens.issuer),
        audience: word(|tokens| &tokens.audience),
    })
}

fn refused(no: &No) -> Explained {
    Explained {
        verdict: "refused",
        code: Some(no.code()),
        why: Some(no.description().into_owned()),
        rule: None,
        file: None,
        line: None,
        hosts: Vec::new(),
        scope: None,
        issuer: None,
        audience: None,
    }
}
