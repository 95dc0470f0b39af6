//! The steps of the ports: each one's statements, how their rows are read, and what is decided between them.

pub(crate) mod changes;
pub(crate) mod clients;
pub(crate) mod families;
pub(crate) mod feed;
pub(crate) mod issuers;
pub(crate) mod keys;
pub(crate) mod marks;
mod names;

pub(crate) mod operator;
pub(crate) mod purge;
pub(crate) mod revocations;
pub(crate) mod standing;
pub(crate) mod tokens;
pub(crate) mod users;
