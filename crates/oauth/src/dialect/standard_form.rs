//! The requests of RFC 7009 and RFC 7662: the same form in every dialect.

use std::sync::LazyLock;

use ficha_core::{Refusal, token::Credentials};

use super::{
    compiled::Bodies,
    endpoints::Endpoint,
    fields::{Names, Param, Text},
    parse::{Asked, Refused, Sent, credentials, read_body},
};

/// A request to revoke or to introspect a token. `token_type_hint` may be there once and never decides.
#[derive(Debug)]
pub struct StandardForm<'r> {
    /// Who asks: a client, or at introspection an API by its name.
    pub who: Credentials,
    /// The token, not looked at yet.
    pub token: Text<'r>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names::registered(&Param::OF_STANDARD));

impl<'r> StandardForm<'r> {
    /// Reads a request to `endpoint`.
    ///
    /// # Errors
    /// What is malformed: another media type than a form, `token` absent or there twice, credentials in two places or in the
    /// query.
    pub fn parse(endpoint: Endpoint, sent: Sent<'r>) -> Result<(Self, Asked), Refused> {
        let asked = Asked::of(endpoint, sent.headers);
        Self::read(sent).map(|form| (form, asked)).map_err(|refusal| Refused { refusal, asked })
    }

    fn read(sent: Sent<'r>) -> Result<Self, Refusal> {
        let mut fields = read_body(sent, &NAMES, Bodies { form: true, json: false })?;
        let token = fields.need(&NAMES, Param::Token)?;
        let who = credentials(sent.headers, &mut fields, &NAMES)?;
        Ok(Self { who, token })
    }
}

#[cfg(test)]
mod tests {
    use ficha_core::Malformed;
    use ficha_types::AuthMethod;
    use http::{
        HeaderMap, HeaderValue,
        header::{AUTHORIZATION, CONTENT_TYPE},
    };

    use super::*;

    /// The credentials and the token of a request.
    fn parse(body: &str, basic: bool) -> Result<(Credentials, String), Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8"));
        if basic {
            headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        }
        let sent = Sent { query: None, headers: &headers, body: body.as_bytes() };
        let form = StandardForm::parse(Endpoint::Introspect, sent).map_err(|r| r.refusal)?.0;
        let token = form.token.expose().to_owned();
        Ok((form.who, token))
    }

    #[test]
    fn token_and_credentials_are_read_from_header_or_body() {
        let (who, token) = parse("token=t%2B1&token_type_hint=nonsense&x=1", true).unwrap();
        assert_eq!(token, "t+1");
        assert!(matches!(who, Credentials::Secret { method: AuthMethod::ClientSecretBasic, .. }));
        let (who, _) = parse("token=t&client_id=a&client_secret=b", false).unwrap();
        assert!(matches!(who, Credentials::Secret { method: AuthMethod::ClientSecretPost, .. }));
        assert!(matches!(parse("token=t", false).unwrap().0, Credentials::None));
    }

    #[test]
    fn what_is_malformed_is_named() {
        assert_eq!(parse("token=", true).unwrap_err(), Malformed::Missing("token".into()).into());
        assert_eq!(parse("token=a&token=a", true).unwrap_err(), Malformed::Repeated("token".into()).into());
        assert_eq!(parse("token=a&client_secret=x", true).unwrap_err(), Malformed::TwoSecrets.into());
    }
}
