//! What runs by itself.

pub mod rotate_keys;
