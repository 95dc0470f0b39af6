//! What the claims of a good token say: issuer, audience, times, and that it is an access token.

use std::sync::Arc;

use ficha_types::{Seconds, UnixSeconds};
use serde_json::{Map, Value};

use crate::{
    NotAccess, Rejection,
    claims::{Checked, instant, scopes},
};

/// What is asked of every token.
pub(crate) struct Rules {
    pub(crate) issuer: Arc<str>,
    pub(crate) audience: Box<str>,
    pub(crate) leeway: Seconds,
    pub(crate) only_at_jwt: bool,
    pub(crate) sender_bound: bool,
}

/// When a token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) expires_at: Option<UnixSeconds>,
    pub(crate) not_before: Option<UnixSeconds>,
    pub(crate) issued_at: Option<UnixSeconds>,
}

/// Audiences that one token may name: more is no token that anybody issues, but one that makes work.
const MAX_AUDIENCES: usize = 256;

/// Whether the token's header already said that it is an access token (RFC 9068 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typed {
    AccessToken,
    Unsaid,
}

/// Who vouches for the claims: the token's signature, or an answer of the issuer itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Witness {
    Signature(Typed),
    Issuer,
}

/// Claims that ID tokens have and access tokens have not (OpenID Connect Core §2, §3.3.2.11).
const OF_ID_TOKENS: [&str; 4] = ["nonce", "at_hash", "c_hash", "s_hash"];

impl Rules {
    /// What the header's `typ` says (RFC 8725 §3.11).
    pub(crate) fn typed(&self, typ: Option<&str>) -> Result<Typed, Rejection> {
        let is = |name: &str| typ.is_some_and(|typ| typ.eq_ignore_ascii_case(name));
        if is("at+jwt") || is("application/at+jwt") {
            Ok(Typed::AccessToken)
        } else if !self.only_at_jwt && (typ.is_none() || is("JWT")) {
            Ok(Typed::Unsaid)
        } else {
            Err(Rejection::NotAnAccessToken(NotAccess::HeaderType))
        }
    }

    /// The claims, when they are those of an access token for this API that is valid `now`.
    pub(crate) fn judge(
        &self,
        members: Map<String, Value>,
        witness: Witness,
        now: UnixSeconds,
    ) -> Result<Checked, Rejection> {
        self.check_issuer(members.get("iss"), witness)?;
        self.check_audience(members.get("aud"))?;
        check_kind(&members, witness)?;
        self.check_binding(&members, witness)?;
        let times = read_times(&members, witness)?;
        self.check_times(&times, now)?;
        let scopes = scopes(&members)?;
        Ok(Checked { issuer: Arc::clone(&self.issuer), scopes, times, members, traits: None })
    }

    /// Whether a token of these times is valid `now`.
    pub(crate) fn check_times(&self, times: &Times, now: UnixSeconds) -> Result<(), Rejection> {
        // RFC 7519 §4.1.4: not on the instant itself either.
        if times.expires_at.is_some_and(|exp| exp + self.leeway <= now) {
            return Err(Rejection::Expired);
        }
        if times.not_before.is_some_and(|nbf| nbf > now + self.leeway) {
            return Err(Rejection::NotYetValid);
        }
        if times.issued_at.is_some_and(|iat| iat > now + self.leeway) {
            return Err(Rejection::IssuedInFuture);
        }
        Ok(())
    }

    fn check_issuer(&self, iss: Option<&Value>, witness: Witness) -> Result<(), Rejection> {
        match (iss, witness) {
            (Some(Value::String(iss)), _) if **iss == *self.issuer => Ok(()),
            (Some(_), _) => Err(Rejection::WrongIssuer),
            // RFC 7662 §2.2: optional there, and who answers is the issuer.
            (None, Witness::Issuer) => Ok(()),
            (None, Witness::Signature(_)) => Err(Rejection::MissingClaim("iss")),
        }
    }

    fn check_audience(&self, aud: Option<&Value>) -> Result<(), Rejection> {
        let aud = aud.ok_or(Rejection::MissingClaim("aud"))?;
        let ours = |value: &Value| value.as_str().is_some_and(|text| text == &*self.audience);
        match aud.as_array() {
            Some(list) if list.len() > MAX_AUDIENCES => Err(Rejection::TooManyAudiences),
            Some(list) if list.iter().any(ours) => Ok(()),
            None if ours(aud) => Ok(()),
            _ => Err(Rejection::WrongAudience),
        }
    }

    /// Refuses a token that is good only with a proof of possession (RFC 7800 §3.1): who sends it without one may have
    /// stolen it.
    fn check_binding(&self, members: &Map<String, Value>, witness: Witness) -> Result<(), Rejection> {
        let is_dpop = |kind: &Value| kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("DPoP"));
        // RFC 9449 §6.2: an introspection may say it by the type alone.
        let by_type = witness == Witness::Issuer && members.get("token_type").is_some_and(is_dpop);
        if !self.sender_bound && (members.contains_key("cnf") || by_type) {
            return Err(Rejection::SenderBound);
        }
        Ok(())
    }
}

fn read_times(members: &Map<String, Value>, witness: Witness) -> Result<Times, Rejection> {
    let [expires_at, not_before, issued_at] =
        [instant(members, "exp")?, instant(members, "nbf")?, instant(members, "iat")?];
    if expires_at.is_none() && witness != Witness::Issuer {
        return Err(Rejection::MissingClaim("exp"));
    }
    Ok(Times { expires_at, not_before, issued_at })
}

/// Refuses what says of itself that it is something else.
fn check_kind(members: &Map<String, Value>, witness: Witness) -> Result<(), Rejection> {
    let is_access = |text: &str| ["access", "access_token"].iter().any(|known| text.eq_ignore_ascii_case(known));
    if members.get("token_use").is_some_and(|usage| !usage.as_str().is_some_and(is_access)) {
        return Err(Rejection::NotAnAccessToken(NotAccess::TokenUse));
    }
    // Some issuers name the kind in a claim: `ID`, `Refresh`, `Offline`, `Logout`; of access tokens it is `Bearer`.
    let is_bearer = |text: &str| ["bearer", "at+jwt", "JWT"].iter().any(|known| text.eq_ignore_ascii_case(known));
    if members.get("typ").is_some_and(|typ| !typ.as_str().is_some_and(|text| is_bearer(text) || is_access(text))) {
        return Err(Rejection::NotAnAccessToken(NotAccess::TokenUse));
    }
    if members.contains_key("events") {
        return Err(Rejection::NotAnAccessToken(NotAccess::Event));
    }
    // A header that says `at+jwt` says it better than these can.
    if witness != Witness::Signature(Typed::AccessToken)
        && OF_ID_TOKENS.iter().any(|claim| members.contains_key(*claim))
    {
        return Err(Rejection::NotAnAccessToken(NotAccess::IdToken));
    }
    Ok(())
}
