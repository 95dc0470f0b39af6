//! A real PgBouncer for tests: it lends a server's connection for one transaction.

use super::{Guarded, SUPERUSER, Server, free_port};

/// A running PgBouncer before a [`Server`], ended as that one is.
pub struct Bouncer {
    guarded: Guarded,
    port: u16,
}

impl Bouncer {
    /// Starts one in transaction mode, with a few connections to each database of `server`.
    pub fn start(server: &Server) -> Self {
        let guarded = Guarded::new(r#"kill -QUIT "$(cat pid)""#, &[]);
        let port = free_port();
        let folder = guarded.folder().display();
        let settings = format!(
            "[databases]\n* = host={} port={} user={SUPERUSER}\n[pgbouncer]\npool_mode = transaction\n\
             listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             default_pool_size = 8\nmax_client_conn = 1000\nserver_lifetime = 5\npidfile = {folder}/pid\n\
             logfile = {folder}/log\n",
            server.folder().display(),
            server.port(),
        );
        let file = guarded.folder().join("pgbouncer.ini");
        guarded.write(&file, &settings);
        // Debian puts it where only root looks.
        guarded.sh("PATH=$PATH:/usr/sbin exec pgbouncer --quiet --daemon pgbouncer.ini");
        let bouncer = Self { guarded, port };
        bouncer.guarded.sh(&format!(
            "until pg_isready --quiet --host 127.0.0.1 --port {port} --dbname postgres; do sleep 0.05; done"
        ));
        bouncer
    }

    /// The URL of a database through it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@127.0.0.1:{}/{database}", self.port)
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.guarded.folder().join("log")).unwrap_or_default()
    }
}
