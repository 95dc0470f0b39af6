//! What is signed here another library verifies, and the other way round.

#![expect(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use base64::{Engine, engine::general_purpose::STANDARD};
use ficha_jose::{Compact, SigningKey, jws};
use ficha_types::Algorithm;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, jwk};
use serde_json::{Value, json};

fn theirs(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    algorithm.as_str().parse().unwrap()
}

fn encoding_key(algorithm: Algorithm, private: &[u8]) -> EncodingKey {
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(private));
    match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
        Algorithm::Es256 => EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(),
        Algorithm::EdDsa => EncodingKey::from_ed_pem(pem.as_bytes()).unwrap(),
        Algorithm::Hs256 => EncodingKey::from_secret(private),
    }
}

fn decoding_key(key: &SigningKey, private: &[u8]) -> DecodingKey {
    match key.public_jwk("k1") {
        Some(ours) => {
            let jwk: jwk::Jwk = serde_json::from_value(serde_json::to_value(ours).unwrap()).unwrap();
            DecodingKey::from_jwk(&jwk).unwrap()
        }
        None => DecodingKey::from_secret(private),
    }
}

#[test]
fn what_is_signed_here_verifies_there() {
    for algorithm in Algorithm::ALL {
        let (key, private) = SigningKey::generate(algorithm, 2048).unwrap();
        let header = json!({"alg": algorithm.as_str(), "typ": "JWT", "kid": "k1"}).to_string();
        let claims = json!({"sub": "a", "exp": 4_000_000_000_u64});
        let text = jws::compact(header.as_bytes(), claims.to_string().as_bytes(), &key).unwrap();

        let validation = Validation::new(theirs(algorithm));
        let read = jsonwebtoken::decode::<Value>(&text, &decoding_key(&key, &private), &validation).unwrap();
        assert_eq!(read.claims, claims);
        assert_eq!(read.header.kid.as_deref(), Some("k1"));

        let (other, other_private) = SigningKey::generate(algorithm, 2048).unwrap();
        let other = decoding_key(&other, &other_private);
        assert!(jsonwebtoken::decode::<Value>(&text, &other, &validation).is_err(), "{algorithm}");
    }
}

#[test]
fn what_is_signed_there_verifies_here() {
    for algorithm in Algorithm::ALL {
        let (key, private) = SigningKey::generate(algorithm, 2048).unwrap();
        let claims = json!({"sub": "a", "exp": 4_000_000_000_u64});
        let header = Header::new(theirs(algorithm));
        let text = jsonwebtoken::encode(&header, &claims, &encoding_key(algorithm, &private)).unwrap();

        let parsed = Compact::parse(&text).unwrap();
        assert!(parsed.verify_with(&key.verifying()), "{algorithm}");
        assert_eq!(serde_json::from_slice::<Value>(parsed.payload()).unwrap(), claims);

        let (other, _) = SigningKey::generate(algorithm, 2048).unwrap();
        assert!(!parsed.verify_with(&other.verifying()), "{algorithm}");
    }
}

#[test]
fn larger_rsa_keys_are_made_as_asked() {
    for (bits, bytes) in [(3072, 384), (4096, 512)] {
        let (key, private) = SigningKey::generate(Algorithm::Rs256, bits).unwrap();
        let text = jws::compact(br#"{"alg":"RS256"}"#, br#"{"exp":4000000000}"#, &key).unwrap();
        assert_eq!(Compact::parse(&text).unwrap().signature().len(), bytes);
        let validation = Validation::new(jsonwebtoken::Algorithm::RS256);
        assert!(jsonwebtoken::decode::<Value>(&text, &decoding_key(&key, &private), &validation).is_ok());
    }
}
