//! The face for clients: endpoints and the dialect engine.

mod clash;
pub mod dialect;
mod endpoints;
mod face;
mod sites;

pub use clash::{Clash, check as check_base_urls, rivals as rivals_of_base_urls};
pub use face::{Face, FaceOptions};
