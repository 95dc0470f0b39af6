//! `[store]`

use std::path::PathBuf;

use super::section;
use crate::kinds::{FilePath, count};

section! {
    /// Where everything is kept: an embedded database, written by one process at a time.
    pub struct Store = "store" {
        /// The folder of the database and of the socket for administration; made when it is not there. On a local disk, never on a
        /// network share. Relative to the folder of the configuration file.
        data: PathBuf = FilePath("the path of a folder"), "";
        /// Steps that may wait for the one writer, and as many for the readers; further ones are answered 503.
        queue: usize = count(1..=1_000_000), "8192";
        /// Threads that read beside the writer.
        readers: usize = count(1..=16), "2";
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::load::tests::{complaints, complaints_of, config};

    #[test]
    fn the_data_folder_must_be_named() {
        assert_eq!(config("").store.data, Path::new("/var/lib/ficha"));
        let text = "[tls]\ncertificates = [{ cert = \"c\", key = \"k\" }]\n[keys]\nmaster_key_file = \"/m\"\n[store]\nqueue = 9";
        let missing = "[store] data: missing: expected the path of a folder";
        assert_eq!(complaints_of(text, &[]), [format!("ficha.toml:5: {missing}")]);
        let text = text.replace("[store]\nqueue = 9", "");
        assert_eq!(complaints_of(&text, &[]), [format!("ficha.toml: {missing}")]);
    }

    #[test]
    fn a_queue_has_a_bound() {
        assert_eq!(
            complaints("[store]\nqueue = 0\nreaders = 2.5"),
            [
                "ficha.toml:2: [store] queue: expected a whole number from 1 to 1000000; found 0",
                "ficha.toml:3: [store] readers: expected a whole number from 1 to 16; found a number with a fraction",
            ]
        );
    }
}
