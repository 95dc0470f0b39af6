//! The key that signs an issuer's revocation feed: Ed25519, never in the set of the keys that sign tokens.

use ficha_jose::{KeyError, SigningKey, jws};

/// The `typ` of everything that the feed signs: it is never taken for a token, nor a token for it (RFC 8725 §3.11).
const FEED_TYP: &str = "ficha-revocations+jwt";

/// A key of the feed, ready for use.
#[derive(Debug)]
pub struct FeedKey {
    /// Its id: the thumbprint (RFC 7638).
    pub kid: String,
    /// The header of what it signs, encoded.
    header: String,
    pub(super) signing: SigningKey,
}

impl FeedKey {
    /// The key of a seed.
    pub(super) fn new(seed: &[u8; 32]) -> Result<Self, KeyError> {
        let signing = SigningKey::ed25519_from_seed(seed)?;
        let kid = signing.public_jwk("").map(|jwk| jwk.thumbprint()).unwrap_or_default();
        let header = serde_json::json!({ "alg": "EdDSA", "typ": FEED_TYP, "kid": kid });
        Ok(Self { header: jws::encode_header(header.to_string().as_bytes()), kid, signing })
    }

    /// `payload` as a compact JWS.
    ///
    /// # Errors
    /// [`KeyError::Library`] when the library could not sign.
    pub fn sign(&self, payload: &[u8]) -> Result<String, KeyError> {
        jws::compact_with(&self.header, payload, &self.signing)
    }
}

#[cfg(test)]
mod tests {
    use ficha_jose::Compact;

    use super::*;

    #[test]
    fn what_it_signs_says_what_it_is_and_by_which_key() {
        let key = FeedKey::new(&[7; 32]).unwrap();
        let signed = key.sign(b"{}").unwrap();
        let read = Compact::parse(&signed).unwrap();
        let header = format!(r#"{{"alg":"EdDSA","typ":"ficha-revocations+jwt","kid":"{}"}}"#, key.kid);
        assert_eq!(read.header_json(), header.as_bytes());
        assert_eq!(key.kid.len(), 43);
        assert!(read.verify_with(&key.signing.verifying()));
    }
}
