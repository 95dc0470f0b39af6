//! The names that spans, fields and targets bear everywhere.
//!
//! `tracing`'s macros want their field names written out; these are for what reads them back (tests, documentation).

/// Target of the one line per request.
pub const ACCESS: &str = "access";
/// Target of the line for each token that was issued.
pub const AUDIT: &str = "audit";
/// The span around a token request.
pub const TOKEN: &str = "token";
