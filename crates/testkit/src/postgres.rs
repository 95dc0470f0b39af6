//! A real PostgreSQL for tests: Debian's binaries, a temporary folder, a loopback port that nobody else has.
//!
//! ```text
//! let server = postgres::shared();           // one for the whole process, started when first asked for
//! let database = server.database();          // an empty one, dropped with this value
//! let store = open(&database.url());
//! ```
//!
//! A server ends with its value, and with the process however that ends: a watchdog waits for the end of a pipe that
//! the process holds, stops the server and removes its folder. As root, everything runs as the user `postgres`.

mod bouncer;
mod guarded;
mod place;

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

pub use bouncer::Bouncer;
pub use guarded::{Guarded, free_port};

/// The superuser of a test's server: no password over its socket and over the loopback.
pub const SUPERUSER: &str = "ficha";

/// How a server is made.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether a commit waits for the disk. A test that crashes only processes needs no disk.
    pub fsync: bool,
    /// Further settings, as in `postgresql.conf`: after ficha's own, so that they win.
    pub settings: Vec<(String, String)>,
    /// A certificate and its key, PEM: it speaks TLS too.
    pub tls: Option<(String, String)>,
}

impl Options {
    /// With one more setting.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running PostgreSQL, or one that was stopped and can be started again.
pub struct Server {
    guarded: Guarded,
    port: u16,
    databases: AtomicU32,
}

/// The server of this process: for cases that each take a database of their own and leave the server alone.
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(Server::start)
}

