//! `[dialects]`

use std::path::PathBuf;

use super::section;
use crate::kinds::{FilePath, Optional};

section! {
    /// Wire contracts of your own, beside the built-in ones.
    pub struct Dialects = "dialects" {
        /// A folder whose `*.toml` files are dialects. All are checked at the start. Relative to the folder of the configuration file.
        folder: Option<PathBuf> = Optional(FilePath("the path of a folder")), "";
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::load::tests::{complaints, config};

    #[test]
    fn a_folder_may_be_named() {
        assert_eq!(config("").dialects.folder, None);
        assert_eq!(config("[dialects]\nfolder = \"d\"").dialects.folder.unwrap(), Path::new("d"));
        assert_eq!(
            complaints("[dialects]\nfolder = \"\""),
            ["ficha.toml:2: [dialects] folder: expected the path of a folder; found \"\""]
        );
    }
}
