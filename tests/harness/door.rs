//! Where a server is spoken to: plain TCP or TLS, bytes in, the whole answer out.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;
use serde_json::Value;

use super::{Answer, LONG, bear_with, secrets, wait::BETWEEN};

/// An address of a server.
#[derive(Debug, Clone)]
pub struct Door {
    address: SocketAddr,
    tls: Option<(Arc<ClientConfig>, String)>,
    /// The folder of the log of the node behind it, where who asks it bears with its database.
    patient: Option<PathBuf>,
}

/// A connection to it.
pub struct Connection(Box<dyn Stream>);

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Door {
    /// Plain HTTP at `address`.
    pub fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None, patient: None }
    }

    /// HTTPS at `address`, with the name of `localhost` in the handshake.
    pub fn tls(address: SocketAddr, config: Arc<ClientConfig>) -> Self {
        Self { address, tls: Some((config, "localhost".into())), patient: None }
    }

    /// The same door by another name in the handshake.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        let tls = self.tls.as_ref().map(|(config, _)| (config.clone(), name.to_owned()));
        Self { tls, ..self.clone() }
    }

    /// The same door to a node whose log is in that folder, for who comes again when its database took too long.
    #[must_use]
    pub fn patient(&self, log: &Path) -> Self {
        Self { patient: Some(log.to_owned()), ..self.clone() }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `https` or `http`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// What TCP or TLS says.
    pub fn try_connect(&self) -> std::io::Result<Connection> {
        let tcp = TcpStream::connect(self.address)?;
        tcp.set_read_timeout(Some(LONG))?;
        tcp.set_nodelay(true)?;
        Ok(Connection(match &self.tls {
            None => Box::new(tcp),
            Some((config, name)) => {
                let name = ServerName::try_from(name.clone()).unwrap();
                let connection = ClientConnection::new(config.clone(), name).map_err(std::io::Error::other)?;
                Box::new(StreamOwned::new(connection, tcp))
            }
        }))
    }

    /// Opens a connection.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        self.try_connect().unwrap_or_else(|e| panic!("{}: {e}", self.address))
    }

    /// Sends these bytes over a connection of their own; the whole answer.
    #[track_caller]
    pub fn send(&self, request: &[u8]) -> Answer {
        let until = Instant::now() + LONG;
        loop {
            let sent = Instant::now();
            let answer = self.send_once(request);
            match &self.patient {
                Some(log) if answer.status == 503 && sent < until => {
                    bear_with(&answer, sent.elapsed(), std::slice::from_ref(log));
                    std::thread::sleep(BETWEEN);
                }
                _ => return answer,
            }
        }
    }

    #[track_caller]
    fn send_once(&self, request: &[u8]) -> Answer {
        let mut connection = self.connect();
        connection.write(request).unwrap();
        let head = request.starts_with(b"HEAD ");
        connection.read_answer(head).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(request)))
    }

    /// What is asked here by `Host: localhost:PORT`.
    pub fn base(&self, prefix: &str) -> Base {
        self.host(&format!("localhost:{}", self.port()), prefix)
    }

    /// What is asked here by that `Host`.
    pub fn host(&self, host: &str, prefix: &str) -> Base {
        Base { door: self.clone(), host: host.to_owned(), prefix: prefix.to_owned() }
    }
}

impl Connection {
    /// Writes these bytes.
    ///
    /// # Errors
    /// What the connection says.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    /// Reads a whole answer; `head`: to a `HEAD` request, which has no body. Tokens in it are noted as [`secrets`].
    ///
    /// # Errors
    /// When the connection ends before the answer does.
    pub fn read_answer(&mut self, head: bool) -> std::io::Result<Answer> {
        let mut answer = self.read_head()?;
        if head || answer.status == 100 {
            return Ok(answer);
        }
        let length: usize = match answer.header("content-length") {
            Some(length) => length.parse().map_err(std::io::Error::other)?,
            None if answer.header("transfer-encoding") == Some("chunked") => {
                answer.body = self.chunks()?;
                return Ok(answer);
            }
            None => 0,
        };
        answer.body = vec![0; length];
        self.0.read_exact(&mut answer.body)?;
        if answer.header("content-type") == Some("application/json") {
            serde_json::from_slice(&answer.body).iter().for_each(note_tokens);
        }
        Ok(answer)
    }

