//! Keys that sign.

use std::fmt;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
        RsaEncoding, RsaKeyPair,
    },
};
use ficha_types::Algorithm;
use zeroize::Zeroizing;

use crate::{Jwk, KeyError, VerifyingKey, jwk::Material, random};

/// Bytes of the longest signature: RSA with 8192 bits.
pub(crate) const MAX_SIGNATURE: usize = 1024;

/// A key that signs, parsed once, with its one algorithm; the library wipes it when it is dropped.
pub struct SigningKey {
    private: Private,
    verifying: VerifyingKey,
    public: Option<Jwk>,
}

enum Private {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    /// The prepared secret lies in the verifying half, which is the same key.
    Secret,
}

impl SigningKey {
    /// Makes a key, and gives it with the form in which [`from_private`](Self::from_private) takes it again.
    ///
    /// `rsa_bits` is 2048, 3072 or 4096, and counts only for RSA, which takes a second and more to make: never on a
    /// request. An HS256 secret is 32 random bytes.
    ///
    /// # Errors
    /// [`KeyError::RsaBits`] for another size, [`KeyError::Library`] when the library could not make it.
    pub fn generate(algorithm: Algorithm, rsa_bits: u32) -> Result<(Self, Zeroizing<Vec<u8>>), KeyError> {
        let failed = |_| KeyError::Library("making a key");
        let private = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let size = match rsa_bits {
                    2048 => KeySize::Rsa2048,
                    3072 => KeySize::Rsa3072,
                    4096 => KeySize::Rsa4096,
                    other => return Err(KeyError::RsaBits(other)),
                };
                let der: Pkcs8V1Der<'_> = RsaKeyPair::generate(size).map_err(failed)?.as_der().map_err(failed)?;
                Zeroizing::new(der.as_ref().to_vec())
            }
            Algorithm::Es256 => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
                Zeroizing::new(made.map_err(failed)?.as_ref().to_vec())
            }
            Algorithm::EdDsa => {
                // Version 1, which every OpenSSL reads.
                let made = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new());
                Zeroizing::new(made.map_err(failed)?.as_ref().to_vec())
            }
            Algorithm::Hs256 => {
                let mut secret = Zeroizing::new(vec![0; 32]);
                random::fill(&mut secret);
                secret
            }
        };
        Ok((Self::from_private(algorithm, &private)?, private))
    }

    /// A key from its PKCS#8 DER, or from the secret's bytes for HS256 (32 to 1024).
    ///
    /// # Errors
    /// [`KeyError::NotPrivateKey`] for anything else, also for RSA below 2048 or above 8192 bits and for another curve;
    /// [`KeyError::SecretLength`].
    pub fn from_private(algorithm: Algorithm, private: &[u8]) -> Result<Self, KeyError> {
        let refused = |_| KeyError::NotPrivateKey(algorithm);
        let (private, material) = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => {
                let padding: &'static dyn RsaEncoding =
                    if algorithm == Algorithm::Rs256 { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
                let pair = RsaKeyPair::from_pkcs8(private).map_err(refused)?;
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
                let material = Material::rsa(n, e).map_err(|_| KeyError::NotPrivateKey(algorithm))?;
                (Private::Rsa(pair, padding), material)
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private).map_err(refused)?;
                let point = pair.public_key().as_ref().try_into().map_err(|_| KeyError::NotPrivateKey(algorithm))?;
                (Private::P256(pair), Material::P256 { point })
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(private).map_err(refused)?;
                let x = pair.public_key().as_ref().try_into().map_err(|_| KeyError::NotPrivateKey(algorithm))?;
                (Private::Ed25519(pair), Material::Ed25519 { x })
            }
            Algorithm::Hs256 => {
                let verifying = VerifyingKey::from_secret(private)?;
                return Ok(Self { private: Private::Secret, verifying, public: None });
            }
        };
        let public = Jwk::new(material, algorithm);
        Ok(Self { private, verifying: VerifyingKey::from_jwk(&public)?, public: Some(public) })
    }

    /// The Ed25519 key of a seed (RFC 8032 §5.1.5): the same one each time.
    ///
    /// # Errors
    /// [`KeyError::Library`] when the library could not make it.
    pub fn ed25519_from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        const FAILED: KeyError = KeyError::Library("making a key of a seed");
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| FAILED)?;
        let x = pair.public_key().as_ref().try_into().map_err(|_| FAILED)?;
        let public = Jwk::new(Material::Ed25519 { x }, Algorithm::EdDsa);
        let verifying = VerifyingKey::from_jwk(&public)?;
        Ok(Self { private: Private::Ed25519(pair), verifying, public: Some(public) })
    }

    /// The one algorithm of this key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.verifying.algorithm()
    }

    /// The signature over `message`; for ES256 `r` and `s`, 32 bytes each (RFC 7518 §3.4).
    ///
    /// # Errors
    /// [`KeyError::Library`] when the library could not sign.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.sign_into(message, &mut [0; MAX_SIGNATURE]).map(<[u8]>::to_vec)
    }

    /// Bytes of each signature of this key.
    #[must_use]
    pub fn signature_len(&self) -> usize {
        match &self.private {
            Private::Rsa(pair, _) => pair.public_modulus_len(),
            Private::P256(_) | Private::Ed25519(_) => 64,
            Private::Secret => 32,
        }
    }

    /// The public half as a JWK with this `kid`; none for HS256, whose key is never in a set.
    #[must_use]
    pub fn public_jwk(&self, kid: &str) -> Option<Jwk> {
        self.public.clone().map(|jwk| jwk.with_kid(kid))
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn verifying(&self) -> VerifyingKey {
        self.verifying.clone()
    }

    /// The signature over `message`, at the beginning of `place`: so that it needs no memory of its own.
    pub(crate) fn sign_into<'p>(
        &self,
        message: &[u8],
        place: &'p mut [u8; MAX_SIGNATURE],
    ) -> Result<&'p [u8], KeyError> {
        const FAILED: KeyError = KeyError::Library("signing");
        let place = place.get_mut(..self.signature_len()).ok_or(FAILED)?;
        match &self.private {
            Private::Rsa(pair, padding) => {
                pair.sign(*padding, &SystemRandom::new(), message, place).map_err(|_| FAILED)?;
            }
            Private::P256(pair) => {
                place.copy_from_slice(pair.sign(&SystemRandom::new(), message).map_err(|_| FAILED)?.as_ref());
            }
            Private::Ed25519(pair) => place.copy_from_slice(pair.try_sign(message).map_err(|_| FAILED)?.as_ref()),
            Private::Secret => place.copy_from_slice(&self.verifying.secret().ok_or(FAILED)?.sign(&[message])),
        }
        Ok(place)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, ..)", self.algorithm())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::LazyLock;

    use super::*;

    /// A key of each algorithm, made once: RSA takes its time.
    pub(crate) static KEYS: LazyLock<Vec<(SigningKey, Zeroizing<Vec<u8>>)>> =
        LazyLock::new(|| Algorithm::ALL.into_iter().map(|a| SigningKey::generate(a, 2048).unwrap()).collect());

    #[test]
    fn what_a_key_signs_its_other_half_verifies() {
        for (key, private) in &*KEYS {
            let again = SigningKey::from_private(key.algorithm(), private).unwrap();
            let signature = key.sign(b"message").unwrap();
            assert_eq!(signature.len(), key.signature_len(), "{key:?}");
            assert!(again.verifying().verify(b"message", &signature), "{key:?}");
            assert!(!again.verifying().verify(b"massage", &signature), "{key:?}");
            for at in 0..signature.len() {
                let mut altered = signature.clone();
                altered[at] ^= 0x10;
                assert!(!key.verifying().verify(b"message", &altered), "{key:?}, byte {at}");
            }
        }
    }

    #[test]
    fn no_key_verifies_what_another_signed() {
        for (key, _) in &*KEYS {
            let signature = key.sign(b"message").unwrap();
            for (other, _) in KEYS.iter().filter(|(other, _)| other.algorithm() != key.algorithm()) {
                assert!(!other.verifying().verify(b"message", &signature), "{key:?} {other:?}");
            }
        }
    }

    #[test]
    fn one_rsa_key_as_two_algorithms_stays_two_keys() {
        let (_, private) = KEYS.iter().find(|(key, _)| key.algorithm() == Algorithm::Rs256).unwrap();
        let rs = SigningKey::from_private(Algorithm::Rs256, private).unwrap();
        let ps = SigningKey::from_private(Algorithm::Ps256, private).unwrap();
        assert!(!ps.verifying().verify(b"message", &rs.sign(b"message").unwrap()));
        assert!(!rs.verifying().verify(b"message", &ps.sign(b"message").unwrap()));
    }

    #[test]
    fn the_public_half_verifies_and_says_what_it_is_for() {
        for (key, _) in &*KEYS {
            let Some(jwk) = key.public_jwk("k1") else {
                assert_eq!(key.algorithm(), Algorithm::Hs256);
                continue;
            };
            assert_eq!((jwk.kid(), jwk.algorithm()), (Some("k1"), Some(key.algorithm())));
            let verifying = VerifyingKey::from_jwk(&jwk).unwrap();
            assert!(verifying.verify(b"message", &key.sign(b"message").unwrap()));
        }
    }

    #[test]
    fn an_rsa_key_of_another_size_is_not_made() {
        for bits in [0, 512, 1024, 2047, 2049, 8192] {
            for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
                assert_eq!(SigningKey::generate(algorithm, bits).unwrap_err(), KeyError::RsaBits(bits));
            }
        }
        assert!(SigningKey::generate(Algorithm::Es256, 0).is_ok());
    }

    #[test]
    fn an_rsa_key_of_1024_bits_is_refused() {
        // Made by `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024` for this test alone.
        let weak = include_bytes!("../tests/keys/rsa-1024.pk8");
        for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
            assert_eq!(SigningKey::from_private(algorithm, weak).unwrap_err(), KeyError::NotPrivateKey(algorithm));
        }
    }

    #[test]
    fn a_private_key_of_another_kind_is_refused() {
        for (key, private) in KEYS.iter().filter(|(key, _)| !key.algorithm().is_symmetric()) {
            let rsa = |a| matches!(a, Algorithm::Rs256 | Algorithm::Ps256);
            for other in Algorithm::ALL.into_iter().filter(|a| !a.is_symmetric() && *a != key.algorithm()) {
                if !(rsa(other) && rsa(key.algorithm())) {
                    assert_eq!(SigningKey::from_private(other, private).unwrap_err(), KeyError::NotPrivateKey(other));
                }
            }
            let cut = &private[..private.len() - 1];
            assert!(SigningKey::from_private(key.algorithm(), cut).is_err());
            assert!(SigningKey::from_private(key.algorithm(), b"").is_err());
        }
        assert_eq!(SigningKey::from_private(Algorithm::Hs256, &[1; 31]).unwrap_err(), KeyError::SecretLength(31));
    }

    #[test]
    fn a_seed_makes_the_key_of_rfc_8037() {
        // RFC 8037 A.1 and A.2: nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A.
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
            0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        let key = SigningKey::ed25519_from_seed(&seed).unwrap();
        let jwk = serde_json::to_string(&key.public_jwk("k").unwrap()).unwrap();
        assert!(jwk.contains("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"), "{jwk}");
        assert!(key.verifying().verify(b"message", &key.sign(b"message").unwrap()));
    }

    #[test]
    fn a_key_prints_only_its_algorithm() {
        for (key, _) in &*KEYS {
            assert_eq!(format!("{key:?}"), format!("SigningKey({}, ..)", key.algorithm()));
        }
    }
}
