//! Users.

pub(super) mod create;
pub(super) mod disable;
pub(super) mod enable;
pub(super) mod get;
pub(super) mod list;
pub(super) mod password;
