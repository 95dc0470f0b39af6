//! A proxy before PostgreSQL that understands enough of its protocol to cut a connection exactly at a commit.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

/// On which side of the commit a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The server never hears of the commit.
    Before,
    /// The server commits, and nobody hears its answer.
    After,
}

/// A running proxy.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// The side, and the table that the step writes to whose commit is meant.
    armed: Arc<Mutex<Option<(Side, &'static str)>>>,
}

impl Proxy {
    /// Starts one before the server at this port of the loopback. It ends with the process.
    pub(crate) fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self { address: listener.local_addr().unwrap(), armed: Arc::default() };
        let armed = proxy.armed.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(server), client) = (TcpStream::connect(("127.0.0.1", port)), client.unwrap()) else { continue };
                // Each message is passed on by itself: without this most would wait 40 ms for the last one to be acknowledged.
                for stream in [&client, &server] {
                    let _ = stream.set_nodelay(true);
                }
                let link = Arc::new(Link { client, server, unanswered: 0.into(), cut: false.into() });
                let (ahead, back, armed) = (link.clone(), link, armed.clone());
                std::thread::spawn(move || {
                    let _ = ahead.requests(&armed);
                    ahead.close();
                });
                std::thread::spawn(move || {
                    let _ = back.answers();
                    back.close();
                });
            }
        });
        proxy
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on the next connection in which that table was written to is cut at its commit.
    pub(crate) fn cut(&self, side: Side, table: &'static str) {
        *self.armed.lock().unwrap() = Some((side, table));
    }

    /// Whether it still waits for that.
    pub(crate) fn is_armed(&self) -> bool {
        self.armed.lock().unwrap().is_some()
    }
}

/// Both ends of a connection.
struct Link {
    client: TcpStream,
    server: TcpStream,
    /// Requests that the server has not answered to their end.
    unanswered: AtomicI64,
    /// Whether the client hears nothing any more.
    cut: AtomicBool,
}

/// What a client has said so far.
#[derive(Default)]
struct Said {
    /// Texts of statements by their names.
    statements: HashMap<Vec<u8>, String>,
    in_transaction: bool,
    /// Texts of what is to be committed.
    written: Vec<String>,
}

impl Said {
    /// Notes a message; whether it asks for a commit.
    fn note(&mut self, kind: u8, body: &[u8]) -> bool {
        let word = |at: usize| body[at..].split(|b| *b == 0).next().unwrap();
        match kind {
            b'P' => {
                let name = word(0);
                let text = String::from_utf8_lossy(word(name.len() + 1)).into_owned();
                self.statements.insert(name.to_vec(), text);
            }
            b'B' => {
                let text = &self.statements[word(word(0).len() + 1)];
                // Nor what the node purges by itself, from the same tables: it alone writes up to a number of rows.
                if !text.starts_with("SELECT") && !text.contains("LIMIT $2") {
                    self.written.push(text.clone());
                }
            }
            b'Q' => match String::from_utf8_lossy(word(0)).split(' ').next().unwrap() {
                "BEGIN" => {
                    (self.in_transaction, self.written) = (true, Vec::new());
                }
                "COMMIT" => {
                    self.in_transaction = false;
                    return true;
                }
                "ROLLBACK" => (self.in_transaction, self.written) = (false, Vec::new()),
                _ => {}
            },
            // What is outside a transaction stands with its Sync.
            b'S' => return !self.in_transaction,
            _ => {}
        }
        false
    }
}

impl Link {
    fn requests(&self, armed: &Mutex<Option<(Side, &'static str)>>) -> std::io::Result<()> {
        let (mut from, mut to) = (&self.client, &self.server);
        // The first message has no kind.
        let start = message(&mut from, false)?;
        to.write_all(&start)?;
        let mut said = Said::default();
        loop {
            let message = message(&mut from, true)?;
            if said.note(message[0], &message[5..]) {
                let written = std::mem::take(&mut said.written);
                let mut armed = armed.lock().unwrap();
                let hit = armed.filter(|(_, table)| written.iter().any(|text| text.contains(&format!(" {table} "))));
                if let Some((side, _)) = hit {
                    *armed = None;
                    if side == Side::Before {
                        return Ok(());
                    }
                    self.cut.store(true, Ordering::SeqCst);
                }
            }
            if matches!(message[0], b'Q' | b'S') {
                self.unanswered.fetch_add(1, Ordering::SeqCst);
            }
            to.write_all(&message)?;
        }
    }

    fn answers(&self) -> std::io::Result<()> {
        let (mut from, mut to) = (&self.server, &self.client);
        // The end of the handshake is an answer to the end, too.
        self.unanswered.fetch_add(1, Ordering::SeqCst);
        loop {
            let message = message(&mut from, true)?;
            let left = match message[0] {
                b'Z' => self.unanswered.fetch_sub(1, Ordering::SeqCst) - 1,
                _ => 1,
            };
            if !self.cut.load(Ordering::SeqCst) {
                to.write_all(&message)?;
            } else if left == 0 {
                return Ok(());
            }
        }
    }

    fn close(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

/// A message: its kind, but for the first one, its length and the rest.
fn message(from: &mut &TcpStream, has_kind: bool) -> std::io::Result<Vec<u8>> {
    let head = if has_kind { 5 } else { 4 };
    let mut whole = vec![0; head];
    from.read_exact(&mut whole)?;
    let length = u32::from_be_bytes(whole[head - 4..].try_into().unwrap()) as usize;
    whole.resize(head - 4 + length, 0);
    from.read_exact(&mut whole[head..])?;
    Ok(whole)
}
