//! How tokens are checked where the issuer is another process.

use std::path::PathBuf;

use ficha_types::{Algorithm, ScopeSet};

/// How the tokens of an API are checked; by the keys that the issuer's metadata names, where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Means {
    /// The URL of the key set, instead of what the metadata says.
    pub jwks_url: Option<Box<str>>,
    /// The algorithms that are allowed, instead of every asymmetric one.
    pub algorithms: Option<Vec<Algorithm>>,
    /// The files of secrets that are shared with the issuer, for HS256.
    pub shared_secret_files: Vec<PathBuf>,
    /// The endpoint where the issuer is asked about each token, and as whom.
    pub introspection: Option<(Box<str>, Who)>,
    /// The revocation feed is followed.
    pub feed: Option<Feed>,
}

/// As whom the issuer is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The API's name.
    pub name: Box<str>,
    /// The file of its secret.
    pub secret_file: PathBuf,
}

/// How the revocation feed is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// As whom.
    pub who: Who,
    /// The scopes that are not given while the feed is not fresh.
    pub refuse_at_once: ScopeSet,
}
