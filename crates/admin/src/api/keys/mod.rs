//! Keys.

pub(super) mod export;
pub(super) mod get;
pub(super) mod list;
pub(super) mod promote;
pub(super) mod rotate;
pub(super) mod withdraw;
