//! Loading a configuration: all of it is checked, and all that is wrong is told at once.

use std::{ffi::OsString, fs, path::Path, sync::Arc};

use crate::{
    document,
    environment::Environment,
    master_key::read_master_key,
    problem::{Place, Problem},
    reader::{Name, Places, Reader, written},
    secret_file::read_secret_file,
    sections::{self, Cluster, Dialects, Gate, KeyFiles, Keys, Limits, Listen, Store, Telemetry, Tls},
};

/// A file that is longer is no configuration.
const MOST_BYTES: u64 = 1 << 20;

/// A checked configuration.
#[derive(Debug)]
pub struct Config {
    /// Where ficha listens, whom it believes, and how it stops.
    pub listen: Listen,
    /// The certificates.
    pub tls: Tls,
    /// Where everything is kept.
    pub store: Store,
    /// This node among others.
    pub cluster: Cluster,
    /// Where the master key is.
    pub keys: Keys,
    /// Dialects of the user's own.
    pub dialects: Dialects,
    /// Forward authentication.
    pub gate: Gate,
    /// The bounds of everything.
    pub limits: Limits,
    /// The log.
    pub telemetry: Telemetry,
    places: Places,
}

/// Loads the TOML file at `path` and above it those of `env`, the environment, that begin with `FICHA_`. Touches no other file:
/// [`Config::check_files`] does.
///
/// # Errors
/// Everything that is wrong: never an empty list.
pub fn load<K: Into<OsString>, V: Into<OsString>>(
    path: &Path,
    env: impl IntoIterator<Item = (K, V)>,
) -> Result<Config, Vec<Problem>> {
    let text = text_of(path)?;
    read(path, &text, env)
}

/// The text of the file at `path`.
pub(crate) fn text_of(path: &Path) -> Result<String, Vec<Problem>> {
    let failed = |message: String| vec![Problem { place: Place::File(path.into()), key: String::new(), message }];
    match fs::metadata(path) {
        Ok(file) if file.len() > MOST_BYTES => return Err(failed(format!("longer than {MOST_BYTES} bytes"))),
        Ok(_) => {}
        Err(e) => return Err(failed(format!("cannot be read: {e}"))),
    }
    fs::read_to_string(path).map_err(|e| failed(format!("cannot be read: {e}")))
}

/// Like [`load`], of a `text` that messages call `file`, in whose folder relative paths begin.
///
/// # Errors
/// Everything that is wrong: never an empty list.
pub fn read<K: Into<OsString>, V: Into<OsString>>(
    file: impl AsRef<Path>,
    text: &str,
    env: impl IntoIterator<Item = (K, V)>,
) -> Result<Config, Vec<Problem>> {
    let file: Arc<Path> = file.as_ref().into();
    let sections = sections::all();
    let Environment { variables, secrets, mut problems } = Environment::read(env, &sections);
    let entries = document::parse(&file, text).map_err(|mut found| {
        found.append(&mut problems);
        found
    })?;
    let whole = Place::File(file);
    let mut reader = Reader { whole, file: &entries, variables: &variables, places: Places::default(), problems };
    reader.unknown(&sections);
    let listen = Listen::read(&mut reader);
    let tls = Tls::read(&mut reader);
    let store = Store::read(&mut reader);
    let cluster = Cluster::read(&mut reader);
    let keys = KeyFiles::read(&mut reader).and_then(|files| Keys::new(files, secrets, &mut reader));
    let dialects = Dialects::read(&mut reader);
    let gate = Gate::read(&mut reader);
    let limits = Limits::read(&mut reader);
    let telemetry = Telemetry::read(&mut reader);
    if let Some(listen) = &listen {
        listen.check(&mut reader);
        if let Some(tls) = &tls {
            tls.check(!listen.https.is_empty(), &mut reader);
        }
        if let Some(gate) = &gate {
            let taken = [listen.https.as_slice(), &listen.http, listen.ops.as_slice()].concat();
            gate.check(&taken, &mut reader);
        }
    }
    if let Some(store) = &store {
        store.check(&mut reader);
    }
    if let Some(limits) = &limits {
        limits.check(&mut reader);
    }
    let Reader { places, problems, .. } = reader;
    let config = || {
        let (listen, tls, store, cluster, keys) = (listen?, tls?, store?, cluster?, keys?);
        let (dialects, gate, limits, telemetry) = (dialects?, gate?, limits?, telemetry?);
        Some(Config { listen, tls, store, cluster, keys, dialects, gate, limits, telemetry, places })
    };
    match config() {
        Some(config) if problems.is_empty() => Ok(config),
        Some(_) | None => Err(problems),
    }
}

