//! Numbered changes of the tables: only ever added, each done once, in order, by every engine under the same number and name.

use std::fmt::Write;

use ficha_jose::sha256;

/// One change of the tables: `migrations/<engine>/NNNN_what.sql`.
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

impl Migration {
    /// By which it is known again.
    pub(crate) fn checksum(&self) -> String {
        sha256(self.text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}
