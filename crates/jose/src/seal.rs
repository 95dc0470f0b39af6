//! Sealing: what only the holder of a key can read or make.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use thiserror::Error;
use zeroize::Zeroizing;

const TAG_LEN: usize = 16;

/// A key for AES-256-GCM-SIV (RFC 8452), parsed once; the library wipes it when it is dropped.
///
/// Misuse-resistant: a nonce that is used twice tells only whether the two plaintexts and their associated data were
/// equal. So a caller may derive the nonce from the content, and the same content is then sealed to the same bytes
/// (a repeated refresh gets the same successor that way).
pub struct SealingKey(LessSafeKey);

impl SealingKey {
    /// What sealing adds to the length of a plaintext: the nonce before it and the tag after it.
    pub const OVERHEAD: usize = NONCE_LEN + TAG_LEN;

    /// Takes 32 random bytes as the key; the caller wipes its own copy.
    ///
    /// # Panics
    /// Never: any 32 bytes are a key.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM_SIV, key).expect("a key of AES-256 has 32 bytes")))
    }

    /// `nonce`, ciphertext and tag in one; `aad` is not in it, but [`open`](Self::open) must be given the same.
    ///
    /// # Panics
    /// On a plaintext of 64 GiB and more (RFC 8452 §6).
    #[must_use]
    pub fn seal(&self, nonce: [u8; NONCE_LEN], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len() + Self::OVERHEAD);
        self.seal_onto(&mut sealed, nonce, (aad, plaintext));
        sealed
    }

    /// As [`seal`](Self::seal), behind what `out` holds.
    ///
    /// # Panics
    /// As [`seal`](Self::seal).
    pub fn seal_onto(&self, out: &mut Vec<u8>, nonce: [u8; NONCE_LEN], (aad, plaintext): (&[u8], &[u8])) {
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(plaintext);
        let in_out = out.get_mut(start..).unwrap_or_default();
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), in_out)
            .expect("AES-GCM-SIV seals anything below 64 GiB");
        out.extend_from_slice(tag.as_ref());
    }

    /// The plaintext of what [`seal`](Self::seal) made with this key and this `aad`; it wipes itself.
    ///
    /// # Errors
    /// [`SealError`] when key, `aad` or any byte differ; which of them is not known.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealError)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(SealError)?;
        let mut plaintext = Zeroizing::new(vec![0; ciphertext.len()]);
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0.open_separate_gather(nonce, Aad::from(aad), ciphertext, tag, &mut plaintext).map_err(|_| SealError)?;
        Ok(plaintext)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

/// What was sealed does not open: another key, another place, or altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the seal does not open: another key, another place, or altered bytes")]
pub struct SealError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn it_seals_as_rfc_8452_does() {
        // RFC 8452 C.2: key 01 00 .., nonce 03 00 .., plaintext 01 00 .. (8 bytes), no associated data.
        let (mut key, mut nonce, mut plaintext) = ([0; 32], [0; 12], [0; 8]);
        (key[0], nonce[0], plaintext[0]) = (1, 3, 1);
        let expected = [
            0xc2, 0xef, 0x32, 0x8e, 0x5c, 0x71, 0xc8, 0x3b, 0x84, 0x31, 0x22, 0x13, 0x0f, 0x73, 0x64, 0xb7, 0x61, 0xe0,
            0xb9, 0x74, 0x27, 0xe3, 0xdf, 0x28,
        ];
        let sealed = SealingKey::new(&key).seal(nonce, b"", &plaintext);
        assert_eq!(sealed[..12], nonce);
        assert_eq!(sealed[12..], expected);
    }

    #[test]
    fn the_same_content_under_the_same_nonce_gives_the_same_bytes() {
        let key = SealingKey::new(&KEY);
        assert_eq!(key.seal([1; 12], b"row", b"text"), key.seal([1; 12], b"row", b"text"));
        assert_ne!(key.seal([1; 12], b"row", b"text"), key.seal([2; 12], b"row", b"text"));
    }

    #[test]
    fn another_key_another_place_and_a_short_text_do_not_open() {
        let key = SealingKey::new(&KEY);
        let sealed = key.seal([1; 12], b"row 1", b"text");
        assert_eq!(key.open(b"row 2", &sealed), Err(SealError));
        assert_eq!(SealingKey::new(&[8; 32]).open(b"row 1", &sealed), Err(SealError));
        for end in 0..sealed.len() {
            assert_eq!(key.open(b"row 1", &sealed[..end]), Err(SealError), "{end} bytes");
        }
        assert_eq!(key.open(b"row 1", &sealed).unwrap().as_slice(), b"text");
    }

    #[test]
    fn a_key_prints_nothing_of_itself() {
        assert_eq!(format!("{:?}", SealingKey::new(&KEY)), "SealingKey(..)");
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(key: [u8; 32], nonce: [u8; 12], aad: Vec<u8>, plaintext: Vec<u8>) {
            let key = SealingKey::new(&key);
            let sealed = key.seal(nonce, &aad, &plaintext);
            prop_assert_eq!(sealed.len(), plaintext.len() + SealingKey::OVERHEAD);
            let opened = key.open(&aad, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
        }

        #[test]
        fn one_altered_bit_does_not_open(aad: Vec<u8>, plaintext: Vec<u8>, at: prop::sample::Index, bit in 0..8u8) {
            let key = SealingKey::new(&KEY);
            let mut sealed = key.seal([1; 12], &aad, &plaintext);
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(key.open(&aad, &sealed), Err(SealError));
        }

        #[test]
        fn no_bytes_make_it_panic(aad: Vec<u8>, sealed: Vec<u8>) {
            prop_assert_eq!(SealingKey::new(&KEY).open(&aad, &sealed), Err(SealError));
        }
    }
}
