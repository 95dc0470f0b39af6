//! Issuers, APIs, clients and users out of their tables.

use std::collections::{BTreeMap, BTreeSet};

use ficha_core::{
    operator::{At, DeclaredApi, DeclaredClient, DeclaredIssuer, DeclaredUser, MAX_CONCURRENT},
    records::{Place, Status, TokenFormat},
};
use ficha_types::{Algorithm, ApiName, AuthMethod, GrantKind, Scope, ScopeSet, Seconds};
use toml::de::{DeTable, DeValue};

use super::{
    MAX_BYTES, OpenSecret,
    secrets::{password, secrets},
    section::{File, Section, Value},
};

/// The issuers of a file.
pub(super) fn issuers(file: &File, text: &str, open: OpenSecret<'_>) -> Vec<DeclaredIssuer> {
    if text.len() > MAX_BYTES {
        file.wrong(1, "file", format!("expected at most {MAX_BYTES} bytes"));
        return Vec::new();
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let line = error.span().map_or(1, |span| file.line(span.start));
        // The message tells what was expected, never what stands there.
        let message = error.message().lines().map(str::trim).collect::<Vec<_>>().join("; ");
        file.wrong(line, "file", format!("not valid TOML: {message}"));
    }
    if !errors.is_empty() {
        return Vec::new();
    }
    let root = Section::new(file, table.get_ref(), String::new(), 1);
    let issuers = root.tables("issuer").into_iter().filter_map(|section| issuer(section, open)).collect();
    root.finish();
    issuers
}

fn issuer(section: Section<'_>, open: OpenSecret<'_>) -> Option<DeclaredIssuer> {
    let name = section.need_word("name", "a name for the issuer");
    let dialect = section.need_word("dialect", "the name of a dialect (`ficha dialect list`)");
    let places = places(&section);
    let declared = (|| {
        Some(DeclaredIssuer {
            at: section.at(),
            name: name?,
            dialect: dialect?,
            places,
            default_api: None,
            allow_loopback_http: false,
            rsa_bits: 2048,
            password_refusal_after_ms: 300,
            max_revocations_per_client: 10_000,
            outage_grace: Seconds::minutes(5),
            apis: Vec::new(),
            clients: Vec::new(),
            users: Vec::new(),
        })
    })();
    // Everything is read whatever was missing, so that every problem is told at once.
    let default_api = section.maybe_word("default_api");
    let allow_loopback_http = section.flag("allow_loopback_http");
    let (rsa_bits, most) = (section.number("rsa_bits"), section.number("max_revocations_per_client"));
    let refusal = section.span_ms("password_refusal_after").map(|ms| u32::try_from(ms).unwrap_or(u32::MAX));
    let grace = section.span_s("outage_grace");
    let apis = section.tables("api").into_iter().filter_map(|inner| api(inner, open)).collect();
    let clients = section.tables("client").into_iter().filter_map(|inner| client(inner, open)).collect();
    let users = section.tables("user").into_iter().filter_map(|inner| user(inner, open)).collect();
    section.finish();
    let declared = declared?;
    Some(DeclaredIssuer {
        default_api,
        allow_loopback_http,
        rsa_bits: rsa_bits.unwrap_or(declared.rsa_bits),
        max_revocations_per_client: most.unwrap_or(declared.max_revocations_per_client),
        password_refusal_after_ms: refusal.unwrap_or(declared.password_refusal_after_ms),
        outage_grace: grace.map_or(declared.outage_grace, Seconds),
        apis,
        clients,
        users,
        ..declared
    })
}

/// `base_urls`: texts, or tables with a dialect of their own.
fn places(section: &Section<'_>) -> Vec<Place> {
    const KEY: &str = "base_urls";
    let Some(value) = section.need(KEY, "a list of URLs, the canonical one first") else { return Vec::new() };
    section.list(value, KEY).into_iter().filter_map(|item| place(section, item, KEY)).collect()
}

fn place<'t>(section: &Section<'t>, item: Value<'t>, key: &'static str) -> Option<Place> {
    if matches!(item.get_ref(), DeValue::String(_)) {
        return Some(Place { url: section.word(item, key)?, dialect: None });
    }
    let inner = section.below(item, key)?;
    let url = inner.need_word("url", "a URL");
    let dialect = inner.maybe_word("dialect");
    inner.finish();
    Some(Place { url: url?, dialect })
}

