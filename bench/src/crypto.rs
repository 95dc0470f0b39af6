//! `sign` and `verify`: one operation of the crypto library alone.

use std::hint::black_box;

use anyhow::{Result, ensure};
use ficha_jose::SigningKey;
use ficha_types::Algorithm;

use crate::process::own_cpu;

/// As long as what stands before the signature in a token.
const MESSAGE: [u8; 400] = [b'x'; 400];

/// A key of an algorithm.
pub(crate) struct Operation {
    key: SigningKey,
    times: u32,
}

impl Operation {
    /// Makes a key; each measurement takes `times` operations.
    ///
    /// # Errors
    /// The library can't.
    pub(crate) fn new(algorithm: Algorithm, times: u32) -> Result<Self> {
        Ok(Self { key: SigningKey::generate(algorithm, 2048)?.0, times })
    }

    /// CPU microseconds of one signature.
    ///
    /// # Errors
    /// The library can't.
    pub(crate) fn sign(&self) -> Result<f64> {
        self.each(|| {
            black_box(self.key.sign(black_box(&MESSAGE))?);
            Ok(())
        })
    }

    /// CPU microseconds of one verification.
    ///
    /// # Errors
    /// The library can't.
    pub(crate) fn verify(&self) -> Result<f64> {
        let (signature, key) = (self.key.sign(&MESSAGE)?, self.key.verifying());
        self.each(|| {
            ensure!(black_box(key.verify(black_box(&MESSAGE), &signature)), "a right signature is wrong");
            Ok(())
        })
    }

    fn each(&self, operation: impl Fn() -> Result<()>) -> Result<f64> {
        let before = own_cpu()?;
        for _ in 0..self.times {
            operation()?;
        }
        let spent = own_cpu()?.saturating_sub(before);
        Ok(spent.as_secs_f64() * 1e6 / f64::from(self.times))
    }
}
