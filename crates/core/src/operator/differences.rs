//! In which fields two records differ, in words.

use ficha_types::Seconds;

use crate::records::{Api, Client, Issuer, Place, Status, User};

/// `field: before → after` for each field that differs.
#[derive(Debug, Default)]
pub(super) struct Differences(pub(super) Vec<String>);

impl Differences {
    fn field<T: PartialEq + ?Sized>(&mut self, name: &str, (before, after): (&T, &T), say: impl Fn(&T) -> String) {
        if before != after {
            self.0.push(format!("{name}: {} → {}", say(before), say(after)));
        }
    }

    /// A field of which only the name is told.
    fn silent<T: PartialEq + ?Sized>(&mut self, name: &str, before: &T, after: &T) {
        if before != after {
            self.0.push(name.to_owned());
        }
    }

    fn shown<T: PartialEq + ToString>(&mut self, name: &str, before: &T, after: &T) {
        self.field(name, (before, after), ToString::to_string);
    }

    fn optional<T: PartialEq + ToString>(&mut self, name: &str, before: Option<&T>, after: Option<&T>) {
        self.field(name, (&before, &after), |v| v.map_or_else(|| "none".to_owned(), ToString::to_string));
    }
}

fn list<'a, T: ToString + 'a>(items: impl IntoIterator<Item = &'a T>) -> String {
    let words: Vec<_> = items.into_iter().map(ToString::to_string).collect();
    format!("[{}]", words.join(" "))
}

fn status(status: Status) -> String {
    match status {
        Status::Enabled => "enabled".into(),
        Status::Disabled => "disabled".into(),
    }
}

fn scopes<'a, K: ToString + 'a, V: ToString + 'a>(scopes: impl IntoIterator<Item = (&'a K, &'a V)>) -> String {
    let parts: Vec<_> =
        scopes.into_iter().map(|(api, set)| format!("{} [{}]", api.to_string(), set.to_string())).collect();
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

pub(super) fn issuer(before: &Issuer, after: &Issuer) -> Vec<String> {
    let mut found = Differences::default();
    let urls = |places: &Vec<Place>| {
        let say = |p: &Place| p.dialect.as_ref().map_or_else(|| p.url.to_string(), |d| format!("{} ({d})", p.url));
        list(&places.iter().map(say).collect::<Vec<_>>())
    };
    found.shown("dialect", &before.dialect, &after.dialect);
    found.field("base_urls", (&before.places, &after.places), urls);
    found.optional("default_api", before.default_api.as_ref(), after.default_api.as_ref());
    found.shown("allow_loopback_http", &before.allow_loopback_http, &after.allow_loopback_http);
    found.shown("rsa_bits", &before.rsa_bits, &after.rsa_bits);
    let ms = |ms: &u32| format!("{ms}ms");
    let refusals = (&before.password_refusal_after_ms, &after.password_refusal_after_ms);
    found.field("password_refusal_after", refusals, ms);
    found.shown("max_revocations_per_client", &before.max_revocations_per_client, &after.max_revocations_per_client);
    found.shown("outage_grace", &before.outage_grace, &after.outage_grace);
    found.0
}

pub(super) fn api(before: &Api, after: &Api) -> Vec<String> {
    let mut found = Differences::default();
    found.shown("audience", &before.audience, &after.audience);
    found.field("scopes", (&before.scopes, &after.scopes), |s| list(s));
    let lifetime = |s: &Option<Seconds>| s.map_or_else(|| "the dialect's".to_owned(), |s| s.to_string());
    found.field("token_lifetime", (&before.token_lifetime, &after.token_lifetime), lifetime);
    found.shown("algorithm", &before.algorithm, &after.algorithm);
    if !after.algorithm_allows(before.algorithm) {
        found.0.push(format!("tokens signed by {} until now are inactive from then on", before.algorithm));
    }
    found.silent("format", &before.format, &after.format);
    let ids = |secrets: &Vec<crate::records::StoredSecret>| list(secrets.iter().map(|s| &s.id));
    found.field("secrets", (&before.secrets, &after.secrets), ids);
    found.0
}

pub(super) fn client(before: &Client, after: &Client) -> Vec<String> {
    let mut found = Differences::default();
    found.field("status", (&before.status, &after.status), |s| status(*s));
    let ids = |secrets: &Vec<crate::records::StoredSecret>| list(secrets.iter().map(|s| &s.id));
    found.field("secrets", (&before.secrets, &after.secrets), ids);
    found.field("grants", (&before.grants, &after.grants), |g| list(g));
    found.field("scopes", (&before.scopes, &after.scopes), |s| scopes(s));
    found.field("auth_methods", (&before.auth_methods, &after.auth_methods), |m| {
        m.as_ref().map_or_else(|| "the dialect's".to_owned(), list)
    });
    found.shown("refresh_without_secret", &before.refresh_without_secret, &after.refresh_without_secret);
    found.silent("properties", &before.properties, &after.properties);
    found.shown("max_concurrent", &before.max_concurrent, &after.max_concurrent);
    found.optional("max_per_second", before.max_per_second.as_ref(), after.max_per_second.as_ref());
    found.0
}

pub(super) fn user(before: &User, after: &User) -> Vec<String> {
    let mut found = Differences::default();
    found.field("status", (&before.status, &after.status), |s| status(*s));
    found.silent("password", &before.password, &after.password);
    found.silent("origin of the password", &before.password_source, &after.password_source);
    found.field("scopes", (&before.scopes, &after.scopes), |s| scopes(s));
    found.0
}

/// Whether live tokens of the client must end: its secrets, scopes or status differ.
pub(super) fn policy_differs(before: &Client, after: &Client) -> bool {
    // The properties stand in the tokens of dialects that say so.
    (&before.secrets, &before.scopes, &before.properties, before.status)
        != (&after.secrets, &after.scopes, &after.properties, after.status)
}

#[cfg(test)]
mod tests {
    use ficha_types::Algorithm;

    use super::*;
    use crate::records::TokenFormat;

    #[test]
    fn it_is_told_that_a_change_to_or_from_hs256_ends_tokens() {
        let by = |algorithm| Api {
            name: "cards".parse().unwrap(),
            audience: "https://cards.example".parse().unwrap(),
            scopes: Vec::new(),
            token_lifetime: None,
            longest_lifetime: Seconds(0),
            algorithm,
            format: TokenFormat::Jwt,
            secrets: Vec::new(),
            removed_secrets: crate::records::RemovedSecrets::default(),
        };
        let (hs, es, rs) = (by(Algorithm::Hs256), by(Algorithm::Es256), by(Algorithm::Rs256));
        let ends = "tokens signed by HS256 until now are inactive from then on";
        assert_eq!(api(&hs, &es), ["algorithm: HS256 → ES256", ends]);
        assert_eq!(api(&es, &hs).len(), 2);
        assert_eq!(api(&es, &rs), ["algorithm: ES256 → RS256"]);
        assert!(api(&es, &es).is_empty());
    }
}