fn api(section: Section<'_>, open: OpenSecret<'_>) -> Option<DeclaredApi> {
    let names: Vec<_> = Algorithm::ALL.iter().map(|a| a.as_str()).collect();
    let (name, audience) = (section.need_word("name", "a name"), section.need_word("audience", "what stands in `aud`"));
    let scopes = section.words::<Scope>("scopes");
    let token_lifetime = section.span_s("token_lifetime").map(Seconds);
    let algorithm = section.value("algorithm").and_then(|value| section.choice(value, "algorithm", &names));
    if let Some(value) = section.value("format")
        && section.text(value, "format").is_some_and(|format| format != "jwt")
    {
        section.wrong(value, "format", "expected \"jwt\"");
    }
    let secrets = secrets(&section, open);
    let at = section.at();
    section.finish();
    let format = TokenFormat::Jwt;
    Some(DeclaredApi { at, name: name?, audience: audience?, scopes, token_lifetime, algorithm, format, secrets })
}

fn client(section: Section<'_>, open: OpenSecret<'_>) -> Option<DeclaredClient> {
    let grants: Vec<_> = GrantKind::ALL.iter().map(|g| g.as_str()).collect();
    let methods: Vec<_> = AuthMethod::ALL.iter().map(|m| m.as_str()).collect();
    let id = section.need_word("id", "the client_id");
    let granted = section.need("grants", "a list of grants").map(|value| section.choices(value, "grants", &grants));
    let methods =
        section.value("auth_methods").map(|value| section.choices::<AuthMethod>(value, "auth_methods", &methods));
    let found = (
        secrets(&section, open),
        scopes(&section),
        section.texts("properties"),
        section.flag("refresh_without_secret"),
        (section.number("max_concurrent"), section.number("max_per_second")),
    );
    let (status, at) = (status(&section), section.at());
    section.finish();
    let (secrets, scopes, properties, refresh_without_secret, (max_concurrent, max_per_second)) = found;
    Some(DeclaredClient {
        at,
        id: id?,
        secrets,
        grants: granted?.into_iter().collect(),
        scopes,
        auth_methods: methods.map(|m| m.into_iter().collect::<BTreeSet<_>>()),
        refresh_without_secret,
        properties,
        max_concurrent: max_concurrent.unwrap_or(MAX_CONCURRENT),
        max_per_second,
        status,
    })
}

fn user(section: Section<'_>, open: OpenSecret<'_>) -> Option<DeclaredUser> {
    let name = section.need_word("name", "what the person types");
    let password = password(&section, open);
    let scopes = scopes(&section);
    let (status, at): (_, At) = (status(&section), section.at());
    section.finish();
    Some(DeclaredUser { at, name: name?, password: password?, scopes, status })
}

/// `scopes = { cards = ["a", "b"] }`.
fn scopes(section: &Section<'_>) -> BTreeMap<ApiName, ScopeSet> {
    let mut held = BTreeMap::new();
    for (name, value) in section.map("scopes") {
        let key = format!("scopes.{name}");
        let set = section.list(value, &key).into_iter().filter_map(|item| section.word::<Scope>(item, &key)).collect();
        match name.parse::<ApiName>() {
            Ok(api) => drop(held.insert(api, set)),
            Err(bad) => section.wrong(value, &key, format!("expected the name of an API ({})", bad.expected)),
        }
    }
    held
}

