//! A running server.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use rusqlite::types::ValueRef;
use rustls::ClientConfig;
use tempfile::TempDir;

use super::{Authority, Config, Door, Output, certificates, cli, program, secrets, wait_for};

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// HTTPS.
    pub https: SocketAddr,
    /// Plain HTTP.
    pub http: SocketAddr,
    /// The example API of `ficha dev`.
    pub api: SocketAddr,
    /// The operations port.
    pub ops: SocketAddr,
}

/// Which addresses `ficha dev` gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// The default ports at an address of the loopback that no other server has: what it prints and signs is as its users know
    /// it, and tests run beside each other.
    Own,
    /// 127.0.0.1 and ports of the system's choice: what it prints can be pasted.
    Localhost,
}

impl Places {
    /// The default ports at a random address of the loopback.
    pub fn own() -> Self {
        let random = u32::from_str_radix(&secrets::random(4), 16).unwrap().to_be_bytes();
        let host = Ipv4Addr::new(127, 16 + random[0] % 200, random[1], 1 + random[2] % 250);
        let at = |port| SocketAddr::from((host, port));
        Self { https: at(8443), http: at(8080), api: at(8444), ops: at(9090) }
    }
}

/// A server: its process, its folder and its places.
pub struct Server {
    /// Where it listens.
    pub places: Places,
    /// Its data folder.
    pub data: PathBuf,
    args: Vec<String>,
    tls: Option<Arc<ClientConfig>>,
    child: Option<Child>,
    started: usize,
    folder: TempDir,
    config: Option<Config>,
    checked: bool,
    /// Whether it refused to start once: then what it said stands in the log too, in several lines.
    complained: bool,
}

