//! `[store]`

use std::path::PathBuf;

use super::section;
use crate::{
    kinds::{DatabaseUrl, FilePath, Flag, Optional, count},
    reader::Reader,
};

section! {
    /// Where everything is kept: an embedded database, written by one process at a time, or a PostgreSQL database that many nodes
    /// share.
    pub struct Store = "store" {
        /// The folder of the embedded database and of the socket for administration; made when it is not there. On a local disk, never on a
        /// network share. Relative to the folder of the configuration file.
        data: PathBuf = FilePath("the path of a folder"), "";
        /// The PostgreSQL database, instead of the embedded one. TLS is spoken, and the server must prove its name, unless it is on
        /// this machine (a loopback address or a socket).
        url: Option<String> = Optional(DatabaseUrl), "";
        /// The file of its whole URL where that holds a password, readable for ficha's user alone (mode 0600). Relative to the folder
        /// of the configuration file.
        url_file: Option<PathBuf> = Optional(FilePath("the path of a file")), "";
        /// The same database past PgBouncer or another pooler that lends a connection for a transaction only: for changes of the tables,
        /// and to hear of other nodes' changes at once. It takes user and password of the URL where it names none.
        direct_url: Option<String> = Optional(DatabaseUrl), "";
        /// The authorities that vouch for the PostgreSQL server, PEM; those of the system when absent.
        root_ca: Option<PathBuf> = Optional(FilePath("the path of a file")), "";
        /// Connections to PostgreSQL.
        pool: usize = count(2..=200), "12";
        /// Whether statements are prepared once in a connection: `false` behind a pooler that lends it for a transaction only.
        prepared: bool = Flag, "true";
        /// Steps that may wait for the one writer, and as many for the readers (for a connection, on PostgreSQL); further ones are
        /// answered 503.
        queue: usize = count(1..=1_000_000), "8192";
        /// Threads that read beside the writer.
        readers: usize = count(1..=16), "2";
    }
}

impl Store {
    /// Notes what contradicts itself.
    pub(crate) fn check(&self, reader: &mut Reader<'_>) {
        let there = self.url.is_some() || self.url_file.is_some();
        if self.url.is_some() && self.url_file.is_some() {
            reader.contradiction(("store", "url"), "expected one database here, found a second one in url_file");
        }
        for (key, given) in [("direct_url", self.direct_url.is_some()), ("root_ca", self.root_ca.is_some())] {
            if given && !there {
                reader.contradiction(
                    ("store", key),
                    "belongs to a PostgreSQL database: name that one in url or url_file",
                );
            }
        }
    }

    /// Whether everything is kept in PostgreSQL.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.url.is_some() || self.url_file.is_some()
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

    #[test]
    fn a_password_has_no_place_in_the_configuration() {
        let config = config("[store]\nurl = \"postgres://ficha@db.example/ficha?sslmode=require\"");
        assert_eq!(config.store.url.as_deref(), Some("postgres://ficha@db.example/ficha?sslmode=require"));
        let held = "holds a password: put the whole URL into a file of mode 0600 and name that one in url_file";
        for url in
            ["postgres://ficha:s3cret@db.example/ficha", "postgresql://db.example/ficha?user=ficha&password=s3cret"]
        {
            let said = complaints(&format!("[store]\nurl = \"{url}\""));
            assert_eq!(said, [format!("ficha.toml:2: [store] url: {held}")]);
        }
        let said = complaints("[store]\nurl = \"mysql://ficha:s3cret@db.example/ficha\"");
        assert!(said.len() == 1 && !said.concat().contains("s3cret"), "{said:?}");
    }

    #[test]
    fn one_database_is_named_and_what_belongs_to_it_with_it() {
        let said = complaints("[store]\nurl = \"postgres://a/b\"\nurl_file = \"u\"");
        assert_eq!(said, ["ficha.toml:2: [store] url: expected one database here, found a second one in url_file"]);
        let said = complaints("[store]\nroot_ca = \"ca.pem\"");
        let message = "belongs to a PostgreSQL database: name that one in url or url_file";
        assert_eq!(said, [format!("ficha.toml:2: [store] root_ca: {message}")]);
    }
}
