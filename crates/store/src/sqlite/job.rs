//! A step on its way to a thread and back.

use ficha_core::ports::StoreError;
use tokio::sync::oneshot;

use super::session::SqliteSession;
use crate::backend::Failure;

/// What a run of a step asks of the transaction that it ran in.
#[derive(Debug)]
pub(super) enum Ran {
    /// Nothing: it did what it should.
    Done,
    /// To take back what it wrote, and to go on with others.
    Undo,
    /// To end: the engine failed.
    Failed { lost: bool, why: String },
}

/// A step that waits. It may run more than once; what it answered last counts, when the transaction stands.
pub(super) trait Job: Send {
    /// Runs the step, keeping its answer.
    fn run(&mut self, session: &mut SqliteSession) -> Ran;
    /// Gives the kept answer to the caller.
    fn answer(self: Box<Self>);
    /// Gives `error` instead.
    fn refuse(self: Box<Self>, error: StoreError);
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;
}

struct Step<T, F> {
    run: F,
    answer: Option<Result<T, StoreError>>,
    caller: oneshot::Sender<Result<T, StoreError>>,
}

/// A step and where its answer will come.
pub(super) fn job<T, F>(step: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, StoreError>>)
where
    T: Send + 'static,
    F: FnMut(&mut SqliteSession) -> Result<T, Failure> + Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    (Box::new(Step { run: step, answer: None, caller }), answer)
}

impl<T, F> Job for Step<T, F>
where
    T: Send,
    F: FnMut(&mut SqliteSession) -> Result<T, Failure> + Send,
{
    fn run(&mut self, session: &mut SqliteSession) -> Ran {
        let (answer, ran) = match (self.run)(session) {
            Ok(answer) => (Ok(answer), Ran::Done),
            Err(Failure::Conflict(why)) => (Err(StoreError::Conflict(why)), Ran::Undo),
            Err(Failure::Damaged(why)) => (Err(StoreError::Unreachable(why)), Ran::Undo),
            Err(Failure::Engine { lost, why }) => return Ran::Failed { lost, why },
        };
        self.answer = Some(answer);
        ran
    }

    fn answer(self: Box<Self>) {
        let Self { answer, caller, .. } = *self;
        // Whoever has gone does not want the answer; one that never ran is told by the sender's end.
        if let Some(answer) = answer {
            let _ = caller.send(answer);
        }
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        let _ = self.caller.send(Err(error));
    }

    fn is_abandoned(&self) -> bool {
        self.caller.is_closed()
    }
}
