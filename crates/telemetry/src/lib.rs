//! The list of all metrics, the spans and the log.
//!
//! Knows no other crate of ours: labels are enums of its own, which the others map theirs to.

mod instruments;
mod line;
pub mod logging;
pub mod metrics;
mod sink;
pub mod spans;

pub use logging::{Format, LogError, LogGuard, LogOptions};
pub use metrics::{MetricsHandle, install, metrics};
