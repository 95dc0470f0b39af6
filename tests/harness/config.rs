//! A configuration for `ficha serve` in a folder of its own.

use std::{
    fmt::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ficha_testkit::postgres::{self, Database};
use tempfile::TempDir;

use super::{Authority, Places};

/// What a test says of a server's configuration.
pub struct Config {
    /// The folder of the configuration; the data lies in `data` below it.
    pub folder: TempDir,
    /// Where it listens.
    pub places: Places,
    /// The CA of its certificate.
    pub authority: Authority,
    sections: Vec<(&'static str, String)>,
    certificates: Vec<&'static str>,
    /// The PostgreSQL database, where it is one.
    pub(super) database: Option<Database<'static>>,
    /// Whether who asks the server bears with its database, which is shared with others and may take too long.
    pub(super) patient: bool,
}

/// Where a server keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// In the embedded database.
    Embedded,
    /// In a PostgreSQL database of its own.
    Postgres,
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// HTTPS, plain HTTP and the operations port at an address of its own; a certificate for `localhost` and that address; a new master key.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Self {
            places: Places::own(),
            authority: Authority::new(),
            sections: Vec::new(),
            certificates: vec!["server"],
            database: None,
            patient: false,
            folder,
        };
        // By its address too: programs find it without a name.
        let address = config.places.https.ip().to_string();
        config.authority.issue(&["localhost", &address]).write(config.folder.path(), "server");
        config.write_master("master.key", &master_key());
        config
    }

    /// With further lines in a section: `("listen", "drain_s = 2")`.
    #[must_use]
    pub fn with(mut self, section: &'static str, lines: &str) -> Self {
        self.sections.push((section, lines.to_owned()));
        self
    }

    /// With everything kept there.
    #[must_use]
    pub fn on(mut self, engine: Engine) -> Self {
        match engine {
            Engine::Embedded => self,
            Engine::Postgres => {
                let database = postgres::shared().database();
                let url = format!("url = \"{}\"", database.url());
                (self.database, self.patient) = (Some(database), true);
                self.with("store", &url)
            }
        }
    }

    /// With everything kept where `other` keeps it, sealed by the same master key: a further node of its database.
    #[must_use]
    pub fn beside(mut self, other: &Self) -> Self {
        self.patient = true;
        std::fs::copy(other.dir().join("master.key"), self.dir().join("master.key")).unwrap();
        let url = other.database.as_ref().expect("nodes share a PostgreSQL database").url();
        self.with("store", &format!("url = \"{url}\""))
    }

    /// With another certificate beside the first.
    #[must_use]
    pub fn with_certificate(mut self, name: &'static str, hosts: &[&str]) -> Self {
        self.authority.issue(hosts).write(self.folder.path(), name);
        self.certificates.push(name);
        self
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file in the folder.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A file that its owner alone may read.
    pub fn write_master(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let _ = std::fs::remove_file(&path);
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        path
    }

    /// Writes the configuration; its path.
    pub fn write(&self) -> PathBuf {
        self.write_at("ficha.toml", &self.places)
    }

    /// Writes the configuration under another name, with other places to listen at; its path.
    pub fn write_at(&self, name: &str, places: &Places) -> PathBuf {
        let Places { https, http, ops, .. } = places;
        let certificates: Vec<_> =
            self.certificates.iter().map(|n| format!("{{ cert = \"{n}.pem\", key = \"{n}.key\" }}")).collect();
        let mut sections = vec![
            ("listen", format!("https = [\"{https}\"]\nhttp = [\"{http}\"]\nops = \"{ops}\"")),
            ("tls", format!("certificates = [{}]\nreload_s = 1", certificates.join(", "))),
            ("store", "data = \"data\"".into()),
            ("keys", "master_key_file = \"master.key\"".into()),
            ("telemetry", "log = \"info,ficha=trace\"\nbuffer_bytes = \"16MiB\"".into()),
        ];
        if !self.sections.iter().any(|(_, lines)| lines.contains("drain_s")) {
            sections[0].1 += "\ndrain_s = 0";
        }
        for (section, lines) in &self.sections {
            match sections.iter_mut().find(|(name, _)| name == section) {
                Some((_, text)) => write!(text, "\n{lines}").unwrap(),
                None => sections.push((section, lines.clone())),
            }
        }
        let text: Vec<_> = sections.iter().map(|(name, lines)| format!("[{name}]\n{lines}\n")).collect();
        self.file(name, &text.concat())
    }

    /// The path of the configuration.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("ficha.toml")
    }

    /// The folder's path.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }
}

/// 32 random bytes in base64.
pub fn master_key() -> String {
    let digits = super::secrets::random(32);
    let bytes: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).unwrap()).collect();
    let text = STANDARD.encode(bytes);
    super::secrets::note("a master key", &text);
    text
}
