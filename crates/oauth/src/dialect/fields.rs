//! The parameters of a request, each once, by the names that a dialect gives them.

use std::{fmt, mem, str::FromStr};

use ficha_core::Malformed;
use ficha_types::{BadWord, Secret};

/// The most parameters of one request, known or not.
pub(super) const MAX: usize = 64;

/// A parameter that some endpoint knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Param {
    GrantType,
    ClientId,
    ClientSecret,
    Username,
    Password,
    RefreshToken,
    Scope,
    Audience,
    Resource,
    Token,
    TokenTypeHint,
}

impl Param {
    /// Those of a token request, which a dialect may rename.
    pub(super) const OF_TOKEN: [Self; 9] = [
        Self::GrantType,
        Self::ClientId,
        Self::ClientSecret,
        Self::Username,
        Self::Password,
        Self::RefreshToken,
        Self::Scope,
        Self::Audience,
        Self::Resource,
    ];

    /// Those of revocation (RFC 7009 §2.1) and introspection (RFC 7662 §2.1).
    pub(super) const OF_STANDARD: [Self; 4] = [Self::Token, Self::TokenTypeHint, Self::ClientId, Self::ClientSecret];

    /// Its registered name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::GrantType => "grant_type",
            Self::ClientId => "client_id",
            Self::ClientSecret => "client_secret",
            Self::Username => "username",
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::Scope => "scope",
            Self::Audience => "audience",
            Self::Resource => "resource",
            Self::Token => "token",
            Self::TokenTypeHint => "token_type_hint",
        }
    }

    /// Whether it may not stand in a URL: it is, or goes with, something secret (RFC 6749 §2.3.1, RFC 9700 §4.3).
    const fn is_credential(self) -> bool {
        match self {
            Self::ClientId
            | Self::ClientSecret
            | Self::Username
            | Self::Password
            | Self::RefreshToken
            | Self::Token => true,
            Self::GrantType | Self::Scope | Self::Audience | Self::Resource | Self::TokenTypeHint => false,
        }
    }
}

impl FromStr for Param {
    type Err = BadWord;
    fn from_str(s: &str) -> Result<Self, BadWord> {
        Self::OF_TOKEN
            .into_iter()
            .find(|p| p.as_str() == s)
            .ok_or(BadWord { word: "parameter", expected: "a parameter of the token request" })
    }
}

/// The names of parameters on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names(pub(super) Vec<(String, Param)>);

impl Names {
    /// The registered names.
    pub(super) fn registered(params: &[Param]) -> Self {
        Self(params.iter().map(|p| (p.as_str().to_owned(), *p)).collect())
    }

    /// The parameter of that name.
    pub(super) fn param(&self, wire: &str) -> Option<Param> {
        self.0.iter().find(|(name, _)| name == wire).map(|(_, param)| *param)
    }

    /// The name of that parameter.
    pub(super) fn wire(&self, param: Param) -> &str {
        self.0.iter().find(|(_, p)| *p == param).map_or(param.as_str(), |(name, _)| name)
    }

    /// Whether `wire` names a credential, here or by its registered name.
    pub(super) fn is_credential(&self, wire: &str) -> bool {
        let registered = || Param::OF_TOKEN.into_iter().chain(Param::OF_STANDARD).find(|p| p.as_str() == wire);
        self.param(wire).or_else(registered).is_some_and(Param::is_credential)
    }
}

/// The value of a parameter. As it stands in the request where nothing had to be decoded: so no copy is made that has to be wiped.
pub enum Text<'b> {
    /// As it stands there.
    AsSent(&'b str),
    /// Decoded.
    Decoded(Secret),
}

impl Text<'_> {
    /// The text itself, for the one line that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::AsSent(text) => text,
            Self::Decoded(text) => text.expose(),
        }
    }

    /// The text, kept as a secret.
    pub(super) fn into_secret(self) -> Secret {
        match self {
            Self::AsSent(text) => Secret::new(text.to_owned()),
            Self::Decoded(text) => text,
        }
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(..)")
    }
}

/// The known parameters of a request. All values are treated as secrets: some of them are.
pub(super) struct Fields<'b>(Vec<(Param, Text<'b>)>);

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(param, _)| param)).finish()
    }
}

impl<'b> Fields<'b> {
    /// None yet, with room for those of an ordinary request.
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(8))
    }

    /// Takes a parameter; twice is an error, an empty value too counts as once (RFC 6749 §3.2). `resource` alone may come
    /// several times (RFC 8707 §2).
    pub(super) fn add(&mut self, names: &Names, param: Param, value: Text<'b>) -> Result<(), Malformed> {
        if param != Param::Resource && self.0.iter().any(|(p, _)| *p == param) {
            return Err(Malformed::Repeated(names.wire(param).to_owned()));
        }
        self.0.push((param, value));
        Ok(())
    }

    /// The value of `param`, once; empty counts as absent (RFC 6749 §3.2).
    pub(super) fn take(&mut self, param: Param) -> Option<Text<'b>> {
        let (_, value) = self.0.iter_mut().find(|(p, value)| *p == param && !value.expose().is_empty())?;
        Some(mem::replace(value, Text::AsSent("")))
    }

    /// The value of `param`, which is no secret.
    pub(super) fn take_plain(&mut self, param: Param) -> Option<String> {
        self.take(param).map(|value| value.expose().to_owned())
    }

    /// The value of `param`, which has to be there.
    pub(super) fn need(&mut self, names: &Names, param: Param) -> Result<Text<'b>, Malformed> {
        self.take(param).ok_or_else(|| Malformed::Missing(names.wire(param).to_owned()))
    }

    /// Whether `param` is there and not empty.
    pub(super) fn has(&self, param: Param) -> bool {
        self.0.iter().any(|(p, value)| *p == param && !value.expose().is_empty())
    }

    /// Every value of `param` that is not empty, in the order of the request.
    pub(super) fn plain_all(&self, param: Param) -> Vec<String> {
        let values = self.0.iter().filter(|(p, value)| *p == param && !value.expose().is_empty());
        values.map(|(_, value)| value.expose().to_owned()).collect()
    }
}
