//! The ids of tokens and of their families.

use std::fmt;

use crate::{BadWord, word::word};

/// Characters of a family's id: 16 bytes in base64url.
const FAMILY_LEN: usize = 22;

fn url_safe(s: &str) -> bool {
    s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

word! {
    /// The `jti` of a token (RFC 7519 §4.1.7). 22 URL-safe characters when it stands alone; longer when it was issued
    /// beside a refresh token: then it begins with the 22 of its family.
    TokenId, "jti", "22 to 64 URL-safe characters",
    |s| (FAMILY_LEN..=64).contains(&s.len()) && url_safe(s)
}
word! {
    /// The chain of refresh tokens that began with one answer: 22 URL-safe characters (the milliseconds at which it began in 6
    /// bytes, then 10 random ones).
    FamilyId, "family", "22 URL-safe characters",
    |s| s.len() == FAMILY_LEN && url_safe(s)
}

impl TokenId {
    /// The family that the token belongs to, if it was issued beside a refresh token.
    #[must_use]
    pub fn family(&self) -> Option<FamilyId> {
        let (family, rest) = self.as_str().split_at_checked(FAMILY_LEN)?;
        if rest.is_empty() { None } else { family.parse().ok() }
    }
}

impl FamilyId {
    /// The id of a token of this family: the family's own and `suffix`, URL-safe characters.
    ///
    /// # Errors
    /// [`BadWord`] when `suffix` is empty, too long or has other characters.
    pub fn token(&self, suffix: &str) -> Result<TokenId, BadWord> {
        let mut id = String::with_capacity(FAMILY_LEN + suffix.len());
        let _ = fmt::Write::write_fmt(&mut id, format_args!("{self}{suffix}"));
        if suffix.is_empty() {
            return Err(BadWord { word: "jti", expected: "a suffix after the family's id" });
        }
        id.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_issued_beside_a_refresh_token_names_its_family() {
        let family: FamilyId = "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        assert_eq!(family.token("abcdefgh").unwrap().family(), Some(family.clone()));
        assert!(family.token("").is_err());
        assert_eq!(family.as_str().parse::<TokenId>().unwrap().family(), None);
    }
}