fn status(section: &Section<'_>) -> Option<Status> {
    let value = section.value("status")?;
    match section.text(value, "status")? {
        "enabled" => Some(Status::Enabled),
        "disabled" => Some(Status::Disabled),
        other => {
            section.wrong(value, "status", format!("expected \"enabled\" or \"disabled\", found {other:?}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ficha_core::operator::{Declaration, DeclaredPassword};
    use ficha_jose::sha256;
    use ficha_types::Secret;

    fn open(path: &Path) -> Result<Secret, String> {
        match path.to_str() {
            Some("conf/secret.txt") => Ok(Secret::new("hunter2".into())),
            Some("conf/password.txt") => Ok(Secret::new("deyel123".into())),
            _ => Err("no such file".into()),
        }
    }

    fn read(text: &str) -> Result<Declaration, Vec<String>> {
        super::super::read(&[("conf/a.toml".into(), text.into())], &open)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    const WHOLE: &str = r#"
[[issuer]]
name = "acme"
dialect = "standard"
base_urls = ["https://auth.example.com", { url = "https://old.example.com:*", dialect = "pomelo" }]
default_api = "cards"
outage_grace = "0s"
password_refusal_after = "1s"

[[issuer.api]]
name = "cards"
audience = "https://cards.example.com"
scopes = ["cards:read", "cards:write"]
token_lifetime = "1h"
algorithm = "RS256"
format = "jwt"

[[issuer.client]]
id = "app"
secrets = [
  { sha256 = "f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7", id = "first" },
  { file = "secret.txt" },
]
grants = ["client_credentials", "refresh_token"]
scopes = { cards = ["cards:read"] }
properties = { tier = "gold" }
max_per_second = 50

[[issuer.user]]
name = "ana"
password = { file = "password.txt" }
scopes = { cards = ["cards:read"] }
status = "disabled"

[[issuer.user]]
name = "ben"
password = "$2b$04$abcdefghijklmnopqrstuuZGzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
"#;

    #[test]
    fn a_whole_file_is_read_with_its_defaults() {
        let read = read(WHOLE).unwrap();
        let issuer = &read.issuers[0];
        assert_eq!((issuer.places.len(), issuer.rsa_bits, issuer.outage_grace.0), (2, 2048, 0));
        assert_eq!((issuer.password_refusal_after_ms, issuer.max_revocations_per_client), (1000, 10_000));
        assert_eq!(issuer.apis[0].token_lifetime.unwrap().0, 3600);
        let client = &issuer.clients[0];
        assert_eq!(client.secrets[0].id.as_deref(), Some("first"));
        assert_eq!(client.secrets[0].sha256, sha256(b"hunter2"));
        assert_eq!(client.secrets[1].sha256, sha256(b"hunter2"));
        assert_eq!((client.max_concurrent, client.max_per_second), (1024, Some(50)));
        assert!(matches!(&issuer.users[0].password, DeclaredPassword::Plain(p) if p.expose() == "deyel123"));
        assert!(matches!(&issuer.users[1].password, DeclaredPassword::Hash(h) if h.expose().starts_with("$2b$")));
        assert_eq!(client.at.problem("scopes.cards", "x").line, 25);
    }

    #[test]
    fn an_unknown_key_is_told_with_its_place_and_the_nearest_known_one() {
        let problems = read(&WHOLE.replace("token_lifetime", "token_lifetme")).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0]
                .starts_with("conf/a.toml:14: issuer.api.token_lifetme: unknown key, did you mean token_lifetime?"),
            "{problems:?}"
        );
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let text = WHOLE
            .replace("name = \"acme\"", "nam = \"acme\"")
            .replace("\"refresh_token\"]", "\"refresh-token\"]")
            .replace("\"1h\"", "\"1 hour\"")
            .replace("secret.txt", "gone.txt");
        let problems = read(&text).unwrap_err();
        for (place, what) in [
            ("conf/a.toml:2: issuer.name", "missing"),
            ("conf/a.toml:3: issuer.nam", "did you mean name?"),
            ("conf/a.toml:14: issuer.api.token_lifetime", "expected a span"),
            ("conf/a.toml:24: issuer.client.grants", "did you mean refresh_token?"),
            ("conf/a.toml:22: issuer.client.secrets.file", "conf/gone.txt: no such file"),
        ] {
            assert!(problems.iter().any(|p| p.starts_with(place) && p.contains(what)), "{place}: {problems:#?}");
        }
    }

    #[test]
    fn a_plain_secret_is_refused_and_never_repeated() {
        for text in [
            WHOLE.replace("{ file = \"secret.txt\" }", "\"Tr0ub4dor\""),
            WHOLE.replace("{ file = \"secret.txt\" }", "{ sha256 = \"Tr0ub4dor\" }"),
            WHOLE.replace("{ file = \"secret.txt\" }", "\"sha256:Tr0ub4dor\""),
            WHOLE.replace("{ file = \"secret.txt\" }", "{ secret = \"Tr0ub4dor\" }"),
            WHOLE.replace("{ file = \"password.txt\" }", "\"Tr0ub4dor\""),
            WHOLE.replace("{ file = \"password.txt\" }", "{ plain = \"Tr0ub4dor\" }"),
            WHOLE.replace("{ file = \"password.txt\" }", "\"Tr0ub4dor"),
        ] {
            let problems = read(&text).unwrap_err();
            assert!(!problems.is_empty() && !problems.concat().contains("Tr0ub4dor"), "{problems:?}");
        }
    }
}
