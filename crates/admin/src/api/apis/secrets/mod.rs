//! Secrets of APIs.

pub(in crate::api) mod add;
pub(in crate::api) mod list;
pub(in crate::api) mod remove;
