//! The files that `ficha apply` reads: issuers with their APIs, clients and users, in TOML. Every word is checked here, with file,
//! line and key; whether it all makes sense together, `ficha-core` tells.

mod read;
mod secrets;
mod section;

use std::path::Path;

use ficha_core::operator::{Declaration, Problem};
use ficha_types::Secret;

use section::File;

/// The most bytes of one file.
pub const MAX_BYTES: usize = 256 * 1024 * 1024;

/// How a file that a declaration names is read: the path as it is meant, relative ones beginning at the declaring file's folder.
/// An `Err` is what a person is told.
pub type OpenSecret<'a> = &'a dyn Fn(&Path) -> Result<Secret, String>;

/// Reads `files`, each with its name and its text, as one declaration. `open` reads the files that hold secrets.
///
/// # Errors
/// Everything that is wrong, in the order of the files. No problem holds a secret.
pub fn read(files: &[(String, String)], open: OpenSecret<'_>) -> Result<Declaration, Vec<Problem>> {
    let mut declaration = Declaration::default();
    let mut problems = Vec::new();
    for (name, text) in files {
        let file = File::new(name, text);
        declaration.issuers.extend(read::issuers(&file, text, open));
        problems.extend(file.problems());
    }
    if problems.is_empty() { Ok(declaration) } else { Err(problems) }
}