    /// Reads the head of an answer alone: what follows is read chunk by chunk.
    ///
    /// # Errors
    /// When the connection ends before the head does.
    pub fn read_head(&mut self) -> std::io::Result<Answer> {
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            read.extend(byte);
        }
        let text = String::from_utf8(read).map_err(std::io::Error::other)?;
        Ok(Answer::of_head(&text))
    }

    /// Reads the next chunk of an answer that has no length; empty: it was the last.
    ///
    /// # Errors
    /// When the connection ends before the chunk does.
    pub fn read_chunk(&mut self) -> std::io::Result<Vec<u8>> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            line.extend(byte);
        }
        let size = std::str::from_utf8(&line).map_err(std::io::Error::other)?.trim();
        let size = usize::from_str_radix(size, 16).map_err(std::io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        self.0.read_exact(&mut chunk)?;
        chunk.truncate(size);
        Ok(chunk)
    }

    /// Reads to the end: what came, and whether it ended in good order. One that does not end fails.
    pub fn read_to_end(&mut self) -> (Vec<u8>, bool) {
        let mut rest = Vec::new();
        let ended = self.0.read_to_end(&mut rest);
        let waited_in_vain = ended.as_ref().is_err_and(|e| e.kind() == ErrorKind::WouldBlock);
        assert!(!waited_in_vain, "the connection does not end");
        (rest, ended.is_ok())
    }

    fn chunks(&mut self) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let chunk = self.read_chunk()?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }
}

/// Every member that is called a token is one.
fn note_tokens(json: &Value) {
    let Some(members) = json.as_object() else { return };
    for (name, value) in members {
        match value.as_str() {
            Some(token) if matches!(name.as_str(), "access_token" | "refresh_token" | "value" | "renewal") => {
                secrets::note(name, token);
            }
            _ => note_tokens(value),
        }
    }
}

/// A base URL of an issuer.
#[derive(Debug, Clone)]
pub struct Base {
    /// The door behind it.
    pub door: Door,
    host: String,
    prefix: String,
}

impl Base {
    /// A request by that method.
    pub fn call(&self, method: &str, path: &str) -> Call {
        Call {
            door: self.door.clone(),
            line: format!("{method} {}{path} HTTP/1.1", self.prefix),
            headers: vec![("Host".into(), self.host.clone())],
            body: Vec::new(),
        }
    }

    /// A `POST`.
    pub fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    /// The answer to a `GET`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path).send()
    }

    /// `https://localhost:8443/pomelo`.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.door.scheme(), self.host, self.prefix)
    }
}

/// A request in the making.
#[derive(Debug, Clone)]
pub struct Call {
    door: Door,
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With `Authorization: Basic`, nothing encoded.
    #[must_use]
    pub fn basic(self, id: &str, secret: &str) -> Self {
        let value = STANDARD.encode(format!("{id}:{secret}"));
        if secrets::is_noted(secret) {
            secrets::note("a Basic header", &value);
        }
        self.header("Authorization", &format!("Basic {value}"))
    }

    /// With a form.
    #[must_use]
    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        let encode = |text: &str| -> String {
            let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._*".contains(b);
            text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
        };
        let pairs: Vec<String> = pairs.iter().map(|(n, v)| [encode(n), encode(v)].join("=")).collect();
        self.body = pairs.join("&").into_bytes();
        self.header("Content-Type", "application/x-www-form-urlencoded")
    }

    /// With JSON.
    #[must_use]
    pub fn json(mut self, value: &Value) -> Self {
        self.body = value.to_string().into_bytes();
        self.header("Content-Type", "application/json")
    }

    /// The bytes of the request.
    pub fn bytes(&self) -> Vec<u8> {
        let mut lines = vec![self.line.clone()];
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        if !self.body.is_empty() {
            lines.push(format!("Content-Length: {}", self.body.len()));
        }
        [format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes(), &self.body].concat()
    }

    /// Sends it; the whole answer.
    #[track_caller]
    pub fn send(&self) -> Answer {
        self.door.send(&self.bytes())
    }

    /// Opens a connection to where it goes.
    #[track_caller]
    pub fn connect(&self) -> Connection {
        self.door.connect()
    }

    /// Sends it over a connection that is kept, for an answer that goes on.
    #[track_caller]
    pub fn open(&self) -> Connection {
        let mut connection = self.door.connect();
        connection.write(&self.bytes()).unwrap();
        connection
    }

    /// Sends it to a server that may go away meanwhile.
    ///
    /// # Errors
    /// What the connection says.
    pub fn try_send(&self) -> std::io::Result<Answer> {
        let mut connection = self.door.try_connect()?;
        connection.write(&self.bytes())?;
        connection.read_answer(false)
    }
}
