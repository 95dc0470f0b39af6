//! `[keys]`

use std::path::PathBuf;

use super::section;
use crate::{
    document::{Node, Value},
    environment::SecretVariable,
    kinds::{FilePath, Kind, Optional},
    master_key::{MasterKeySource, looks_like_a_key},
    reader::{Complaints, OptionInfo, Reader, SectionInfo},
};

section! {
    /// The master key: 32 random bytes that seal every other key in the database. Without it the database is of no use, to a thief
    /// and to you: keep a copy elsewhere.
    pub(crate) struct KeyFiles = "keys" {
        /// The file of the master key: 32 bytes in base64 or hex, as `openssl rand -base64 32` prints them, readable for ficha's
        /// user alone (mode 0600). Needed unless the environment holds the key. Relative to the folder of the configuration file.
        master_key_file: Option<PathBuf> = Optional(KeyPath), "";
        /// The file of the master key before this one, while it is being exchanged: keys that it sealed are sealed anew at the start.
        previous_master_key_file: Option<PathBuf> = Optional(KeyPath), "";
    }
}

/// `[keys]` and the secrets of the environment that belong to it.
#[derive(Debug)]
pub struct Keys {
    /// Where the master key is.
    pub master: MasterKeySource,
    /// Where the one before it is, while it is being exchanged.
    pub previous: Option<MasterKeySource>,
}

/// What the reference tells of the section, the secrets too.
pub(crate) fn info() -> SectionInfo {
    let secret = |key, about| OptionInfo {
        key,
        about,
        takes: "32 bytes in base64 or hex".into(),
        default: "",
        required: false,
        secret: true,
    };
    let mut info = KeyFiles::info();
    info.options.push(secret(
        "master_key",
        &["The master key itself, only in the environment, instead of `master_key_file`; `FICHA_MASTER_KEY` is short for it. A file is better: the environment of a process is easier to get at, and `ficha doctor` warns of it."],
    ));
    info.options.push(secret("previous_master_key", &["Likewise, instead of `previous_master_key_file`."]));
    info
}

impl Keys {
    /// Brings the files and the secrets of the environment together; what is missing or there twice is noted.
    pub(crate) fn new(files: KeyFiles, secrets: Vec<SecretVariable>, reader: &mut Reader<'_>) -> Option<Self> {
        let mut masters = Vec::new();
        let mut previous = Vec::new();
        for SecretVariable { name: (_, key), variable, secret } in secrets {
            let into = if key == "master_key" { &mut masters } else { &mut previous };
            into.push(MasterKeySource::Environment { variable, key: secret });
        }
        masters.extend(files.master_key_file.map(MasterKeySource::File));
        previous.extend(files.previous_master_key_file.map(MasterKeySource::File));
        let masters = one("master_key_file", masters, reader);
        let previous = one("previous_master_key_file", previous, reader);
        if let (Some(master), previous) = (masters.ok()?, previous.ok()?) {
            return Some(Self { master, previous });
        }
        let message = "missing: expected the path of a file that holds the master key (`openssl rand -base64 32` makes one), or the key itself in the environment as FICHA_MASTER_KEY";
        reader.contradiction(("keys", "master_key_file"), message);
        None
    }
}

/// There are two where one is expected; it has been noted.
struct Twice;

/// At most one of `sources`.
fn one(
    key: &'static str,
    mut sources: Vec<MasterKeySource>,
    reader: &mut Reader<'_>,
) -> Result<Option<MasterKeySource>, Twice> {
    let last = sources.pop();
    if let (Some(last), false) = (&last, sources.is_empty()) {
        let all: Vec<String> = sources.iter().chain([last]).map(ToString::to_string).collect();
        reader.contradiction(("keys", key), format!("expected one master key here, found {}", all.join(" and ")));
        return Err(Twice);
    }
    Ok(last)
}

/// The path of a key's file, and not by mistake the key itself, which no message may repeat.
struct KeyPath;

impl Kind for KeyPath {
    type Value = PathBuf;
    fn takes(&self) -> String {
        "the path of a file".into()
    }
    fn take(&self, node: &Node, say: &mut Complaints<'_>) -> Option<PathBuf> {
        if let Value::Text(text) | Value::Word(text) = &node.value
            && looks_like_a_key(text)
        {
            say.wrong(
                &node.place,
                "expected the path of a file; what stands here looks like the key itself: put it into that file",
            );
            return None;
        }
        FilePath("the path of a file").take(node, say)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{
        MasterKeySource,
        load::tests::{complaints_of, config, config_of},
    };

    const REST: &str = "[store]\ndata = \"/d\"\n[listen]\nhttps = []\nhttp = [\"127.0.0.1:0\"]\n";
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn said(text: &str, pairs: &[(&str, &str)]) -> Vec<String> {
        let said = complaints_of(&format!("{REST}{text}"), pairs);
        assert!(!said.concat().contains(KEY), "a key was told");
        said
    }

    #[test]
    fn the_master_key_comes_from_a_file_or_from_the_environment() {
        let keys = config("").keys;
        assert!(matches!(&keys.master, MasterKeySource::File(path) if path == Path::new("/etc/ficha/master.key")));
        assert!(keys.previous.is_none());
        for name in ["FICHA_MASTER_KEY", "FICHA_KEYS__MASTER_KEY"] {
            let keys = crate::read("ficha.toml", REST, [(name, KEY)]).unwrap().keys;
            assert!(!format!("{keys:?}").contains(KEY));
            assert!(matches!(&keys.master, MasterKeySource::Environment { variable, .. } if variable == name));
        }
        let both = "[keys]\nmaster_key_file = \"new\"\nprevious_master_key_file = \"old\"";
        let keys = config_of("/etc/ficha.toml", &format!("{REST}{both}")).keys;
        assert!(matches!(&keys.previous, Some(MasterKeySource::File(path)) if path == Path::new("/etc/old")));
    }

    #[test]
    fn without_a_master_key_nothing_starts() {
        let said = said("", &[]);
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with("ficha.toml: [keys] master_key_file: missing: expected the path of a file"),
            "{said:?}"
        );
    }

    #[test]
    fn two_master_keys_are_one_too_many() {
        let file = "[keys]\nmaster_key_file = \"/m\"\n";
        assert_eq!(
            said(file, &[("FICHA_MASTER_KEY", KEY)]),
            [
                "ficha.toml:7: [keys] master_key_file: expected one master key here, found the environment variable FICHA_MASTER_KEY and the file /m"
            ]
        );
        assert_eq!(said("", &[("FICHA_MASTER_KEY", KEY), ("FICHA_KEYS__MASTER_KEY", KEY)]).len(), 1);
    }

    #[test]
    fn a_key_in_the_wrong_place_is_refused_and_not_repeated() {
        let text = format!("[keys]\nmaster_key = \"{KEY}\"\n");
        let told = said(&text, &[("FICHA_MASTER_KEY", KEY)]);
        assert_eq!(told.len(), 1);
        assert!(
            told[0].starts_with("ficha.toml:7: [keys] master_key: a secret does not belong in this file: "),
            "{told:?}"
        );
        let told = said(&format!("[keys]\nmaster_key_file = \"{KEY}\"\n"), &[]);
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("looks like the key itself"), "{told:?}");
    }
}
