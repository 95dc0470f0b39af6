//! Whether a declaration makes sense: all of it, before anything is written.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use ficha_types::{
    ApiName, Audience, ClientId, IssuerName, Port, Scope, ScopeSet, Seconds, Username,
    base_url::{MAX_PREFIX, MAX_SEGMENTS, prefixes},
};

use super::{At, Declaration, DeclaredIssuer, DeclaredPassword, DeclaredSecret, Problem, Routes};
use crate::{
    passwords::taken_in,
    ports::{Dialect, Dialects, IssuerRows},
    records::{Client, Issuer, User},
};

/// The most live secrets of a client or an API.
pub(super) const MAX_SECRETS: usize = 2;
/// Of a client that could do nothing.
const NO_GRANT: &str =
    "expected at least one, as in [\"client_credentials\"]; status = \"disabled\" switches a client off";
/// Of a client that could never authenticate.
const NO_METHOD: &str = "expected at least one; without the key every method of the dialect counts; status = \"disabled\" switches a client off";
/// The longest that an access token may live.
const LONGEST_LIFETIME: Seconds = Seconds::days(30);
/// The latest that refusals of users may leave.
const LATEST_REFUSAL_MS: u32 = 10_000;
/// The longest that tokens may be given out with no database.
const LONGEST_GRACE: Seconds = Seconds::days(1);

/// What there is of a declared issuer.
pub(super) struct Before {
    pub(super) rows: Option<IssuerRows>,
    /// The declared clients that exist, and those that bear the name of a declared API.
    pub(super) clients: HashMap<ClientId, Client>,
    /// The declared users that exist.
    pub(super) users: HashMap<Username, User>,
}

/// What is wrong between the issuers: names and base URLs that are there twice. `others` are those of the store that are not
/// declared and whose base URLs may be the same.
pub(super) fn together(declaration: &Declaration, others: &[Issuer]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    let mut urls: BTreeMap<_, &IssuerName> = BTreeMap::new();
    for issuer in others {
        urls.extend(issuer.places.iter().map(|p| (p.url.written_out(), &issuer.name)));
    }
    for issuer in &declaration.issuers {
        if !names.insert(&issuer.name) {
            problems.push(issuer.at.problem("name", format!("the issuer {} is declared twice", issuer.name)));
        }
        for place in &issuer.places {
            if let Some(other) = urls.insert(place.url.written_out(), &issuer.name) {
                let whose =
                    if *other == issuer.name { "twice".to_owned() } else { format!("of the issuer {other} too") };
                problems.push(issuer.at.problem("base_urls", format!("{} is a base URL {whose}", place.url)));
            }
        }
    }
    problems
}

/// What is wrong with one issuer, given what there is of it.
pub(super) fn issuer(
    declared: &DeclaredIssuer,
    before: &Before,
    (loaded, routes): (&dyn Dialects, &dyn Routes),
) -> Vec<Problem> {
    let mut check = Check { declared, before, dialects: Vec::new(), problems: Vec::new() };
    check.dialects(loaded, routes);
    check.places();
    check.numbers();
    check.apis();
    check.clients();
    check.users();
    check.problems
}

