//! Turns: of one issuer's crowd only a few requests are answered in a row, then whoever has come meanwhile (decision 18).

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use tokio::sync::Semaphore;

/// Requests of an issuer that are answered in one turn: some 0.1 ms of work.
const TURN: usize = 8;

/// How long after a request of another issuer turns are taken still.
const COMPANY: Duration = Duration::from_secs(1);

/// Whether a node answers for more than one issuer just now: else there is nobody to let go first.
#[derive(Debug, Default)]
pub(crate) struct Company {
    /// Whose the last request was, as a number.
    last: AtomicUsize,
    /// When it was another's than the one before, in milliseconds of the monotonic clock.
    changed: AtomicU64,
}

impl Company {
    /// Notes a request that arrived at `now`, and answers whether others than `whose` have asked lately.
    pub(crate) fn mixed(&self, whose: &Arc<Turns>, now: Duration) -> bool {
        let (whose, now) = (Arc::as_ptr(whose).addr(), u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        if self.last.load(Relaxed) != whose {
            self.last.store(whose, Relaxed);
            self.changed.store(now, Relaxed);
        }
        Duration::from_millis(now.saturating_sub(self.changed.load(Relaxed))) < COMPANY
    }
}

/// The turns of one issuer's requests.
#[derive(Debug)]
pub(crate) struct Turns {
    /// How many more may go on in this turn. What waits is let through in the order in which it came.
    left: Semaphore,
    /// Whether somebody sees to the next turn.
    goes_on: AtomicBool,
}

impl Turns {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { left: Semaphore::new(TURN), goes_on: AtomicBool::new(false) })
    }

    /// Resolves when it is a request's turn: at once, unless as many as a turn has were before it.
    pub(crate) async fn wait(self: &Arc<Self>) {
        if let Ok(place) = self.left.try_acquire() {
            return place.forget();
        }
        if !self.goes_on.swap(true, SeqCst) {
            tokio::spawn(self.clone().go_on());
        }
        if let Ok(place) = self.left.acquire().await {
            place.forget();
        }
    }

    /// Begins turn after turn, each when everything that was ready has been run and what has arrived was looked for, until
    /// one in which nobody came.
    async fn go_on(self: Arc<Self>) {
        loop {
            tokio::task::yield_now().await;
            let unused = self.left.available_permits();
            if unused < TURN {
                self.left.add_permits(TURN - unused);
                continue;
            }
            self.goes_on.store(false, SeqCst);
            // Whoever took the last place before that relied on this one. There may be more than a turn's: of those who left.
            if self.left.available_permits() >= TURN || self.goes_on.swap(true, SeqCst) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn a_crowd_lets_somebody_else_go_first_after_a_turn() {
        let (crowd, other) = (Turns::new(), Turns::new());
        let answered = Arc::new(Mutex::new(Vec::new()));
        let ask = |turns: &Arc<Turns>, name| {
            let (turns, answered) = (turns.clone(), answered.clone());
            tokio::spawn(async move {
                turns.wait().await;
                answered.lock().unwrap().push(name);
            })
        };
        let mut asked: Vec<_> = (0..100).map(|n| ask(&crowd, n)).collect();
        asked.push(ask(&other, 1000));
        for one in asked {
            one.await.unwrap();
        }
        let answered = answered.lock().unwrap();
        assert_eq!(answered.iter().position(|n| *n == 1000), Some(TURN), "{answered:?}");
        let crowd: Vec<_> = answered.iter().filter(|n| **n < 1000).collect();
        assert!(crowd.len() == 100 && crowd.is_sorted(), "first come, first served: {answered:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn everybody_comes_through_although_some_leave() {
        let (turns, through) = (Turns::new(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..50 {
            let ask = || {
                let (turns, through) = (turns.clone(), through.clone());
                tokio::spawn(async move {
                    turns.wait().await;
                    through.fetch_add(1, SeqCst)
                })
            };
            let (stay, leave): (Vec<_>, Vec<_>) = (0..200).map(|_| (ask(), ask())).unzip();
            leave.iter().for_each(tokio::task::JoinHandle::abort);
            for one in stay {
                one.await.unwrap();
            }
        }
        assert!(through.load(SeqCst) >= 50 * 200);
    }

    #[test]
    fn an_issuer_alone_takes_no_turns() {
        let (company, one, other) = (Company::default(), Turns::new(), Turns::new());
        let at = Duration::from_millis;
        company.mixed(&one, at(5_000));
        assert!(!company.mixed(&one, at(7_000)));
        assert!(company.mixed(&other, at(7_001)));
        assert!(company.mixed(&one, at(7_002)) && company.mixed(&one, at(8_001)));
        assert!(!company.mixed(&one, at(8_002)));
    }

    #[tokio::test]
    async fn turns_end_although_those_whose_turn_it_was_have_left() {
        let turns = Turns::new();
        let mut waiting: Vec<_> = (0..5 * TURN)
            .map(|_| {
                Box::pin({
                    let turns = turns.clone();
                    async move { turns.wait().await }
                })
            })
            .collect();
        for one in &mut waiting {
            let _ = futures_util::poll!(one);
        }
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
        drop(waiting);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!turns.goes_on.load(SeqCst), "nobody is left, and nobody goes round");
        let left = turns.left.available_permits();
        assert!((1..=3 * TURN).contains(&left), "{left}: no turn is longer than those who left make it");
        turns.wait().await;
    }
}
