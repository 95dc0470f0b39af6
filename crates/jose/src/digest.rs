//! Digests, message authentication codes and comparisons that take the same time whatever they compare.

use std::{fmt, num::NonZeroU32};

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};

/// SHA-256 of `data`.
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; 32] {
    first_32(digest::digest(&digest::SHA256, data).as_ref())
}

/// SHA-256 of what comes in pieces.
#[derive(Clone)]
pub struct Sha256(digest::Context);

impl Sha256 {
    /// Begins with nothing.
    #[must_use]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Adds `data` to what was added before, plainly concatenated.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        first_32(self.0.finish().as_ref())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha256(..)")
    }
}

/// A key for HMAC-SHA-256, prepared once; the library wipes it when it is dropped.
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// Prepares the key. Of any length; 32 random bytes are right.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The code over all `parts`, plainly concatenated: `["ab", "c"]` and `["a", "bc"]` give the same. Where a part's
    /// length is not fixed, the caller puts the length before it.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        first_32(context.sign().as_ref())
    }

    /// Whether `code` is the code over all `parts`, in constant time.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], code: &[u8]) -> bool {
        constant_time_eq(&self.sign(parts), code)
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(..)")
    }
}

/// Whether `password` derives to `expected` by PBKDF2-HMAC-SHA-256 (RFC 8018 §5.2), in constant time for one length.
///
/// `false` as well for no iterations and for an `expected` outside 16 to 128 bytes. As slow as `iterations` say: call
/// it where passwords are hashed.
#[must_use]
pub fn pbkdf2_sha256_verify(password: &[u8], salt: &[u8], iterations: u32, expected: &[u8]) -> bool {
    pbkdf2_verify(pbkdf2::PBKDF2_HMAC_SHA256, (password, salt), iterations, expected)
}

/// Whether `password` derives to `expected` by PBKDF2-HMAC-SHA-512; else as [`pbkdf2_sha256_verify`].
#[must_use]
pub fn pbkdf2_sha512_verify(password: &[u8], salt: &[u8], iterations: u32, expected: &[u8]) -> bool {
    pbkdf2_verify(pbkdf2::PBKDF2_HMAC_SHA512, (password, salt), iterations, expected)
}

/// Whether `a` and `b` are equal, in a time that depends on their lengths alone.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

fn pbkdf2_verify(by: pbkdf2::Algorithm, (password, salt): (&[u8], &[u8]), iterations: u32, expected: &[u8]) -> bool {
    // A shorter one could be met by chance, a longer one is work without use.
    let right_length = (16..=128).contains(&expected.len());
    NonZeroU32::new(iterations).is_some_and(|n| right_length && pbkdf2::verify(by, n, salt, password, expected).is_ok())
}

/// The digest as an array; every caller here gives exactly 32 bytes.
fn first_32(digest: &[u8]) -> [u8; 32] {
    digest.try_into().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        use std::fmt::Write;
        bytes.iter().fold(String::new(), |mut s, b| {
            write!(s, "{b:02x}").unwrap();
            s
        })
    }

    #[test]
    fn sha256_of_abc_is_that_of_fips_180() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&sha256(b"abc")), abc);
        let mut pieces = Sha256::new();
        pieces.update(b"a");
        pieces.update(b"");
        pieces.update(b"bc");
        assert_eq!(hex(&pieces.finish()), abc);
        assert_eq!(
            hex(&Sha256::default().finish()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        let key = HmacKey::new(b"Jefe"); // test case 2
        let code = key.sign(&[b"what do ya want ", b"for nothing?"]);
        assert_eq!(hex(&code), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(code, key.sign(&[b"what do ya want for nothing?"]));
        assert!(key.verify(&[b"what do ya want for nothing?"], &code));
        assert!(!key.verify(&[b"what do ya want for nothing!"], &code));
        assert!(!key.verify(&[b"what do ya want for nothing?"], &code[..31]));
    }

    #[test]
    fn pbkdf2_is_that_of_the_published_vectors() {
        let vectors = [
            // RFC 7914 §11.
            (
                "passwd",
                "salt",
                1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
            ),
            (
                "Password",
                "NaCl",
                80_000,
                "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d",
            ),
        ];
        for (password, salt, iterations, expected) in vectors {
            let (password, salt, expected) = (password.as_bytes(), salt.as_bytes(), unhex(expected));
            assert!(pbkdf2_sha256_verify(password, salt, iterations, &expected));
            assert!(!pbkdf2_sha256_verify(b"other", salt, iterations, &expected));
            assert!(!pbkdf2_sha256_verify(password, b"other", iterations, &expected));
            assert!(!pbkdf2_sha256_verify(password, salt, iterations + 1, &expected));
            assert!(!pbkdf2_sha512_verify(password, salt, iterations, &expected));
        }
        // By Python's hashlib.
        let expected = unhex(
            "c74319d99499fc3e9013acff597c23c5baf0a0bec5634c46b8352b793e324723d55caa76b2b25c43402dcfdc06cdcf66f95b7d0429420b39520006749c51a04e",
        );
        assert!(pbkdf2_sha512_verify(b"passwd", b"salt", 1, &expected));
        assert!(!pbkdf2_sha512_verify(b"passwd", b"salt", 2, &expected));
        assert!(!pbkdf2_sha256_verify(b"passwd", b"salt", 1, &expected));
    }

    #[test]
    fn a_derived_key_that_could_be_met_by_chance_is_refused() {
        let first = unhex("55ac046e56e3089fec1691c22544b605");
        assert!(pbkdf2_sha256_verify(b"passwd", b"salt", 1, &first));
        assert!(!pbkdf2_sha256_verify(b"passwd", b"salt", 1, &first[..15]));
        assert!(!pbkdf2_sha256_verify(b"passwd", b"salt", 1, &[]));
        assert!(!pbkdf2_sha256_verify(b"passwd", b"salt", 0, &first));
        assert!(!pbkdf2_sha256_verify(b"passwd", b"salt", 1, &[0; 129]));
    }

    #[test]
    fn only_equal_bytes_are_equal() {
        assert!(constant_time_eq(b"same", b"same"));
        assert!(constant_time_eq(b"", b""));
        assert!(!constant_time_eq(b"same", b"sane"));
        assert!(!constant_time_eq(b"same", b"sam"));
    }

    #[test]
    fn a_key_prints_nothing_of_itself() {
        assert_eq!(format!("{:?}", HmacKey::new(b"hunter2")), "HmacKey(..)");
    }

    fn unhex(s: &str) -> Vec<u8> {
        (0..s.len()).step_by(2).map(|i| u8::from_str_radix(&s[i..i + 2], 16).unwrap()).collect()
    }
}
