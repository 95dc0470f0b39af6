//! What `ficha apply` is given: issuers as they should be, read from files by the face, with every word checked and its place kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use ficha_types::{
    Algorithm, ApiName, Audience, AuthMethod, ClientId, DialectName, GrantKind, IssuerName, Scope, ScopeSet, Seconds,
    Secret, Username,
};
use serde::{Deserialize, Serialize, Serializer};

use super::Problem;
use crate::records::{PasswordHash, Place, Status, TokenFormat};

/// Issuers as they should be. What is there and not declared stays as it is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// The issuers, in the order of the files.
    pub issuers: Vec<DeclaredIssuer>,
}

/// Where a table of a declaration stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// The file as it was named.
    pub file: String,
    /// Its tables: `issuer.client`.
    pub table: String,
    /// The line of the table itself.
    pub line: usize,
    /// The lines of its keys, those of inner tables with a dot.
    pub keys: BTreeMap<String, usize>,
}

impl At {
    /// Something is wrong with `key` of this table, or with the nearest thing around it that is written.
    #[must_use]
    pub fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        let outer = key.rsplit_once('.').map_or(key, |(outer, _)| outer);
        let line = self.keys.get(key).or_else(|| self.keys.get(outer)).copied().unwrap_or(self.line);
        Problem { file: self.file.clone(), line, key: format!("{}.{key}", self.table), message: message.into() }
    }
}

/// An issuer as it should be.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredIssuer {
    /// Where it stands.
    pub at: At,
    /// Its name.
    pub name: IssuerName,
    /// The dialect of every base URL that names no other.
    pub dialect: DialectName,
    /// Where it answers; the first is canonical.
    pub places: Vec<Place>,
    /// The API of a request that names none.
    pub default_api: Option<ApiName>,
    /// Whether plain HTTP is accepted from the loopback.
    pub allow_loopback_http: bool,
    /// Bits of the RSA keys made for it.
    pub rsa_bits: u32,
    /// Milliseconds after its arrival at which every refusal of a user leaves.
    pub password_refusal_after_ms: u32,
    /// The most standing revocations of one client before the oldest fold into a mark.
    pub max_revocations_per_client: u32,
    /// How long a fresh token may be given out with no database.
    pub outage_grace: Seconds,
    /// Its APIs.
    pub apis: Vec<DeclaredApi>,
    /// Its clients.
    pub clients: Vec<DeclaredClient>,
    /// Its users.
    pub users: Vec<DeclaredUser>,
}

/// An API as it should be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredApi {
    /// Where it stands.
    pub at: At,
    /// Its name.
    pub name: ApiName,
    /// What stands in `aud`.
    pub audience: Audience,
    /// The scopes that it knows, in the order in which they are written.
    pub scopes: Vec<Scope>,
    /// How long its access tokens live; the dialect's default when absent.
    pub token_lifetime: Option<Seconds>,
    /// How its tokens are signed; the dialect's default when absent.
    pub algorithm: Option<Algorithm>,
    /// What its access tokens are.
    pub format: TokenFormat,
    /// Secrets that it must have; it may have others.
    pub secrets: Vec<DeclaredSecret>,
}

/// A secret that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredSecret {
    /// Its name in commands and in the log; made from its digest when absent.
    pub id: Option<String>,
    /// Its SHA-256: the secret itself never travels.
    pub sha256: [u8; 32],
    /// Whether it was made of 256 random bits: then guesses at it need not be counted.
    pub generated: bool,
}

/// A client as it should be.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredClient {
    /// Where it stands.
    pub at: At,
    /// Its public name.
    pub id: ClientId,
    /// Secrets that it must have; it may have others.
    pub secrets: Vec<DeclaredSecret>,
    /// The grants that it may use.
    pub grants: BTreeSet<GrantKind>,
    /// The scopes that it holds, per API.
    pub scopes: BTreeMap<ApiName, ScopeSet>,
    /// The methods by which it may authenticate; every one of the dialect's when absent.
    pub auth_methods: Option<BTreeSet<AuthMethod>>,
    /// Whether its id alone is enough for the grant `refresh_token`.
    pub refresh_without_secret: bool,
    /// Facts about it that a dialect may write into its tokens.
    pub properties: BTreeMap<String, String>,
    /// The most requests of it that are under way at once.
    pub max_concurrent: u32,
    /// The most requests of it per second.
    pub max_per_second: Option<u32>,
    /// Whether it may do anything; stays as it is when absent.
    pub status: Option<Status>,
}

/// A user as it should be.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredUser {
    /// Where it stands.
    pub at: At,
    /// What the person types.
    pub name: Username,
    /// The password.
    pub password: DeclaredPassword,
    /// The person's permissions, per API.
    pub scopes: BTreeMap<ApiName, ScopeSet>,
    /// Whether the person may do anything; stays as it is when absent.
    pub status: Option<Status>,
}

/// A password as it is declared. Travels over the socket of its owner alone.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclaredPassword {
    /// A hash made elsewhere, not checked yet.
    Hash(PasswordHash),
    /// The password itself, out of a file.
    Plain(#[serde(serialize_with = "exposed")] Secret),
}

impl fmt::Debug for DeclaredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeclaredPassword(..)")
    }
}

/// Writes the secret itself: for the way over the socket, nowhere else.
pub(super) fn exposed<S: Serializer>(secret: &Secret, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(secret.expose())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_the_line_of_the_key_or_of_what_is_around_it() {
        let keys = [("scopes", 4), ("scopes.cards", 5)].map(|(k, l)| (k.to_owned(), l)).into();
        let at = At { file: "a.toml".into(), table: "issuer.client".into(), line: 2, keys };
        assert_eq!(at.problem("scopes.cards", "no").to_string(), "a.toml:5: issuer.client.scopes.cards: no");
        assert_eq!(at.problem("scopes.users", "no").line, 4);
        assert_eq!(at.problem("grants", "no").line, 2);
    }

    #[test]
    fn a_password_travels_whole_and_prints_nothing() {
        let declared = DeclaredPassword::Plain(Secret::new("deyel123".into()));
        assert_eq!(format!("{declared:?}"), "DeclaredPassword(..)");
        let json = serde_json::to_string(&declared).unwrap();
        let DeclaredPassword::Plain(read) = serde_json::from_str(&json).unwrap() else { panic!("{json}") };
        assert_eq!(read.expose(), "deyel123");
    }
}
