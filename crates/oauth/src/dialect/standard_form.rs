//! The requests of RFC 7009 and RFC 7662: the same form in every dialect.

use ficha_core::{Refusal, token::Credentials};
use ficha_types::Secret;

use super::{
    compiled::Bodies,
    endpoints::Endpoint,
    fields::{Names, Param},
    parse::{Asked, Refused, Sent, credentials, read_body},
};

/// A request to revoke or to introspect a token. `token_type_hint` may be there once and never decides.
#[derive(Debug)]
pub struct StandardForm {
    /// Who asks: a client, or at introspection an API by its name.
    pub who: Credentials,
    /// The token, not looked at yet.
    pub token: Secret,
}

impl StandardForm {
    /// Reads a request to `endpoint`.
    ///
    /// # Errors
    /// What is malformed: another media type than a form, `token` absent or there twice, credentials in two places or in the
    /// query.
    pub fn parse(endpoint: Endpoint, sent: Sent<'_>) -> Result<(Self, Asked), Refused> {
        let asked = Asked::of(endpoint, sent.headers);
        Self::read(sent).map(|form| (form, asked)).map_err(|refusal| Refused { refusal, asked })
    }

    fn read(sent: Sent<'_>) -> Result<Self, Refusal> {
        let names = Names::registered(&Param::OF_STANDARD);
        let mut fields = read_body(sent, &names, Bodies { form: true, json: false })?;
        let token = fields.need(&names, Param::Token)?;
        let who = credentials(sent.headers, &mut fields, &names)?;
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

    fn parse(body: &str, basic: bool) -> Result<StandardForm, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8"));
        if basic {
            headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        }
        let sent = Sent { query: None, headers: &headers, body: body.as_bytes() };
        StandardForm::parse(Endpoint::Introspect, sent).map(|(form, _)| form).map_err(|r| r.refusal)
    }

    #[test]
    fn token_and_credentials_are_read_from_header_or_body() {
        let form = parse("token=t%2B1&token_type_hint=nonsense&x=1", true).unwrap();
        assert_eq!(form.token.expose(), "t+1");
        assert!(matches!(form.who, Credentials::Secret { method: AuthMethod::ClientSecretBasic, .. }));
        let form = parse("token=t&client_id=a&client_secret=b", false).unwrap();
        assert!(matches!(form.who, Credentials::Secret { method: AuthMethod::ClientSecretPost, .. }));
        assert!(matches!(parse("token=t", false).unwrap().who, Credentials::None));
    }

    #[test]
    fn what_is_malformed_is_named() {
        assert_eq!(parse("token=", true).unwrap_err(), Malformed::Missing("token".into()).into());
        assert_eq!(parse("token=a&token=a", true).unwrap_err(), Malformed::Repeated("token".into()).into());
        assert_eq!(parse("token=a&client_secret=x", true).unwrap_err(), Malformed::TwoSecrets.into());
    }
}
