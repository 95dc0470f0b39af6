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
        /// How long tokens pass while the revocation feed of their issuer is not fresh, where the rules say that it is followed:
        /// then every token is refused until it is.
        feed_stale_for_s: Duration = seconds(0..=86_400), "300";
        /// For how long an answer of an introspection stands; more than 1 only where the revocation feed is followed too.
        introspection_cache_s: Duration = seconds(0..=300), "0";
        /// Root certificates in PEM that are trusted beside the system's when an issuer is asked: a development CA, or a company's
        /// own. Relative to the folder of the configuration file.
        root_ca: Option<PathBuf> = Optional(FilePath("the path of a file")), "";
    }
}
