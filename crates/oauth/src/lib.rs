//! The face for clients: endpoints and the dialect engine.

pub mod dialect;
mod endpoints;
mod face;
mod sites;

pub use face::{Face, FaceOptions};
pub use sites::{Clash, check as check_base_urls};
