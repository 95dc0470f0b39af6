//! The master key: where it is, and reading it.

use std::{fmt, path::PathBuf};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use ficha_types::Secret;
use zeroize::Zeroizing;

use crate::secret_file::{SecretFileError, read_secret_file};

/// Where the master key is.
#[derive(Debug)]
pub enum MasterKeySource {
    /// In a file.
    File(PathBuf),
    /// In the environment: the variable's name, and the key as it was written there.
    Environment {
        /// The variable's name.
        variable: String,
        /// Its value.
        key: Secret,
    },
}

impl fmt::Display for MasterKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment { variable, .. } => write!(f, "the environment variable {variable}"),
        }
    }
}

/// 32 bytes that wipe themselves and show themselves to nobody.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// The bytes, for the one line that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// Why there is no master key. Says where it was looked for, and never what was found.
#[derive(Debug, thiserror::Error)]
#[error("the master key in {source_name} {problem}")]
pub struct MasterKeyError {
    source_name: String,
    problem: Unusable,
}

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    File(#[from] SecretFileError),
    #[error("is not one: expected 32 bytes in base64 or hex, as `openssl rand -base64 32` prints them")]
    NotAKey,
    #[error("is all zeros: make one with `openssl rand -base64 32`")]
    Zeros,
}

/// Reads the master key.
///
/// # Errors
/// [`MasterKeyError`]: its file can't be read, or others may read it, or it is not 32 bytes in base64 or hex.
pub fn read_master_key(source: &MasterKeySource) -> Result<MasterKey, MasterKeyError> {
    let read = match source {
        MasterKeySource::File(path) => match read_secret_file(path) {
            Ok(text) => decode(text.expose()).ok_or(Unusable::NotAKey),
            Err(SecretFileError::NotText) => Err(Unusable::NotAKey),
            Err(error) => Err(error.into()),
        },
        MasterKeySource::Environment { key, .. } => decode(key.expose()).ok_or(Unusable::NotAKey),
    };
    let checked = read.and_then(|key| if *key == [0; 32] { Err(Unusable::Zeros) } else { Ok(MasterKey(key)) });
    checked.map_err(|problem| MasterKeyError { source_name: source.to_string(), problem })
}

/// Whether `text` is a key rather than the path of one.
pub(crate) fn looks_like_a_key(text: &str) -> bool {
    decode(text).is_some()
}

/// 32 bytes out of 64 hex digits, or out of base64 of either alphabet, with or without its `=`.
fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let text = text.trim();
    let mut key = Zeroizing::new([0; 32]);
    match text.len() {
        64 => {
            for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                let digits = str::from_utf8(digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
                *byte = u8::from_str_radix(digits, 16).ok()?;
            }
        }
        43 | 44 => {
            let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
            let is_url_safe = text.bytes().any(|b| b == b'-' || b == b'_');
            let alphabet = if is_url_safe { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
            // The library wants room for a whole last group.
            let mut room = Zeroizing::new([0; 33]);
            let written = GeneralPurpose::new(alphabet, config).decode_slice(text, &mut *room).ok()?;
            key.copy_from_slice(room.get(..written).filter(|bytes| bytes.len() == 32)?);
        }
        _ => return None,
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd/v8=";
    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1dFEFF";

    fn bytes() -> [u8; 32] {
        let mut bytes = std::array::from_fn(|i| u8::try_from(i).unwrap());
        bytes[30] = 0xfe;
        bytes[31] = 0xff;
        bytes
    }

    fn in_environment(key: &str) -> Result<MasterKey, String> {
        let source = MasterKeySource::Environment { variable: "FICHA_MASTER_KEY".into(), key: Secret::new(key.into()) };
        read_master_key(&source).map_err(|e| e.to_string())
    }

    fn in_file(text: &[u8], mode: u32) -> Result<MasterKey, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let read = read_master_key(&MasterKeySource::File(path.clone()));
        read.map_err(|e| e.to_string().replace(&path.display().to_string(), "PATH"))
    }

    #[test]
    fn a_key_is_base64_or_hex() {
        let url_safe = BASE64.replace('/', "_");
        for text in [BASE64, BASE64.trim_end_matches('='), &url_safe, HEX, &format!(" {HEX}\n")] {
            assert_eq!(in_environment(text).unwrap().expose(), &bytes(), "{text}");
        }
        assert_eq!(in_file(format!("{BASE64}\n").as_bytes(), 0o600).unwrap().expose(), &bytes());
        assert_eq!(in_file(HEX.as_bytes(), 0o400).unwrap().expose(), &bytes());
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_told() {
        let long = format!("{HEX}00");
        let not_hex = HEX.replace("00", "+0");
        for text in ["", "hunter2", &HEX[2..], &long, &not_hex, &BASE64.replace('A', "!"), &"é".repeat(32)] {
            assert_eq!(
                in_environment(text).unwrap_err(),
                "the master key in the environment variable FICHA_MASTER_KEY is not one: expected 32 bytes in base64 or hex, as `openssl rand -base64 32` prints them"
            );
        }
        for bytes in [&[0xff_u8; 32][..], &[b'A'; 5_000]] {
            assert!(in_file(bytes, 0o600).unwrap_err().starts_with("the master key in the file PATH is not one: "));
        }
    }

    #[test]
    fn zeros_are_no_key() {
        let said = in_environment(&"0".repeat(64)).unwrap_err();
        assert!(said.contains("is all zeros"), "{said}");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        for mode in [0o644, 0o640, 0o604, 0o620, 0o610, 0o660] {
            assert_eq!(
                in_file(BASE64.as_bytes(), mode).unwrap_err(),
                format!(
                    "the master key in the file PATH may be read or written by others (its mode is {mode:04o}): `chmod 600` it, and make a new secret if others may have read it"
                )
            );
        }
    }

    #[test]
    fn a_file_that_is_not_there_or_none_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: PathBuf| read_master_key(&MasterKeySource::File(path)).unwrap_err().to_string();
        assert!(said(folder.path().join("none")).contains("cannot be read: No such file"));
        assert!(said(folder.path().to_owned()).ends_with("cannot be read: that is not a file"));
    }

    #[test]
    fn a_key_shows_itself_to_nobody() {
        assert_eq!(format!("{:?}", in_environment(HEX).unwrap()), "MasterKey(..)");
    }
}
