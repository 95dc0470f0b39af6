//! The face for operators: the routes that the commands speak, and the files that `ficha apply` reads.
//!
//! JSON in, JSON out, a thin layer over `ficha_core::operator`. Each request carries an `Actor` among its extensions: whoever serves the
//! routes knows who asks. An answer that is no success is an [`ErrorBody`].

mod api;
pub mod declaration;
mod extract;
mod failure;

pub use api::{
    ApplyRequest, BackupLine, BackupRequest, ExportRequest, InspectRequest, KeepTokens, PasswordRequest, router,
};
pub use failure::{ErrorBody, Failure};