struct Check<'d> {
    declared: &'d DeclaredIssuer,
    before: &'d Before,
    dialects: Vec<Arc<dyn Dialect>>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn wrong(&mut self, at: &At, key: &str, message: impl Into<String>) {
        self.problems.push(at.problem(key, message));
    }

    fn dialects(&mut self, loaded: &dyn Dialects, routes: &dyn Routes) {
        let declared = self.declared;
        let own = [("dialect", &declared.dialect)];
        let others = declared.places.iter().filter_map(|p| p.dialect.as_ref()).map(|d| ("base_urls", d));
        for (key, name) in own.into_iter().chain(others) {
            match loaded.dialect(name) {
                Some(dialect) => self.dialects.push(dialect),
                None => {
                    let near = routes.nearest_dialect(name);
                    let near = near.map_or_else(String::new, |near| format!(", did you mean {near}?"));
                    let message =
                        format!("there is no dialect {name}{near} (`ficha dialect list` shows what there is)");
                    self.wrong(&declared.at, key, message);
                }
            }
        }
    }

    fn places(&mut self) {
        let declared = self.declared;
        match declared.places.first() {
            None => self.wrong(&declared.at, "base_urls", "expected at least one URL"),
            Some(first) if first.url.port() == Port::Any => {
                let message = "the first URL is canonical and stands in `iss`: it needs a port of its own, not `*`";
                self.wrong(&declared.at, "base_urls", message);
            }
            Some(_) => {}
        }
        for url in
            declared.places.iter().map(|p| &p.url).filter(|url| prefixes(url.prefix()).last() != Some(url.prefix()))
        {
            let message = format!("{url}: expected a path of at most {MAX_SEGMENTS} segments and {MAX_PREFIX} bytes");
            self.wrong(&declared.at, "base_urls", message);
        }
        for url in declared.places.iter().map(|p| &p.url).filter(|url| !url.is_https()) {
            if !(declared.allow_loopback_http && is_loopback(url.host())) {
                let message = format!(
                    "{url}: expected https; plain http only for localhost and only with allow_loopback_http = true"
                );
                self.wrong(&declared.at, "base_urls", message);
            }
        }
    }

    fn numbers(&mut self) {
        let declared = self.declared;
        if ![2048, 3072, 4096].contains(&declared.rsa_bits) {
            self.wrong(&declared.at, "rsa_bits", "expected 2048, 3072 or 4096");
        }
        if declared.password_refusal_after_ms > LATEST_REFUSAL_MS {
            self.wrong(&declared.at, "password_refusal_after", "expected at most 10s");
        }
        if declared.max_revocations_per_client == 0 {
            self.wrong(&declared.at, "max_revocations_per_client", "expected at least 1");
        }
        if declared.outage_grace > LONGEST_GRACE {
            self.wrong(&declared.at, "outage_grace", "expected at most 1d");
        }
        if let Some(name) = &declared.default_api
            && self.scopes_of(name).is_none()
        {
            self.wrong(&declared.at, "default_api", format!("there is no API {name}"));
        }
    }

    /// The scopes of an API that is declared or there; `None` when there is none of that name.
    fn scopes_of(&self, name: &ApiName) -> Option<&[Scope]> {
        let declared = self.declared.apis.iter().find(|a| a.name == *name).map(|a| a.scopes.as_slice());
        let kept = self.before.rows.as_ref().and_then(|rows| rows.apis.iter().find(|a| a.name == *name));
        declared.or(kept.map(|a| a.scopes.as_slice()))
    }

    fn apis(&mut self) {
        let declared = self.declared;
        let mut names = BTreeSet::new();
        let kept = self.before.rows.iter().flat_map(|rows| &rows.apis);
        let kept = kept.filter(|a| !declared.apis.iter().any(|d| d.name == a.name));
        let mut audiences: BTreeSet<&Audience> = kept.map(|a| &a.audience).collect();
        for api in &declared.apis {
            if !names.insert(&api.name) {
                self.wrong(&api.at, "name", format!("the API {} is declared twice", api.name));
            }
            if !audiences.insert(&api.audience) {
                self.wrong(&api.at, "audience", format!("another API has the audience {} already", api.audience));
            }
            let is_client = declared.clients.iter().any(|c| c.id.as_str() == api.name.as_str())
                || self.before.clients.contains_key(api.name.as_str());
            if is_client {
                self.wrong(
                    &api.at,
                    "name",
                    format!("{} is the id of a client: an API needs a name of its own", api.name),
                );
            }
            if api.token_lifetime.is_some_and(|life| life < Seconds(1) || life > LONGEST_LIFETIME) {
                self.wrong(&api.at, "token_lifetime", "expected 1s to 30d");
            }
            let once: BTreeSet<_> = api.scopes.iter().collect();
            if once.len() < api.scopes.len() {
                self.wrong(&api.at, "scopes", "expected each scope only once");
            }
            self.secrets(&api.at, &api.secrets);
        }
    }

    fn secrets(&mut self, at: &At, secrets: &[DeclaredSecret]) {
        if secrets.len() > MAX_SECRETS {
            self.wrong(at, "secrets", "expected at most two: one in use, and its successor");
        }
        let ids: Vec<_> = secrets.iter().filter_map(|s| s.id.as_ref()).collect();
        let digests: BTreeSet<_> = secrets.iter().map(|s| s.sha256).collect();
        if digests.len() < secrets.len() || ids.iter().collect::<BTreeSet<_>>().len() < ids.len() {
            self.wrong(at, "secrets", "expected different ones");
        }
        if ids.iter().any(|id| !is_secret_id(id)) {
            self.wrong(at, "secrets.id", "expected 1 to 64 characters of A-Z, a-z, 0-9, '-', '_' and '.'");
        }
    }

    fn clients(&mut self) {
        let declared = self.declared;
        let mut ids = BTreeSet::new();
        for client in &declared.clients {
            if !ids.insert(&client.id) {
                self.wrong(&client.at, "id", format!("the client {} is declared twice", client.id));
            }
            let kept = self.before.rows.iter().flat_map(|rows| &rows.apis);
            if kept.into_iter().any(|a| a.name.as_str() == client.id.as_str()) {
                self.wrong(&client.at, "id", format!("{} is the name of an API", client.id));
            }
            if client.grants.is_empty() {
                self.wrong(&client.at, "grants", NO_GRANT);
            }
            if client.auth_methods.as_ref().is_some_and(BTreeSet::is_empty) {
                self.wrong(&client.at, "auth_methods", NO_METHOD);
            }
            let unknown_grant =
                client.grants.iter().find(|g| !self.dialects.iter().any(|d| d.profile().grants.contains(g)));
            if let (Some(grant), false) = (unknown_grant, self.dialects.is_empty()) {
                self.wrong(&client.at, "grants", format!("no dialect of the issuer has the grant {grant}"));
            }
            let methods = client.auth_methods.iter().flatten();
            let unknown_method =
                methods.into_iter().find(|m| !self.dialects.iter().any(|d| d.profile().auth_methods.contains(m)));
            if let (Some(method), false) = (unknown_method, self.dialects.is_empty()) {
                self.wrong(&client.at, "auth_methods", format!("no dialect of the issuer has the method {method}"));
            }
            if client.max_concurrent == 0 {
                self.wrong(&client.at, "max_concurrent", "expected at least 1");
            }
            if client.max_per_second == Some(0) {
                self.wrong(&client.at, "max_per_second", "expected at least 1, or no limit at all");
            }
            self.scopes(&client.at, &client.scopes);
            self.secrets(&client.at, &client.secrets);
        }
    }

    fn scopes(&mut self, at: &At, held: &BTreeMap<ApiName, ScopeSet>) {
        for (api, set) in held {
            let message = match self.scopes_of(api) {
                None => Some(format!("there is no API {api}")),
                Some(known) => set
                    .iter()
                    .find(|s| !known.contains(s))
                    .map(|missing| format!("the API {api} does not declare the scope {missing}")),
            };
            if let Some(message) = message {
                self.wrong(at, &format!("scopes.{api}"), message);
            }
        }
    }

    fn users(&mut self) {
        let declared = self.declared;
        let mut names = BTreeSet::new();
        for user in &declared.users {
            if !names.insert(&user.name) {
                self.wrong(&user.at, "name", format!("the user {} is declared twice", user.name));
            }
            if let DeclaredPassword::Hash(hash) = &user.password
                && let Err(bad) = taken_in(hash.expose())
            {
                self.wrong(&user.at, "password.hash", bad.to_string());
            }
            if matches!(&user.password, DeclaredPassword::Plain(password) if password.expose().is_empty()) {
                self.wrong(&user.at, "password.file", "the password is empty");
            }
            self.scopes(&user.at, &user.scopes);
        }
    }
}

/// Whether `id` may name a secret: it stands in commands, paths and the log.
pub(super) fn is_secret_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
