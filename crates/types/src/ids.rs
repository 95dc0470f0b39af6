//! The names of things: issuers, APIs, clients, users, dialects, keys.

use crate::word::word;

fn vschar(s: &str) -> bool {
    s.bytes().all(|b| (0x20..=0x7e).contains(&b))
}

fn slug(s: &str) -> bool {
    (1..=63).contains(&s.len())
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !s.starts_with('-')
}

word! {
    /// Name of an issuer within this server: 1 to 63 of `a-z`, `0-9` and `-`.
    IssuerName, "issuer name", "1 to 63 characters of a-z, 0-9 and '-', not beginning with '-'", slug
}
word! {
    /// Name of one node, of one start of it: 1 to 128 of `A-Z`, `a-z`, `0-9`, `-`, `_` and `.`.
    NodeName, "node name", "1 to 128 characters of A-Z, a-z, 0-9, '-', '_' and '.'",
    |s| (1..=128).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
word! {
    /// Name of a dialect, as its file is called: 1 to 63 of `a-z`, `0-9` and `-`.
    DialectName, "dialect name", "1 to 63 characters of a-z, 0-9 and '-', not beginning with '-'", slug
}
word! {
    /// Public name of a client: 1 to 255 characters of %x20-7E (RFC 6749 A.1), no colon (Basic splits there).
    ClientId, "client_id", "1 to 255 printable ASCII characters without a colon",
    |s| (1..=255).contains(&s.len()) && vschar(s) && !s.contains(':')
}
word! {
    /// Name of an API, its user name in Basic too: as a `client_id`, and unique among both in its issuer.
    ApiName, "API name", "1 to 255 printable ASCII characters without a colon",
    |s| (1..=255).contains(&s.len()) && vschar(s) && !s.contains(':')
}
word! {
    /// What an API calls itself in `aud` (RFC 7519 §4.1.3): 1 to 512 printable ASCII characters.
    Audience, "audience", "1 to 512 printable ASCII characters without spaces",
    |s| (1..=512).contains(&s.len()) && s.bytes().all(|b| (0x21..=0x7e).contains(&b))
}
word! {
    /// The `sub` of a user: an id that ficha makes, 1 to 255 printable ASCII characters without spaces.
    Subject, "subject", "1 to 255 printable ASCII characters without spaces",
    |s| (1..=255).contains(&s.len()) && s.bytes().all(|b| (0x21..=0x7e).contains(&b))
}
word! {
    /// What a user types as a name (RFC 6749 A.15): 1 to 255 bytes without control characters.
    Username, "username", "1 to 255 bytes without control characters",
    |s| (1..=255).contains(&s.len()) && !s.chars().any(char::is_control)
}
word! {
    /// Id of a key in its issuer's set (RFC 7517 §4.5): 1 to 64 URL-safe characters, at most one `/` in commands.
    Kid, "kid", "1 to 64 characters of A-Z, a-z, 0-9, '-', '_', '.' and '/'",
    |s| (1..=64).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_holds_no_colon_because_basic_splits_there() {
        assert!("a:b".parse::<ClientId>().is_err());
        assert!("".parse::<ClientId>().is_err());
        assert!("año".parse::<ClientId>().is_err());
        assert_eq!("username".parse::<ClientId>().unwrap().as_str(), "username");
    }

    #[test]
    fn a_word_says_what_it_should_have_been() {
        let error = "Not A Slug".parse::<IssuerName>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "not a valid issuer name: 1 to 63 characters of a-z, 0-9 and '-', not beginning with '-'"
        );
    }
}
