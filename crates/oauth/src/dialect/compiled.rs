//! A dialect, checked and compiled.

use std::str::FromStr;

use ficha_core::{
    ports::{Dialect, ReadFacts, TokenFacts},
    profile::Profile,
};
use ficha_types::{Algorithm, BadWord, DialectName, GrantKind, base_url::below};
use serde_json::{Map, Value};

use super::{
    claims::TokenShape,
    endpoints::Endpoints,
    fields::{Names, Param},
    render::{Challenges, ErrorRules},
    template::Template,
    variables::AnswerVar,
};

/// One wire contract, compiled into plain structs; made by [`DialectSet`](super::DialectSet) alone.
#[derive(Debug)]
pub struct Compiled {
    pub(super) name: DialectName,
    pub(super) about: String,
    pub(super) endpoints: Endpoints,
    pub(super) request: RequestShape,
    pub(super) answer: Template<AnswerVar>,
    pub(super) tokens: TokenShape,
    pub(super) errors: ErrorRules,
    pub(super) challenges: Challenges,
    pub(super) vendor_revoke: Option<VendorRevoke>,
    pub(super) profile: Profile,
}

/// How a token request looks.
#[derive(Debug)]
pub(super) struct RequestShape {
    pub(super) bodies: Bodies,
    pub(super) names: Names,
    /// The `grant_type` of each grant, in the order of the profile's grants.
    pub(super) grant_types: Vec<(String, GrantKind)>,
    pub(super) required: Vec<Param>,
}

/// The media types of a body that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bodies {
    pub(super) form: bool,
    pub(super) json: bool,
}

/// A vendor's own way to revoke all tokens of a client at an API.
#[derive(Debug)]
pub(super) struct VendorRevoke {
    pub(super) rule: RevokeRule,
    pub(super) required: Vec<Param>,
    /// The whole body of the answer.
    pub(super) answer: bytes::Bytes,
}

/// What a vendor's own way to revoke does: a rule of core, which the dialect names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeRule {
    /// `client_at_api`: a not-before mark for the client at the API that the request names.
    ClientAtApi,
}

impl FromStr for RevokeRule {
    type Err = BadWord;
    fn from_str(s: &str) -> Result<Self, BadWord> {
        match s {
            "client_at_api" => Ok(Self::ClientAtApi),
            _ => Err(BadWord { word: "rule", expected: "client_at_api" }),
        }
    }
}

impl Compiled {
    /// One line about it, for a person.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Where its endpoints stand.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// What the vendor's own way to revoke does; none when the dialect has no such endpoint.
    #[must_use]
    pub fn revoke_rule(&self) -> Option<RevokeRule> {
        self.vendor_revoke.as_ref().map(|revoke| revoke.rule)
    }

    /// What stands in `grant_type` for each grant that it knows.
    pub fn grant_types(&self) -> impl Iterator<Item = (&str, GrantKind)> {
        self.request.grant_types.iter().map(|(name, kind)| (name.as_str(), *kind))
    }
}

impl Dialect for Compiled {
    fn name(&self) -> &DialectName {
        &self.name
    }

    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn header(&self, algorithm: Algorithm, kid: &str) -> String {
        self.tokens.header(algorithm, kid)
    }

    fn claims(&self, facts: &TokenFacts<'_>) -> String {
        self.tokens.claims(facts)
    }

    fn read_claims(&self, claims: &Map<String, Value>) -> Option<ReadFacts> {
        self.tokens.read_claims(claims)
    }

    fn refresh_claims(&self, facts: &TokenFacts<'_>, endpoint: &str) -> String {
        self.tokens.refresh_claims(facts, endpoint)
    }

    fn read_refresh_claims(&self, claims: &Map<String, Value>, endpoint: &str) -> Option<ReadFacts> {
        self.tokens.read_refresh_claims(claims, endpoint)
    }

    fn token_endpoint(&self, base_url: &str) -> String {
        below(base_url, self.endpoints.token())
    }
}