impl Server {
    /// `ficha dev` in a new folder.
    pub fn dev(addresses: Addresses) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("ficha-dev");
        let (places, ops) = match addresses {
            Addresses::Own => {
                let places = Places::own();
                (places, places.ops.to_string())
            }
            Addresses::Localhost => {
                let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                (Places { https: any, http: any, api: any, ops: any }, "off".to_owned())
            }
        };
        let mut args: Vec<String> = ["dev", "--log", "info,ficha=trace", "--ops", &ops].map(str::to_owned).to_vec();
        for (option, value) in [("--https", places.https), ("--http", places.http), ("--api", places.api)] {
            args.extend([option.to_owned(), value.to_string()]);
        }
        args.extend(["--data", "ficha-dev"].map(str::to_owned));
        let mut server = Self::of(places, data, args, folder);
        server.start();
        server
    }

    /// `ficha serve` with `config`.
    pub fn serve(config: Config) -> Self {
        let mut server = Self::prepared(config);
        server.start();
        server
    }

    /// `ficha serve` with `config`, not started yet.
    pub fn prepared(config: Config) -> Self {
        let path = config.write();
        let args = vec!["serve".into(), "--config".into(), path.display().to_string()];
        let mut server = Self::of(config.places, config.data(), args, tempfile::tempdir().unwrap());
        server.tls = Some(config.authority.client());
        server.config = Some(config);
        server
    }

    fn of(places: Places, data: PathBuf, args: Vec<String>, folder: TempDir) -> Self {
        let (child, tls, started) = (None, None, 0);
        Self { places, data, args, tls, child, started, folder, config: None, checked: true, complained: false }
    }

    /// The folder in which it was started.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration of a `serve`.
    pub fn config(&self) -> &Config {
        self.config.as_ref().unwrap()
    }

    /// The CA of a `serve`'s certificates.
    pub fn authority(&self) -> &Authority {
        &self.config().authority
    }

    /// The file of the development CA, or of the tests' own.
    pub fn ca(&self) -> PathBuf {
        match &self.config {
            None => self.data.join("ca.pem"),
            Some(config) => config.file("ca.pem", &config.authority.pem()),
        }
    }

    /// Starts it, and waits until it is ready.
    #[track_caller]
    pub fn start(&mut self) {
        self.try_start().unwrap_or_else(|output| panic!("it ended at once: {output:?}"));
    }

    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    /// What it said when it ended instead.
    pub fn try_start(&mut self) -> Result<(), Output> {
        self.launch();
        self.await_ready()
    }

    /// Waits until it is ready, after [`Self::launch`].
    ///
    /// # Errors
    /// What it said when it ended instead.
    pub fn await_ready(&mut self) -> Result<(), Output> {
        let mut child = self.child.take().unwrap();
        let (out, err) = (self.log("out"), self.log("err"));
        let read = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
        let is_ready = || read(&out).lines().any(|line| line == "ficha is ready");
        let ready = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for("ficha is ready", || {
                let ended = child.try_wait().unwrap();
                (is_ready() || ended.is_some()).then_some(ended)
            })
        }));
        match ready {
            Ok(None) => {}
            Ok(Some(status)) => {
                let code = status.code().unwrap_or(-1);
                self.complained = true;
                return Err(Output { code, stdout: read(&out), stderr: read(&err) });
            }
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("it never was ready: {}{}", read(&out), read(&err));
            }
        }
        self.child = Some(child);
        if self.tls.is_none() {
            self.take_places(&read(&out));
            let ca = std::fs::read_to_string(self.data.join("ca.pem")).unwrap();
            let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
            self.tls = Some(certificates::client(&ca, &versions));
        }
        Ok(())
    }

    /// Starts it and waits for nothing.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        self.started += 1;
        let (out, err) = (self.log("out"), self.log("err"));
        let mut command = Command::new(program());
        command.args(&self.args).current_dir(self.folder.path()).stdin(Stdio::null());
        command.stdout(File::create(out).unwrap()).stderr(File::create(err).unwrap());
        self.child = Some(command.spawn().unwrap());
    }

    /// The ports that the system chose stand in what it prints.
    fn take_places(&mut self, printed: &str) {
        let port = |before: &str, after: &str| -> u16 {
            let mut found = printed.split(before).skip(1).filter_map(|rest| rest.split_once(after));
            found.find_map(|(port, _)| port.parse().ok()).unwrap_or_else(|| panic!("no port: {printed}"))
        };
        for (place, port) in [
            (&mut self.places.https, port("https://localhost:", "/leancore")),
            (&mut self.places.http, port("http://localhost:", "/")),
            (&mut self.places.api, port("https://localhost:", "/cards")),
        ] {
            place.set_port(port);
        }
    }

    /// What the current process printed (`out`) or logged (`err`).
    pub fn said(&self, what: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log(what)).unwrap()).into_owned()
    }

    fn log(&self, what: &str) -> PathBuf {
        self.folder.path().join(format!("{}.{what}", self.started))
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// HTTPS.
    pub fn https(&self) -> Door {
        self.asked(Door::tls(self.places.https, self.tls.clone().unwrap()))
    }

    /// Plain HTTP.
    pub fn http(&self) -> Door {
        self.asked(Door::plain(self.places.http))
    }

    fn asked(&self, door: Door) -> Door {
        if self.config.as_ref().is_some_and(|config| config.patient) { door.patient(self.dir()) } else { door }
    }

    /// The example API.
    pub fn api(&self) -> Door {
        Door::tls(self.places.api, self.tls.clone().unwrap())
    }

    /// The operations port.
    pub fn ops(&self) -> Door {
        Door::plain(self.places.ops)
    }

    /// A command to it: `--data` or `--config` is added.
    pub fn cli(&self, args: &[&str]) -> Output {
        let patient = self.config.as_ref().is_some_and(|config| config.patient);
        wait_for("a command whose database does not take too long", || {
            Some(self.command(args)).filter(|output| !(patient && output.came_too_late()))
        })
    }

    fn command(&self, args: &[&str]) -> Output {
        let mut args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        args.extend(match &self.config {
            None => ["--data".to_owned(), self.data.display().to_string()],
            Some(config) => ["--config".to_owned(), config.path().display().to_string()],
        });
        cli::ficha(self.folder.path(), args)
    }

    /// The first value that a query of its database answers, as a text.
    pub fn query(&self, sql: &str) -> String {
        if let Some(database) = self.config.as_ref().and_then(|config| config.database.as_ref()) {
            return database.query(sql);
        }
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let store = rusqlite::Connection::open_with_flags(self.data.join("ficha.db"), flags).unwrap();
        let value = |row: &rusqlite::Row<'_>| match row.get_ref(0)? {
            ValueRef::Integer(number) => Ok(number.to_string()),
            ValueRef::Text(text) => Ok(String::from_utf8_lossy(text).into_owned()),
            ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => panic!("neither a number nor a text: {sql}"),
        };
        store.query_row(sql, [], value).unwrap()
    }

    /// A file that commands may name.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Applies a declaration.
    #[track_caller]
    pub fn apply(&self, declaration: &str) -> Output {
        let path = self.file(&format!("declaration-{}.toml", secrets::random(4)), declaration);
        let applied = || Some(self.command(&["apply", &path])).filter(|output| !output.came_too_late());
        wait_for("a declaration is applied", applied).done()
    }

    /// Sends a signal: `TERM`, `STOP`.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.pid())]).status().unwrap();
        assert!(status.success());
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Tells it to stop, waits, and gives its exit code.
    pub fn stop(&mut self) -> i32 {
        self.signal("TERM");
        self.wait()
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> i32 {
        let mut child = self.child.take().unwrap();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for("the server ends", || child.try_wait().unwrap())
        }));
        let Ok(status) = ended else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the server did not end: {}", self.said("err").lines().last().unwrap_or_default());
        };
        status.code().unwrap_or(-1)
    }

    /// Stops and starts it again.
    pub fn restart(&mut self) {
        assert_eq!(self.stop(), 0, "{}", self.said("err"));
        self.start();
    }

    /// Leaves the search for secrets out: for a server whose folder was damaged on purpose, or that gave more than can be searched for.
    pub fn unchecked(&mut self) {
        self.checked = false;
    }

    /// Where secrets are, that were used in this process: in its logs and in its data folder.
    fn leaks(&self) -> Vec<String> {
        let mut files: Vec<(PathBuf, bool)> = Vec::new();
        for n in 1..=self.started {
            files.extend(["out", "err"].map(|what| (self.folder.path().join(format!("{n}.{what}")), true)));
        }
        for entry in std::fs::read_dir(&self.data).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let is_key = [".key", ".pem", ".sock"].iter().any(|end| name.to_string_lossy().ends_with(end));
            if !is_key {
                files.push((entry.path(), false));
            }
        }
        if let Some(database) = self.config.as_ref().and_then(|config| config.database.as_ref()) {
            let dump = self.folder.path().join("database");
            std::fs::write(&dump, database.text()).unwrap();
            files.push((dump, false));
        }
        let files: Vec<_> = files.iter().map(|(path, log)| (path.as_path(), *log)).collect();
        secrets::found_in(&files)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.kill();
            let log = self.said("err");
            let last: Vec<_> = log.lines().rev().take(30).collect();
            eprintln!("the server's last lines:\n{}", last.into_iter().rev().collect::<Vec<_>>().join("\n"));
            return;
        }
        let was_running = self.child.is_some();
        let code = if was_running { self.stop() } else { 0 };
        assert_eq!(code, 0, "the server did not end in good order: {}", self.said("err"));
        // Whoever drops a request on purpose stops the server itself; and `dev` gives what was begun too little time to tell.
        let tells = was_running && self.config.is_some();
        assert!(!tells || !self.said("err").contains("were dropped"), "it waited for requests that nobody made");
        for n in 1..=self.started {
            let log = std::fs::read(self.folder.path().join(format!("{n}.err"))).unwrap();
            let log = String::from_utf8(log).unwrap();
            // Only the last line may be cut short, when the process was killed.
            for line in log.split_inclusive('\n').filter(|line| line.ends_with('\n') && !line.starts_with("ficha: ")) {
                assert!(!line.contains("panicked"), "{line}");
                assert!(self.complained || serde_json::from_str::<serde_json::Value>(line).is_ok(), "no JSON: {line}");
            }
        }
        if self.checked {
            let leaks = self.leaks();
            assert!(leaks.is_empty(), "secrets were found:\n{}", leaks.join("\n"));
        }
    }
}
