//! How far a long command has come, on stderr: one line that moves at a terminal, else a line every few seconds.

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// Between two showings at a terminal.
const MOVES: Duration = Duration::from_millis(100);
/// Between two lines elsewhere; what takes less says nothing.
const LINES: Duration = Duration::from_secs(5);

/// The progress of one thing.
pub(crate) struct Progress {
    what: &'static str,
    total: u64,
    shown: Instant,
    every: Duration,
    terminal: bool,
    moved: bool,
}

impl Progress {
    /// Of `total` of `what`: `clients applied`.
    pub(crate) fn new(what: &'static str, total: u64) -> Self {
        let terminal = io::stderr().is_terminal();
        let every = if terminal { MOVES } else { LINES };
        Self { what, total, shown: Instant::now(), every, terminal, moved: false }
    }

    /// `done` of them by now.
    pub(crate) fn at(&mut self, done: u64) {
        if self.shown.elapsed() < self.every {
            return;
        }
        self.shown = Instant::now();
        self.moved = true;
        let (begin, end) = if self.terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        let mut out = io::stderr().lock();
        // Where there is nobody to tell, nobody is told.
        let _ = write!(out, "{begin}{} of {} {}{end}", grouped(done), grouped(self.total), self.what);
        let _ = out.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.terminal && self.moved {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// A number as a person reads it: `100,000`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let places = digits.len();
    digits.char_indices().fold(String::new(), |mut out, (at, digit)| {
        if at > 0 && (places - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_read_in_groups() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (100_000, "100,000"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(n), text);
        }
    }
}
