//! `HAProxy`, as an operator would set it up.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::SocketAddr,
    os::unix::net::UnixStream,
};

use ficha_testkit::postgres::{Guarded, free_port};
use ficha_tests::Door;

use crate::nodes::at_last;

/// A server behind it.
pub(crate) struct Behind {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// Where it says whether it can be asked.
    pub(crate) checked: SocketAddr,
}

/// A running `HAProxy`.
pub(crate) struct Balancer {
    guarded: Guarded,
    port: u16,
}

impl Balancer {
    /// Starts one that passes connections on to whoever answers `check` with 200, and leaves those alone that are open.
    pub(crate) fn before(servers: &[Behind], check: &str) -> Self {
        Self::start(servers, check, "")
    }

    /// The same, which cuts the connections to a server that does not answer so any more.
    pub(crate) fn cutting(servers: &[Behind], check: &str) -> Self {
        Self::start(servers, check, "on-marked-down shutdown-sessions")
    }

    fn start(servers: &[Behind], check: &str, more: &str) -> Self {
        let guarded = Guarded::new(r#"kill -KILL "$(cat pid)""#, &[]);
        let port = free_port();
        let folder = guarded.folder().display();
        let mut text = format!(
            "global\n  maxconn 2000\n  pidfile {folder}/pid\n  stats socket {folder}/stats\n\
             defaults\n  mode tcp\n  retries 3\n  option redispatch\n  timeout connect 3s\n  timeout client 10m\n  \
             timeout server 10m\n  timeout check 3s\n\
             listen all\n  bind 127.0.0.1:{port}\n  option httpchk {check}\n  http-check expect status 200\n  \
             default-server inter 300ms fall 2 rise 1 {more}\n"
        );
        for Behind { name, address, checked } in servers {
            writeln!(text, "  server {name} {address} check addr {} port {}", checked.ip(), checked.port()).unwrap();
        }
        guarded.write(&guarded.folder().join("haproxy.cfg"), &text);
        // Debian puts it where only root looks.
        guarded.sh("PATH=$PATH:/usr/sbin exec haproxy -D -f haproxy.cfg >log 2>&1");
        Self { guarded, port }
    }

    /// Its port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where callers ask.
    pub(crate) fn door(&self) -> Door {
        Door::plain(SocketAddr::from(([127, 0, 0, 1], self.port)))
    }

    /// Waits until it passes connections on to that server.
    pub(crate) fn takes(&self, name: &str) {
        at_last("the balancer takes the server", || self.state(name).starts_with("UP"));
    }

    /// What it thinks of that server: `UP`, `DOWN`.
    pub(crate) fn state(&self, name: &str) -> String {
        let mut socket = UnixStream::connect(self.guarded.folder().join("stats")).unwrap();
        socket.write_all(b"show stat\n").unwrap();
        let mut table = String::new();
        socket.read_to_string(&mut table).unwrap();
        let mut lines = table.lines();
        let column = lines.next().unwrap().split(',').position(|head| head == "status").unwrap();
        let row = lines.find(|line| line.split(',').nth(1) == Some(name)).unwrap_or_else(|| panic!("{table}"));
        row.split(',').nth(column).unwrap().to_owned()
    }
}
