//! Keys that verify.

use std::{fmt, sync::Arc};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents,
};
use ficha_types::Algorithm;

use crate::{HmacKey, Jwk, KeyError, jwk::Material};

/// Bytes that a shared secret may have; RFC 7518 §3.2 asks for as many as the hash has.
const SECRET_LEN: std::ops::RangeInclusive<usize> = 32..=1024;

/// A key that verifies, parsed once, with its one algorithm: that comes from the key and never from the token
/// (RFC 8725 §3.1). A clone shares the material.
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    parsed: Parsed,
}

#[derive(Clone)]
enum Parsed {
    Public(Arc<ParsedPublicKey>),
    Secret(Arc<HmacKey>),
}

impl VerifyingKey {
    /// The key of a JWK that says its `alg`.
    ///
    /// # Errors
    /// [`KeyError::NoAlgorithm`], [`KeyError::OtherAlgorithm`] where `alg` and `kty` don't fit, [`KeyError::Jwk`] where
    /// the point or modulus is no key.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        Self::from_jwk_as(jwk, jwk.algorithm().ok_or(KeyError::NoAlgorithm)?)
    }

    /// The key of a JWK, for this algorithm and no other. An `alg` in the JWK must be the same.
    ///
    /// # Errors
    /// As [`from_jwk`](Self::from_jwk).
    pub fn from_jwk_as(jwk: &Jwk, algorithm: Algorithm) -> Result<Self, KeyError> {
        if jwk.algorithm().is_some_and(|named| named != algorithm) {
            return Err(KeyError::OtherAlgorithm(algorithm));
        }
        let parsed = match (jwk.material(), algorithm) {
            (Material::Rsa { n, e }, Algorithm::Rs256) => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            }
            (Material::Rsa { n, e }, Algorithm::Ps256) => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PSS_2048_8192_SHA256)
            }
            (Material::P256 { point }, Algorithm::Es256) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point),
            (Material::Ed25519 { x }, Algorithm::EdDsa) => ParsedPublicKey::new(&ED25519, x),
            (Material::Rsa { .. } | Material::P256 { .. } | Material::Ed25519 { .. }, _) => {
                return Err(KeyError::OtherAlgorithm(algorithm));
            }
        };
        let parsed = parsed.map_err(|_| KeyError::Jwk("its numbers are no public key".into()))?;
        Ok(Self { algorithm, parsed: Parsed::Public(Arc::new(parsed)) })
    }

    /// A key for HS256 from the secret shared with the API.
    ///
    /// # Errors
    /// [`KeyError::SecretLength`] below 32 and above 1024 bytes.
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeyError> {
        if !SECRET_LEN.contains(&secret.len()) {
            return Err(KeyError::SecretLength(secret.len()));
        }
        Ok(Self { algorithm: Algorithm::Hs256, parsed: Parsed::Secret(Arc::new(HmacKey::new(secret))) })
    }

    /// The one algorithm of this key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is this key's over `message`. ES256 signatures are `r` and `s`, 32 bytes each
    /// (RFC 7518 §3.4).
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.parsed {
            Parsed::Public(key) => key.verify_sig(message, signature).is_ok(),
            Parsed::Secret(key) => key.verify(&[message], signature),
        }
    }

    /// The prepared secret of an HS256 key, with which its owner signs.
    pub(crate) fn secret(&self) -> Option<&HmacKey> {
        match &self.parsed {
            Parsed::Public(_) => None,
            Parsed::Secret(key) => Some(key),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({}, ..)", self.algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519_JWK: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#; // RFC 8037 A.2

    fn jwk(text: &str) -> Jwk {
        Jwk::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_jwk_without_alg_needs_the_callers_word() {
        let jwk = jwk(ED25519_JWK);
        assert_eq!(VerifyingKey::from_jwk(&jwk).unwrap_err(), KeyError::NoAlgorithm);
        assert_eq!(VerifyingKey::from_jwk_as(&jwk, Algorithm::EdDsa).unwrap().algorithm(), Algorithm::EdDsa);
    }

    #[test]
    fn a_jwk_serves_only_algorithms_of_its_kind() {
        let jwk = jwk(ED25519_JWK);
        for other in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Hs256] {
            assert_eq!(VerifyingKey::from_jwk_as(&jwk, other).unwrap_err(), KeyError::OtherAlgorithm(other));
        }
    }

    #[test]
    fn the_alg_of_a_jwk_is_not_overruled() {
        let rsa = crate::jwk::tests::RFC_7638_KEY.replace("RS256", "PS256");
        assert_eq!(
            VerifyingKey::from_jwk_as(&jwk(&rsa), Algorithm::Rs256).unwrap_err(),
            KeyError::OtherAlgorithm(Algorithm::Rs256)
        );
        assert_eq!(VerifyingKey::from_jwk(&jwk(&rsa)).unwrap().algorithm(), Algorithm::Ps256);
    }

    #[test]
    fn a_point_off_the_curve_is_no_key() {
        let off = r#"{"kty":"EC","crv":"P-256","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1"}"#;
        // The last character of `y` in RFC 7515 A.3 is `0`; a `1` there would leave trailing bits, so alter another.
        let off = off.replace("5a1", "5b0");
        assert!(matches!(VerifyingKey::from_jwk(&jwk(&off)), Err(KeyError::Jwk(_))));
        assert!(VerifyingKey::from_jwk(&jwk(&off.replace("5b0", "5a0"))).is_ok());
    }

    #[test]
    fn a_short_shared_secret_is_refused() {
        assert_eq!(VerifyingKey::from_secret(&[0; 31]).unwrap_err(), KeyError::SecretLength(31));
        assert_eq!(VerifyingKey::from_secret(&[0; 1025]).unwrap_err(), KeyError::SecretLength(1025));
        assert_eq!(VerifyingKey::from_secret(&[0; 32]).unwrap().algorithm(), Algorithm::Hs256);
    }

    #[test]
    fn no_signature_of_a_wrong_length_verifies() {
        let ed = VerifyingKey::from_jwk_as(&jwk(ED25519_JWK), Algorithm::EdDsa).unwrap();
        let hs = VerifyingKey::from_secret(&[1; 32]).unwrap();
        for length in [0, 1, 31, 32, 33, 63, 64, 65, 256, 5000] {
            assert!(!ed.verify(b"message", &vec![0; length]), "{length}");
            assert!(!hs.verify(b"message", &vec![0; length]), "{length}");
        }
    }

    #[test]
    fn a_key_prints_only_its_algorithm() {
        assert_eq!(format!("{:?}", VerifyingKey::from_secret(&[0; 32]).unwrap()), "VerifyingKey(HS256, ..)");
    }
}
