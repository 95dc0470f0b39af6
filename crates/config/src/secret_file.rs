//! Files that hold a secret.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use ficha_types::Secret;
use zeroize::Zeroizing;

/// A file that is longer holds something else.
const MOST_BYTES: usize = 1_024;

/// Why a file's secret can't be had. Never says what stands in it.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The system says no.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// A folder, a pipe.
    #[error("cannot be read: that is not a file")]
    NotAFile,
    /// Its mode.
    #[error(
        "may be read or written by others (its mode is {0:04o}): `chmod 600` it, and make a new secret if others may have read it"
    )]
    Open(u32),
    /// It is not UTF-8.
    #[error("is not a text")]
    NotText,
}

/// Reads a secret, without the white space around it.
///
/// # Errors
/// [`SecretFileError`]: the file can't be read, or others may read it.
pub fn read_secret_file(path: &Path) -> Result<Secret, SecretFileError> {
    // Looked at before it is opened, for opening a pipe would wait; and again once it is, for it may be another one by now.
    if !fs::metadata(path).map_err(SecretFileError::Unreadable)?.is_file() {
        return Err(SecretFileError::NotAFile);
    }
    let file = fs::File::open(path).map_err(SecretFileError::Unreadable)?;
    let metadata = file.metadata().map_err(SecretFileError::Unreadable)?;
    let mode = metadata.mode() & 0o7777;
    if mode & forbidden(metadata.uid(), our_uid()) != 0 {
        return Err(SecretFileError::Open(mode));
    }
    let mut text = Zeroizing::new(String::with_capacity(MOST_BYTES));
    file.take(MOST_BYTES as u64).read_to_string(&mut text).map_err(|e| {
        if e.kind() == io::ErrorKind::InvalidData { SecretFileError::NotText } else { SecretFileError::Unreadable(e) }
    })?;
    Ok(Secret::new(text.trim().to_owned()))
}

/// The bits that the mode of the key's file must not have. What systemd and Kubernetes hand over belongs to root and is read
/// through a group (or an access list, which shows as one) that they made for it: as good as 0600, unless we are root.
fn forbidden(owner: u32, us: Option<u32>) -> u32 {
    if owner == 0 && us.is_some_and(|us| us != 0) { 0o037 } else { 0o077 }
}

/// Who this process is; `None` where the system does not tell.
fn our_uid() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|m| m.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_hands_over_may_be_read_through_its_group() {
        assert_eq!(forbidden(0, Some(990)), 0o037);
        for (owner, us) in [(0, Some(0)), (990, Some(990)), (990, Some(0)), (0, None)] {
            assert_eq!(forbidden(owner, us), 0o077, "{owner} {us:?}");
        }
    }
}
