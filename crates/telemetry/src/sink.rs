//! The bounded buffer between who logs and the thread that writes.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::metrics::metrics;

/// How long the writer gathers lines before it writes them: one wake-up and one write for all of them.
const GATHER: Duration = Duration::from_millis(20);
/// How long the end of the process waits for the last lines.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Writes the line that says how many lines were lost.
pub(crate) type Report = Box<dyn Fn(u64, &mut Vec<u8>) + Send>;

/// The lines on their way to the log.
pub(crate) struct Sink {
    state: Mutex<State>,
    wake: Condvar,
    ended: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct State {
    lines: Vec<u8>,
    dropped: u64,
    /// The writer waits for a first line.
    parked: bool,
    /// The writer must not gather any longer.
    hurry: bool,
    life: Life,
}

#[derive(Default, PartialEq, Eq)]
enum Life {
    #[default]
    Open,
    /// No more lines are taken.
    Closing,
    /// The last line is written.
    Ended,
}

impl Sink {
    /// A sink that holds `capacity` bytes, and the thread that empties it into `out`.
    pub(crate) fn start(capacity: usize, out: Box<dyn Write + Send>, report: Report) -> io::Result<Arc<Self>> {
        let sink = Arc::new(Self { state: Mutex::default(), wake: Condvar::new(), ended: Condvar::new(), capacity });
        let writer = Arc::clone(&sink);
        thread::Builder::new().name("log".into()).spawn(move || writer.write_to(out, &report))?;
        Ok(sink)
    }

    /// Takes `line` unless the buffer is full; then it is counted as lost. Never waits for the log to be written.
    pub(crate) fn put(&self, line: &[u8], hurry: bool) {
        let mut state = self.lock();
        if state.life != Life::Open || state.lines.len() + line.len() > self.capacity {
            state.dropped += 1;
            drop(state);
            metrics().log_lines_dropped.count(());
            return;
        }
        state.lines.extend_from_slice(line);
        state.hurry |= hurry || state.lines.len() > self.capacity / 2;
        let wake = mem::take(&mut state.parked) || state.hurry;
        drop(state);
        if wake {
            self.wake.notify_one();
        }
    }

    /// Takes no more lines and waits, for a bounded time, until those that it has are written.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.life = Life::Closing;
        self.wake.notify_one();
        drop(self.ended.wait_timeout_while(state, LAST_WORDS, |s| s.life != Life::Ended));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut out: Box<dyn Write + Send>, report: &Report) {
        let mut batch = Vec::new();
        loop {
            let (dropped, stop) = self.next_batch(&mut batch);
            if dropped > 0 {
                report(dropped, &mut batch);
            }
            // A log that can't be written can't be told about in the log.
            if !batch.is_empty() && out.write_all(&batch).and_then(|()| out.flush()).is_err() {
                metrics().log_lines_dropped.add((), batch.iter().map(|b| u64::from(*b == b'\n')).sum());
            }
            batch.clear();
            if stop {
                self.lock().life = Life::Ended;
                self.ended.notify_all();
                return;
            }
        }
    }

    /// Waits for lines and moves them into `batch`; answers how many were lost meanwhile, and whether these are the last.
    fn next_batch(&self, batch: &mut Vec<u8>) -> (u64, bool) {
        let mut state = self.lock();
        while state.lines.is_empty() && state.life == Life::Open {
            state.parked = true;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.parked = false;
        let gathered = self.wake.wait_timeout_while(state, GATHER, |s| s.life == Life::Open && !s.hurry);
        state = gathered.unwrap_or_else(PoisonError::into_inner).0;
        state.hurry = false;
        mem::swap(&mut state.lines, batch);
        (mem::take(&mut state.dropped), state.life != Life::Open)
    }
}
