//! A small stock of RSA keys, made ahead of time: making one takes a tenth of a second and more.

use std::sync::{
    Mutex, PoisonError,
    mpsc::{Receiver, sync_channel},
};

use ficha_jose::SigningKey;
use ficha_types::Algorithm;
use zeroize::Zeroizing;

/// Bits of the keys on stock; others are made when they are needed.
pub(super) const BITS: u32 = 2048;

/// RSA keys of 2048 bits in PKCS#8, none handed out twice.
#[derive(Debug, Default)]
pub struct Spares(Option<Mutex<Receiver<Zeroizing<Vec<u8>>>>>);

impl Spares {
    /// No stock: every key is made when it is needed.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// A thread of its own keeps `n` keys ready, and ends with what this gives back.
    #[must_use]
    pub fn start(n: usize) -> Self {
        // The thread holds one more in its hand.
        let (stock, taken) = sync_channel(n.saturating_sub(1));
        let fill = move || {
            while let Ok((_, private)) = SigningKey::generate(Algorithm::Rs256, BITS) {
                if stock.send(private).is_err() {
                    break;
                }
            }
        };
        match std::thread::Builder::new().name("spare-keys".into()).spawn(fill) {
            Ok(_) => Self(Some(Mutex::new(taken))),
            Err(error) => {
                tracing::warn!(%error, "the thread for spare keys could not be started: keys are made when needed");
                Self(None)
            }
        }
    }

    /// A key from the stock, when it is not empty.
    pub(super) fn take(&self) -> Option<Zeroizing<Vec<u8>>> {
        let stock = self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        stock.try_recv().ok()
    }
}
