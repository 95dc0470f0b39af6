//! Chance, from the operating system's generator.

/// Fills `place` with random bytes.
///
/// # Panics
/// When the operating system has no random bytes to give; nothing can be issued safely then.
pub fn fill(place: &mut [u8]) {
    // AWS-LC itself ends the process when its generator can't be seeded, so an error does not come back from here.
    aws_lc_rs::rand::fill(place).expect("the system gives random bytes");
}

/// `N` random bytes.
///
/// # Panics
/// As [`fill`].
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut place = [0; N];
    fill(&mut place);
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ_and_every_byte_is_written() {
        assert_ne!(bytes::<32>(), bytes::<32>());
        let mut seen = [false; 64];
        for _ in 0..8 {
            for (seen, byte) in seen.iter_mut().zip(bytes::<64>()) {
                *seen |= byte != 0;
            }
        }
        assert_eq!(seen, [true; 64]);
    }
}
