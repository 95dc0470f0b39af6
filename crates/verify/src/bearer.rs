//! Where the token stands.

use http::{HeaderMap, header};

use crate::Rejection;

/// The bearer token of the one `Authorization` header (RFC 6750 §2.1).
///
/// # Errors
/// [`Rejection::NoToken`], or [`Rejection::MalformedHeader`] for a second header or one that is none by its grammar.
pub fn bearer_token(headers: &HeaderMap) -> Result<&str, Rejection> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(Rejection::NoToken),
        (Some(_), Some(_)) => return Err(Rejection::MalformedHeader),
        (Some(value), None) => value.to_str().map_err(|_| Rejection::MalformedHeader)?,
    };
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Rejection::NoToken);
    }
    let token = token.trim_matches(' ');
    let body = token.trim_end_matches('=');
    let is_token_byte = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    if body.is_empty() || !body.bytes().all(is_token_byte) {
        return Err(Rejection::MalformedHeader);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<String, Rejection> {
        let headers = values.iter().map(|value| (header::AUTHORIZATION, value.parse().unwrap())).collect();
        bearer_token(&headers).map(str::to_owned)
    }

    #[test]
    fn a_token_stands_behind_the_word_bearer_however_that_is_written() {
        for value in ["Bearer a.b_c-~+/==", "bearer  a.b_c-~+/== ", "BEARER a.b_c-~+/=="] {
            assert_eq!(read(&[value]).unwrap(), "a.b_c-~+/==", "{value}");
        }
    }

    #[test]
    fn no_header_or_another_scheme_is_no_token_and_anything_else_is_malformed() {
        for values in [&[][..], &["Basic YTpi"], &["Token a"]] {
            assert_eq!(read(values), Err(Rejection::NoToken), "{values:?}");
        }
        for values in [&["Bearer"][..], &["Bearer "], &["Bearer a b"], &["Bearer =a"], &["Bearer a", "Bearer a"]] {
            assert_eq!(read(values), Err(Rejection::MalformedHeader), "{values:?}");
        }
    }
}
