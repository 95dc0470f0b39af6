//! Chance that a test can repeat.

use std::sync::atomic::{AtomicU64, Ordering};

use ficha_core::ports::Entropy;
use ficha_jose::sha256;

/// Bytes that follow from a seed: the same in every run, all different within one.
#[derive(Debug)]
pub struct TestEntropy {
    seed: u64,
    drawn: AtomicU64,
}

impl TestEntropy {
    /// Begins the sequence of `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }
}

impl Entropy for TestEntropy {
    fn fill(&self, into: &mut [u8]) {
        for part in into.chunks_mut(32) {
            let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
            let block = sha256(&[self.seed.to_be_bytes(), drawn.to_be_bytes()].concat());
            for (byte, chance) in part.iter_mut().zip(block) {
                *byte = chance;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_bytes_again_and_no_two_draws_are_alike() {
        let draws = |seed| {
            let entropy = TestEntropy::seeded(seed);
            let mut bytes = [[0; 40]; 2];
            for draw in &mut bytes {
                entropy.fill(draw);
            }
            bytes
        };
        let [first, second] = draws(7);
        assert_ne!(first, second);
        assert_eq!(draws(7), [first, second]);
        assert_ne!(draws(8), [first, second]);
    }
}
