//! An issuer as it is declared.

use ficha_types::{ApiName, BaseUrl, DialectName, IssuerName, Seconds};
use serde::{Deserialize, Serialize};

/// One token service: where it answers, how it speaks, and its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Its name in this server.
    pub name: IssuerName,
    /// The dialect of every place that names no other.
    pub dialect: DialectName,
    /// Where it answers, at least one; the first is canonical and stands in `iss` and in the metadata.
    pub places: Vec<Place>,
    /// The API of a request that names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_api: Option<ApiName>,
    /// Whether plain HTTP is accepted from the loopback.
    #[serde(default)]
    pub allow_loopback_http: bool,
    /// Bits of the RSA keys made for it: 2048, 3072 or 4096.
    pub rsa_bits: u32,
    /// Milliseconds after its arrival at which every refusal of a user leaves.
    pub password_refusal_after_ms: u32,
    /// The most standing revocations of one client before the oldest fold into a mark.
    pub max_revocations_per_client: u32,
    /// How long a fresh token may be given out with no database; 0 = never.
    pub outage_grace: Seconds,
}

/// A base URL of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The URL.
    pub url: BaseUrl,
    /// Its dialect, when it is not the issuer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<DialectName>,
}

impl Issuer {
    /// What stands in `iss`: the first base URL.
    #[must_use]
    pub fn canonical(&self) -> Option<&BaseUrl> {
        self.places.first().map(|p| &p.url)
    }

    /// Every dialect that it speaks, its own first, each once.
    #[must_use]
    pub fn dialects(&self) -> Vec<&DialectName> {
        let mut names = vec![&self.dialect];
        for name in self.places.iter().filter_map(|p| p.dialect.as_ref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}
