//! `[tokens]` of `ficha gate`

use std::{path::PathBuf, time::Duration};

use super::section;
use crate::kinds::{FilePath, Optional, seconds};

section! {
    /// How tokens are checked. Whose are taken, the rules say.
    pub struct Tokens = "tokens" {
        /// By how much clocks may differ.
        leeway_s: Duration = seconds(0..=60), "30";
        /// How long an issuer's keys are kept beyond their life while it is away. A key that it withdraws meanwhile is trusted as
        /// long.
        keys_kept_for_s: Duration = seconds(0..=86_400), "3600";
        /// How long one question to an issuer may take.
        timeout_s: Duration = seconds(1..=60), "5";
        /// Root certificates in PEM that are trusted beside the system's when an issuer is asked: a development CA, or a company's
        /// own. Relative to the folder of the configuration file.
        root_ca: Option<PathBuf> = Optional(FilePath("the path of a file")), "";
    }
}
