//! Series of requests: to a process whose CPU time is taken, or by a crowd that refreshes.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};

use crate::{
    http::{Answer, Asking, Caller, Driven, drive},
    process::Process,
    rate::GROUP,
    site::Site,
};

/// Connections of a series that is no crowd.
const FEW: usize = 8;

/// What a right answer of the token endpoint holds.
pub(crate) const TOKEN: &str = "\"access_token\":\"";

/// A process with the connections to it.
pub(crate) struct Series<'a> {
    /// What is measured.
    pub(crate) process: &'a Process,
    /// The connections.
    pub(crate) callers: Vec<Caller>,
    /// Requests so far.
    pub(crate) sent: usize,
}

impl<'a> Series<'a> {
    /// Connects.
    ///
    /// # Errors
    /// Nobody is there.
    pub(crate) fn new(process: &'a Process, address: SocketAddr) -> Result<Self> {
        Ok(Self { process, callers: Caller::wakeful(FEW, address)?, sent: 0 })
    }

    /// CPU microseconds per request of `n`.
    ///
    /// # Errors
    /// A lost connection.
    pub(crate) fn cpu(&mut self, n: usize, asking: &mut impl Asking) -> Result<(f64, Driven)> {
        let before = self.process.cpu()?;
        let driven = drive(&mut self.callers, n, asking)?;
        let spent = self.process.cpu()?.saturating_sub(before);
        self.sent += n;
        Ok((spent.as_secs_f64() * 1e6 / n as f64, driven))
    }
}

/// Asks for tokens and keeps them.
pub(crate) struct Tokens {
    /// The request.
    pub(crate) request: Vec<u8>,
    /// What it is called in the answer.
    pub(crate) name: &'static str,
    /// Those that came.
    pub(crate) seen: Vec<String>,
}

impl Asking for Tokens {
    fn request(&mut self, _: usize, _: usize, place: &mut Vec<u8>) {
        place.extend_from_slice(&self.request);
    }

    fn right(&mut self, _: usize, answer: &Answer<'_>) -> bool {
        self.seen.extend(answer.text(self.name).map(str::to_owned));
        answer.is(TOKEN)
    }
}

/// Callers that refresh, and the families that they refresh in turn: all of them before the first one again, as it is where there
/// are many.
pub(crate) struct Crowd<'a> {
    site: &'a Site,
    callers: Vec<Caller>,
    tokens: Vec<String>,
    next: usize,
    /// Requests so far.
    pub(crate) sent: usize,
}

impl<'a> Crowd<'a> {
    /// Begins `families`, and uses each once: only then it has its row.
    ///
    /// # Errors
    /// A lost connection, a wrong answer.
    pub(crate) fn new(site: &'a Site, families: usize) -> Result<Self> {
        let mut crowd =
            Self { site, callers: Caller::wakeful(GROUP, site.address)?, tokens: Vec::new(), next: 0, sent: families };
        let mut begun = Tokens { request: site.with_refresh(), name: "refresh_token", seen: Vec::new() };
        let driven = drive(&mut crowd.callers, families, &mut begun)?;
        ensure!(driven.errors == 0, "not every family could begin");
        crowd.tokens = begun.seen;
        crowd.refresh(families)?;
        Ok(crowd)
    }

    /// Refreshes the next `n` families.
    ///
    /// # Errors
    /// A lost connection.
    pub(crate) fn refresh(&mut self, n: usize) -> Result<Driven> {
        if self.next + n > self.tokens.len() {
            self.next = 0;
        }
        let tokens = self.tokens.get_mut(self.next..self.next + n).context("more families than there are")?;
        self.next += n;
        self.sent += n;
        drive(&mut self.callers, n, &mut Refreshing { site: self.site, tokens, under_way: [0; GROUP] })
    }
}

struct Refreshing<'a> {
    site: &'a Site,
    tokens: &'a mut [String],
    /// Which family each caller waits for.
    under_way: [usize; GROUP],
}

impl Asking for Refreshing<'_> {
    fn request(&mut self, n: usize, caller: usize, place: &mut Vec<u8>) {
        if let Some(family) = self.under_way.get_mut(caller) {
            *family = n;
        }
        place.extend(self.site.refresh(self.tokens.get(n).map_or("", String::as_str)));
    }

    fn right(&mut self, caller: usize, answer: &Answer<'_>) -> bool {
        let next = answer.text("refresh_token").filter(|_| answer.status == 200);
        let token = self.under_way.get(caller).and_then(|family| self.tokens.get_mut(*family));
        match (token, next) {
            (Some(token), Some(next)) if token != next => {
                next.clone_into(token);
                true
            }
            _ => false,
        }
    }
}
