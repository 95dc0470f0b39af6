//! Commands on a store.