impl Config {
    /// What is wrong with the files and folders that are named, as the process finds them: for who is going to use them all.
    #[must_use]
    pub fn check_files(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |name: Name, message: String| {
            problems.push(Problem { place: self.places.of(name), key: written(name), message });
        };
        for files in &self.tls.certificates {
            for path in [&files.cert, &files.key] {
                // A pipe would make the opening wait.
                match fs::metadata(path).map(|m| m.is_file()) {
                    Ok(false) => wrong(("tls", "certificates"), format!("{} is not a file", path.display())),
                    Ok(true) | Err(_) => {
                        if let Err(e) = fs::File::open(path) {
                            wrong(("tls", "certificates"), format!("{} cannot be read: {e}", path.display()));
                        }
                    }
                }
            }
        }
        if fs::metadata(&self.store.data).is_ok_and(|m| !m.is_dir()) {
            wrong(("store", "data"), format!("{} is not a folder", self.store.data.display()));
        }
        if let Some(path) = &self.store.url_file
            && let Err(e) = read_secret_file(path)
        {
            wrong(("store", "url_file"), format!("{} {e}", path.display()));
        }
        if let Some(path) = &self.store.root_ca
            && let Err(e) = fs::File::open(path)
        {
            wrong(("store", "root_ca"), format!("{} cannot be read: {e}", path.display()));
        }
        if let Some(folder) = &self.dialects.folder
            && let Err(e) = fs::read_dir(folder)
        {
            wrong(("dialects", "folder"), format!("{} cannot be read: {e}", folder.display()));
        }
        let previous = self.keys.previous.as_ref().map(|source| ("previous_master_key_file", source));
        for (key, source) in [("master_key_file", &self.keys.master)].into_iter().chain(previous) {
            if let Err(e) = read_master_key(source) {
                wrong(("keys", key), e.to_string());
            }
        }
        problems
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// What must be given, as long as `text` says nothing of it.
    fn needed(text: &str) -> Vec<(&'static str, &'static str)> {
        let needed = [
            ("certificates", ("FICHA_TLS__CERTIFICATES", "[{ cert = 'c.pem', key = 'c.key' }]")),
            ("data", ("FICHA_STORE__DATA", "/var/lib/ficha")),
            ("master_key", ("FICHA_KEYS__MASTER_KEY_FILE", "/etc/ficha/master.key")),
        ];
        needed.into_iter().filter(|(word, _)| !text.contains(word)).map(|(_, pair)| pair).collect()
    }

    /// The configuration of `text`, with what must be given beside it.
    pub(crate) fn config(text: &str) -> Config {
        read("ficha.toml", text, needed(text)).unwrap()
    }

    /// The configuration of an empty file and `pairs`, likewise.
    pub(crate) fn config_with(pairs: &[(&'static str, &'static str)]) -> Config {
        read("ficha.toml", "", [needed("").as_slice(), pairs].concat()).unwrap()
    }

    /// The configuration of `text` alone.
    pub(crate) fn config_of(file: &str, text: &str) -> Config {
        read(file, text, [("PATH", "/bin")]).unwrap()
    }

    fn lines(read: Result<Config, Vec<Problem>>) -> Vec<String> {
        let problems = read.unwrap_err();
        assert!(!problems.is_empty());
        problems.iter().map(ToString::to_string).collect()
    }

    /// What is wrong with `text`, which need not hold what must be given.
    pub(crate) fn complaints(text: &str) -> Vec<String> {
        lines(read("ficha.toml", text, needed(text)))
    }

    /// What is wrong with `pairs`, likewise.
    pub(crate) fn complaints_with(pairs: &[(&'static str, &'static str)]) -> Vec<String> {
        lines(read("ficha.toml", "", [needed("").as_slice(), pairs].concat()))
    }

    /// What is wrong with `text` and `pairs` alone.
    pub(crate) fn complaints_of(text: &str, pairs: &[(&str, &str)]) -> Vec<String> {
        lines(read("ficha.toml", text, pairs.iter().copied()))
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let text =
            "[listen]\nhtps = []\nops = 5\n[limit]\nx = 1\n[telemetry]\nformat = \"xml\"\n[tls]\nreload_s = \"1y\"";
        let pairs = [("FICHA_LIMITS__BODYBYTES", "1"), ("FICHA_STORE__QUEUE", "0")];
        let said = complaints_of(text, &pairs);
        let expected = [
            "environment variable FICHA_LIMITS__BODYBYTES: no option is called that, did you mean FICHA_LIMITS__BODY_BYTES?",
            "ficha.toml:2: [listen] htps: unknown key, did you mean https? (there are https, http, ops, trusted_proxies, drain_s, shutdown_s)",
            "ficha.toml:4: [limit]: unknown section, did you mean limits? (there are listen, tls, store, cluster, keys, dialects, gate, limits, telemetry)",
            "ficha.toml:3: [listen] ops: expected an IP address and a port, ",
            "ficha.toml:9: [tls] reload_s: expected seconds from 1 to 86400, ",
            "ficha.toml: [store] data: missing: expected the path of a folder",
            "environment variable FICHA_STORE__QUEUE: [store] queue: expected a whole number ",
            "ficha.toml: [keys] master_key_file: missing: ",
            "ficha.toml:7: [telemetry] format: expected ",
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.starts_with(expected), "{said}\n{expected}");
        }
    }

