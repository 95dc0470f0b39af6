//! Why a key is refused.

use ficha_types::Algorithm;
use thiserror::Error;

/// Why a key could not be made, read or used. Never holds material of the key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// An RSA key of a size that is not made here.
    #[error("an RSA key has 2048, 3072 or 4096 bits, not {0}")]
    RsaBits(u32),
    /// A shared secret outside the bounds (RFC 7518 §3.2: at least as long as the hash).
    #[error("an HS256 secret has 32 to 1024 bytes, not {0}")]
    SecretLength(usize),
    /// Not a private key of this algorithm in PKCS#8 DER.
    #[error("not a private key for {0} in PKCS#8 DER")]
    NotPrivateKey(Algorithm),
    /// A JWK or a set of them that can't be used; the text says why.
    #[error("JWK refused: {0}")]
    Jwk(String),
    /// A JWK without `alg`, where the caller named none either.
    #[error("JWK refused: it names no `alg`")]
    NoAlgorithm,
    /// A JWK for another algorithm than the one asked for.
    #[error("JWK refused: it is not a key for {0}")]
    OtherAlgorithm(Algorithm),
    /// The crypto library failed where it should not.
    #[error("the crypto library failed while {0}")]
    Library(&'static str),
}
