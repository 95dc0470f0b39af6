//! The gate as a proxy sees it, its tokens an issuer's that can go away.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod decisions;
mod faults;
mod site;