    #[test]
    fn what_is_no_section_is_refused() {
        assert_eq!(complaints("listen = 5"), ["ficha.toml:1: [listen]: expected a section; found 5"]);
    }

    #[test]
    fn the_environment_stands_above_the_file() {
        let text = "[limits]\nconnections = 5000\nhttp2_streams = 7";
        let pairs = [needed(text).as_slice(), &[("FICHA_LIMITS__CONNECTIONS", "6000")]].concat();
        let limits = read("ficha.toml", text, pairs).unwrap().limits;
        assert_eq!((limits.connections, limits.http2_streams), (6_000, 7));
    }

    #[test]
    fn a_list_in_the_environment_is_separated_by_commas_or_written_as_in_toml() {
        for value in ["127.0.0.1:1, [::1]:2", "['127.0.0.1:1', '[::1]:2']"] {
            let read = config_with(&[("FICHA_LISTEN__HTTP", value)]);
            assert_eq!(read.listen.http, ["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()], "{value}");
        }
        assert!(config_with(&[("FICHA_LISTEN__HTTP", "")]).listen.http.is_empty());
        let twice = complaints_with(&[("FICHA_LISTEN__HTTP", "127.0.0.1:1,127.0.0.1:1")]);
        assert_eq!(twice, ["environment variable FICHA_LISTEN__HTTP: [listen] http: \"127.0.0.1:1\" is there twice"]);
    }

    #[test]
    fn what_is_not_toml_is_told_beside_what_is_wrong_in_the_environment() {
        let said = complaints_of("[listen\nhttp = []", &[("FICHA_X__Y", "1")]);
        assert!(said[0].starts_with("ficha.toml:1: not valid TOML: "), "{said:?}");
        assert_eq!(said.last().unwrap(), "environment variable FICHA_X__Y: no option is called that");
    }

    #[test]
    fn a_file_that_is_not_there_or_none_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let said = |path: &Path| lines(load(path, [("PATH", "/bin")])).concat();
        assert!(said(&folder.path().join("none.toml")).contains("none.toml: cannot be read: No such file"));
        assert!(said(folder.path()).contains(": cannot be read: "));
        let long = folder.path().join("long.toml");
        fs::write(&long, " ".repeat(2 << 20)).unwrap();
        assert!(said(&long).ends_with("long.toml: longer than 1048576 bytes"));
    }

    #[test]
    fn the_files_it_names_are_looked_at_when_asked() {
        let folder = tempfile::tempdir().unwrap();
        let toml = folder.path().join("ficha.toml");
        let text = "[tls]\ncertificates = [{ cert = 'c.pem', key = 'c.key' }]\n[store]\ndata = 'data'\n[keys]\nmaster_key_file = 'm'\n[dialects]\nfolder = 'd'";
        fs::write(&toml, text).unwrap();
        let config = load(&toml, [("PATH", "/bin")]).unwrap();
        let told: Vec<String> = config.check_files().iter().map(ToString::to_string).collect();
        let keys = ["[tls] certificates", "[tls] certificates", "[dialects] folder", "[keys] master_key_file"];
        assert_eq!(told.len(), keys.len(), "{told:#?}");
        for ((told, key), line) in told.iter().zip(keys).zip([2, 2, 8, 6]) {
            assert!(told.starts_with(&format!("{}:{line}: {key}: ", toml.display())), "{told}");
        }
        for name in ["c.pem", "c.key", "m"] {
            fs::write(folder.path().join(name), "7".repeat(64)).unwrap();
        }
        fs::set_permissions(folder.path().join("m"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(folder.path().join("d")).unwrap();
        assert_eq!(config.check_files(), []);
        fs::write(folder.path().join("data"), "").unwrap();
        assert!(config.check_files()[0].to_string().ends_with("data is not a folder"));
    }

    #[test]
    fn every_default_passes_its_own_check() {
        let given = needed("").iter().map(|(name, _)| name.to_lowercase()).collect::<Vec<_>>().concat();
        for section in sections::all() {
            for option in section.options.iter().filter(|o| o.required) {
                assert!(given.contains(option.key), "{} must be given, or needs a default", option.key);
            }
        }
        assert!(read("ficha.toml", "", needed("")).is_ok());
    }
}
