//! Chance, passed in.

/// Random bytes fit for keys.
pub trait Entropy: Send + Sync {
    /// Fills `into`.
    fn fill(&self, into: &mut [u8]);
}
