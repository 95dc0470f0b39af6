//! What tests share: a clock to turn, chance to choose, a real PostgreSQL, and the suite that every storage
//! backend passes.

mod clock;
mod entropy;
mod faulty;
#[expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "what fails here fails the test, and what SQL answers is often of no interest"
)]
pub mod postgres;
#[expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "each function is a test: it may panic, and its name is what it says"
)]
pub mod store_suite;

pub use clock::TestClock;
pub use entropy::TestEntropy;
pub use faulty::{Cut, Faulty};
