//! How tokens are checked where the issuer is another process.

use std::path::PathBuf;

use ficha_types::Algorithm;

/// How the tokens of an API are checked; by the keys that the issuer's metadata names, where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Means {
    /// The URL of the key set, instead of what the metadata says.
    pub jwks_url: Option<Box<str>>,
    /// The algorithms that are allowed, instead of every asymmetric one.
    pub algorithms: Option<Vec<Algorithm>>,
    /// The files of secrets that are shared with the issuer, for HS256.
    pub shared_secret_files: Vec<PathBuf>,
    /// The issuer is asked about each token.
    pub introspection: Option<Asked>,
}

/// Where the issuer is asked about tokens, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The introspection endpoint.
    pub url: Box<str>,
    /// The API's name there.
    pub name: Box<str>,
    /// The file of its secret.
    pub secret_file: PathBuf,
}
