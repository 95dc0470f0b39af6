//! What runs by itself.

mod rotate_keys;

pub use rotate_keys::rotate_due;
