//! Copying a store while it serves.

use std::{path::Path, sync::Arc};

use ficha_types::UnixSeconds;

use super::BoxFuture;

/// Is told how many pages of how many were copied; `false` ends the copying.
pub type Copied = Arc<dyn Fn(u64, u64) -> bool + Send + Sync>;

/// Why there is no backup; a file that was begun is taken away again.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackupError {
    /// The file is there already.
    #[error("{0} is there already: name another file")]
    Exists(String),
    /// The file can't be written.
    #[error("the backup can't be written to {file}: {why}")]
    File {
        /// The file.
        file: String,
        /// What the system says.
        why: String,
    },
    /// The store can't be read.
    #[error("the database can't be copied: {0}")]
    Store(String),
    /// Nobody waits for it any more.
    #[error("the backup was broken off")]
    Stopped,
}

/// A store that can be copied into one file.
pub trait BackupStore: Send + Sync {
    /// Copies everything as of one moment into `file`, which is made for its owner alone (0600), while others read and write.
    /// It is whole once it bears that name. Answers its bytes.
    fn backup<'a>(
        &'a self,
        file: &'a Path,
        now: UnixSeconds,
        copied: Copied,
    ) -> BoxFuture<'a, Result<u64, BackupError>>;
}
