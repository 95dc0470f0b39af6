//! Tokens.

pub(super) mod inspect;
pub(super) mod revoke;
pub(super) mod revoke_all;
