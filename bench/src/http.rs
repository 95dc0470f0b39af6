//! The generator: HTTP/1.1 over a few kept connections, requests made beforehand, every answer checked.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

/// How long an answer may take before it counts as lost.
const PATIENCE: Duration = Duration::from_mins(1);

/// An answer.
pub(crate) struct Answer<'a> {
    /// Its status.
    pub(crate) status: u16,
    /// Its whole body.
    pub(crate) body: &'a str,
}

impl Answer<'_> {
    /// Whether it is a 200 that holds `needle`.
    pub(crate) fn is(&self, needle: &str) -> bool {
        self.status == 200 && self.body.contains(needle)
    }

    /// The text behind `"name":"`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("\"{name}\":\""))?;
        rest.split_once('"').map(|(value, _)| value)
    }
}

/// One connection.
pub(crate) struct Caller {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Caller {
    /// Connects.
    ///
    /// # Errors
    /// Nobody is there.
    pub(crate) fn new(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::with_capacity(8 << 10) })
    }

    /// `n` connections.
    ///
    /// # Errors
    /// Nobody is there.
    pub(crate) fn several(n: usize, to: SocketAddr) -> Result<Vec<Self>> {
        (0..n).map(|_| Self::new(to)).collect()
    }

    /// `n` connections that do not sleep while they wait: the server is charged with waking up who sleeps on the same machine, the
    /// sooner it is done the more seldom. Callers over a network cost it nothing of the kind.
    ///
    /// # Errors
    /// Nobody is there.
    pub(crate) fn wakeful(n: usize, to: SocketAddr) -> Result<Vec<Self>> {
        let callers = Self::several(n, to)?;
        for caller in &callers {
            caller.stream.set_nonblocking(true)?;
        }
        Ok(callers)
    }

    /// Sends a whole request.
    ///
    /// # Errors
    /// The connection is gone.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(request)?)
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// The connection is gone, or this is no answer.
    pub(crate) fn receive(&mut self) -> Result<Answer<'_>> {
        self.buffer.clear();
        let head = loop {
            self.more()?;
            if let Some(end) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break end;
            }
        };
        let text = str::from_utf8(self.buffer.get(..head).unwrap_or_default())?;
        let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).context("no status")?;
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let whole = head + 4 + length.context("an answer without its length")?;
        while self.buffer.len() < whole {
            self.more()?;
        }
        let body = str::from_utf8(self.buffer.get(head + 4..whole).unwrap_or_default())?;
        Ok(Answer { status, body })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// As [`Self::send`] and [`Self::receive`].
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.send(request)?;
        self.receive()
    }

    fn more(&mut self) -> Result<()> {
        let mut part = [0; 4096];
        let since = Instant::now();
        let read = loop {
            match self.stream.read(&mut part) {
                Err(e) if e.kind() == ErrorKind::WouldBlock && since.elapsed() < PATIENCE => std::hint::spin_loop(),
                read => break read?,
            }
        };
        if read == 0 {
            bail!("the connection was closed");
        }
        self.buffer.extend_from_slice(part.get(..read).unwrap_or_default());
        Ok(())
    }
}

/// What a series of requests came to.
pub(crate) struct Driven {
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Answers that were not as they must be.
    pub(crate) errors: u64,
}

/// What is asked, and whether the answer is right.
pub(crate) trait Asking {
    /// Writes the request number `n` of the series into `place`; it goes over the `caller`th connection.
    fn request(&mut self, n: usize, caller: usize, place: &mut Vec<u8>);

    /// Whether the answer that came over the `caller`th connection is right.
    fn right(&mut self, caller: usize, answer: &Answer<'_>) -> bool;
}

/// Always the same request.
pub(crate) struct Same<'a> {
    /// Its bytes.
    pub(crate) request: &'a [u8],
    /// What a right answer holds.
    pub(crate) needle: &'a str,
}

impl Asking for Same<'_> {
    fn request(&mut self, _: usize, _: usize, place: &mut Vec<u8>) {
        place.extend_from_slice(self.request);
    }

    fn right(&mut self, _: usize, answer: &Answer<'_>) -> bool {
        answer.is(self.needle)
    }
}

/// Sends `n` requests, one under way on each connection at any time.
///
/// # Errors
/// A connection is gone: that is no figure.
pub(crate) fn drive(callers: &mut [Caller], n: usize, asking: &mut impl Asking) -> Result<Driven> {
    let mut request = Vec::with_capacity(4 << 10);
    let mut errors = 0;
    let several = callers.len();
    let began = Instant::now();
    for (at, caller) in callers.iter_mut().enumerate().take(n) {
        request.clear();
        asking.request(at, at, &mut request);
        caller.send(&request)?;
    }
    for done in 0..n {
        let at = done % several;
        let Some(caller) = callers.get_mut(at) else { break };
        let answer = caller.receive()?;
        if !asking.right(at, &answer) {
            if errors == 0 {
                eprintln!("a wrong answer: {} {}", answer.status, answer.body);
            }
            errors += 1;
        }
        if done + several < n {
            request.clear();
            asking.request(done + several, at, &mut request);
            caller.send(&request)?;
        }
    }
    Ok(Driven { took: began.elapsed(), errors })
}