impl Server {
    /// Starts one that does not wait for the disk.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&Options::default())
    }

    /// Starts one.
    #[must_use]
    pub fn with(options: &Options) -> Self {
        let server = Self::in_new_folder();
        let data = server.data();
        // Not the C locale: an order or an equality that depends on the locale is to show.
        let locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=es"];
        let who = ["--username", SUPERUSER, "--auth=trust", "--no-sync", "--pgdata"];
        server.guarded.run(&place::binary("initdb"), &[&locale[..], &who[..], &[data.to_str().unwrap()]].concat());
        server.configure(options);
        server.restart();
        server
    }

    fn in_new_folder() -> Self {
        let guarded = Guarded::new(
            // Whatever state it is in: a paused one is woken, one that does not go is killed.
            r#"pid=$(head -n 1 data/postmaster.pid 2>/dev/null) || exit 0
               kill -CONT "$pid" 2>/dev/null
               "$PG_CTL" --pgdata data --mode immediate --timeout 20 --silent stop >/dev/null 2>&1 \
                   || kill -KILL "$pid" 2>/dev/null"#,
            &[("PG_CTL", &place::binary("pg_ctl"))],
        );
        Self { guarded, port: free_port(), databases: AtomicU32::new(0) }
    }

    fn configure(&self, options: &Options) {
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\nmax_connections = 300\n\
             shared_buffers = 64MB\nfsync = {}\nmax_wal_size = 512MB\nlog_min_messages = warning\n\
             log_line_prefix = '%m [%p] %q%u@%d '\nhot_standby_feedback = on\nwal_receiver_status_interval = 1\n",
            self.port,
            self.folder().display(),
            if options.fsync { "on" } else { "off" },
        );
        if let Some((certificate, key)) = &options.tls {
            text.push_str("ssl = on\nssl_cert_file = 'server.crt'\nssl_key_file = 'server.key'\n");
            for (name, pem) in [("server.crt", certificate), ("server.key", key)] {
                self.guarded.write(&self.data().join(name), pem);
            }
        }
        text.extend(options.settings.iter().map(|(name, value)| format!("{name} = '{value}'\n")));
        let mut file = File::options().append(true).open(self.data().join("postgresql.conf")).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        // Others than the superuser prove who they are, as in production.
        let access = format!(
            "local all all trust\nhost all,replication {SUPERUSER} 127.0.0.1/32 trust\nlocal replication all trust\n\
             host all,replication all 127.0.0.1/32 scram-sha-256\n"
        );
        self.guarded.write(&self.data().join("pg_hba.conf"), &access);
    }

    /// A new empty database.
    #[must_use]
    pub fn database(&self) -> Database<'_> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.query("postgres", &format!("CREATE DATABASE {name}"));
        Database { server: self, name }
    }

    /// The URL of a database over the loopback, as the superuser.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The same over the Unix socket.
    #[must_use]
    pub fn socket_url(&self, database: &str) -> String {
        let folder = self.folder().display().to_string().replace('/', "%2F");
        format!("postgres://{SUPERUSER}@{folder}:{}/{database}", self.port)
    }

    /// Its port on 127.0.0.1, and in the name of its socket.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Where its socket is, and its data folder in `data`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.guarded.folder()
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Runs SQL as the superuser with `psql`, each statement by itself: rows as lines, columns apart by `|`.
    pub fn query(&self, database: &str, sql: &str) -> String {
        let port = self.port.to_string();
        let (psql, folder) = (place::binary("psql"), self.folder().to_str().unwrap());
        let who = ["-h", folder, "-p", &port, "-U", SUPERUSER, "-d", database];
        let how = ["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql];
        self.guarded.run(&psql, &[&who[..], &how[..]].concat()).trim_end().to_owned()
    }

    /// Runs one of PostgreSQL's own programs as the server's user, on this server and `database`: what it wrote.
    pub fn run(&self, program: &str, args: &[&str], database: &str) -> String {
        let port = self.port.to_string();
        let where_to = ["-h", "127.0.0.1", "-p", &port, "-U", SUPERUSER];
        self.guarded.run(&place::binary(program), &[&where_to[..], args, &[database]].concat())
    }

    /// Stops it: open connections are cut, what was committed is on the disk.
    pub fn stop(&self) {
        self.pg_ctl(&["--mode", "fast", "stop"]);
    }

    /// Starts it again on its port, after [`Self::stop`] or [`Self::kill`] or while it runs.
    pub fn restart(&self) {
        if self.pid().is_some() {
            self.stop();
        }
        let log = self.folder().join("log");
        self.pg_ctl(&["--log", log.to_str().unwrap(), "start"]);
    }

    /// Ends every process of it with SIGKILL, as when the machine goes down: nothing is closed, nothing is answered.
    pub fn kill(&self) {
        self.guarded.sh(
            // The children are nobody's when the postmaster is gone: they are asked for before, while it stands still and makes no
            // more. Where nobody collects the dead, the next start would take their locks for a running server's.
            r#"pid=$(head -n 1 data/postmaster.pid)
               kill -STOP "$pid"
               all="$pid $(ps -o pid= --ppid "$pid")"
               kill -KILL $all
               for one in $all; do
                   while ps -o stat= -p "$one" | grep -qv Z; do sleep 0.02; done
               done
               rm -f data/postmaster.pid .s.PGSQL.*"#,
        );
    }

    /// Stops every process of it where it stands: connections stay open and nothing is answered, until [`Self::resume`].
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        // The postmaster alone first: while its children are asked for it makes no more, and buries none.
        self.guarded.sh(&format!(
            "pid=$(head -n 1 data/postmaster.pid); kill -STOP \"$pid\" && kill -{name} $(ps -o pid= --ppid \"$pid\") \"$pid\""
        ));
    }

    /// A second server that follows this one, called `name` in `synchronous_standby_names`. It reads until it is promoted.
    #[must_use]
    pub fn standby(&self, name: &str) -> Self {
        let standby = Self::in_new_folder();
        let (from, port) = (self.folder().to_str().unwrap(), self.port.to_string());
        let (data, basebackup) = (standby.data(), place::binary("pg_basebackup"));
        let source = ["-h", from, "-p", &port, "-U", SUPERUSER];
        let how = ["-c", "fast", "--no-sync", "-R", "-D", data.to_str().unwrap()];
        standby.guarded.run(&basebackup, &[&source[..], &how[..]].concat());
        // The copy has the settings of the first as well: it waits for nobody once it is promoted.
        standby.configure(&Options::default().set("cluster_name", name).set("synchronous_standby_names", ""));
        standby.restart();
        standby
    }

    /// Makes a standby the server that writes.
    pub fn promote(&self) {
        self.pg_ctl(&["promote"]);
    }

    /// The process that accepts connections, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        file.lines().next()?.trim().parse().ok()
    }

    fn data(&self) -> PathBuf {
        self.folder().join("data")
    }

    fn pg_ctl(&self, args: &[&str]) {
        let data = self.data();
        let always = ["--pgdata", data.to_str().unwrap(), "--wait", "--timeout", "120", "--silent"];
        self.guarded.run(&place::binary("pg_ctl"), &[&always[..], args].concat());
    }
}

/// A database of its own for a case, dropped with this value.
pub struct Database<'a> {
    server: &'a Server,
    name: String,
}

impl Database<'_> {
    /// Where it is, over the loopback.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All that stands in its tables, bytes as they are.
    pub fn text(&self) -> String {
        let tables = self.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'");
        let rows: Vec<_> = tables.lines().map(|table| format!("SELECT t::text FROM {table} t")).collect();
        self.query(&format!("SET bytea_output = 'escape'; {}", rows.join("; ")))
    }

    /// Runs SQL in it, past everybody's back.
    pub fn query(&self, sql: &str) -> String {
        self.server.query(&self.name, sql)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        // A server that a test has stopped takes its databases along.
        if self.server.pid().is_some() && !std::thread::panicking() {
            self.server.query("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}
