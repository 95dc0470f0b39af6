//! The secrets that ficha makes: recognisable by scanners, with a checksum that tells a real one from a lookalike.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_jose::sha256;
use ficha_types::Secret;
use zeroize::Zeroizing;

use crate::ports::Entropy;

/// Whose secret it is; decides what it begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Client,
    Api,
}

impl Owner {
    const ALL: [Self; 2] = [Self::Client, Self::Api];

    const fn prefix(self) -> &'static str {
        match self {
            Self::Client => "fcs_",
            Self::Api => "fas_",
        }
    }
}

/// Characters of 32 random bytes in base64url.
const RANDOM: usize = 43;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new secret: prefix, 256 random bits in base64url, six characters of checksum. Needs no encoding anywhere.
pub(super) fn make(owner: Owner, chance: &dyn Entropy) -> Secret {
    let mut bytes = Zeroizing::new([0; 32]);
    chance.fill(&mut *bytes);
    let mut text = String::with_capacity(owner.prefix().len() + RANDOM + 6);
    text.push_str(owner.prefix());
    URL_SAFE_NO_PAD.encode_string(*bytes, &mut text);
    let sum = checksum(&text);
    text.push_str(&sum);
    Secret::new(text)
}

/// Whether `secret` has the form and the checksum of one that ficha made: then nobody can guess it.
#[must_use]
pub fn is_generated(secret: &str) -> bool {
    let known = Owner::ALL.iter().find(|owner| secret.starts_with(owner.prefix()));
    let split = known.and_then(|owner| secret.split_at_checked(owner.prefix().len() + RANDOM));
    split.is_some_and(|(body, sum)| checksum(body) == sum)
}

/// The first 32 bits of the SHA-256 of `body` in base 62, six digits, the highest first.
fn checksum(body: &str) -> String {
    let [a, b, c, d, ..] = sha256(body.as_bytes());
    let mut left = u32::from_be_bytes([a, b, c, d]);
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.get((left % 62) as usize).copied().unwrap_or(b'0');
        left /= 62;
    }
    digits.iter().map(|d| char::from(*d)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&self, into: &mut [u8]) {
            into.fill(7);
        }
    }

    #[test]
    fn a_made_secret_is_known_by_its_checksum_and_one_altered_letter_shows() {
        let secret = make(Owner::Client, &Sevens);
        let text = secret.expose();
        assert_eq!(text.len(), 4 + 43 + 6);
        assert!(text.starts_with("fcs_") && is_generated(text));
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "no encoding is needed");
        assert!(make(Owner::Api, &Sevens).expose().starts_with("fas_"));
        for at in 4..text.len() {
            let mut altered = text.as_bytes().to_vec();
            altered[at] = if altered[at] == b'x' { b'y' } else { b'x' };
            assert!(!is_generated(std::str::from_utf8(&altered).unwrap()), "{at}");
        }
    }

    #[test]
    fn what_people_choose_is_not_taken_for_made() {
        for chosen in ["", "password", "fcs_", "fcs_secret", "BOTDEYEL312!", "fcs_\u{f1}", &"fcs_".repeat(20)] {
            assert!(!is_generated(chosen), "{chosen}");
        }
    }
}
