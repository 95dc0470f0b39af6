//! Instants and spans, in whole seconds.

use std::{
    fmt,
    ops::{Add, Sub},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::BadWord;

/// An instant: whole seconds since 1970-01-01T00:00:00Z, as in `iat` and `exp` (RFC 7519 §2, `NumericDate`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub i64);

/// An instant where whole seconds are too coarse: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// In whole seconds, rounded down.
    #[must_use]
    pub const fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0.div_euclid(1000))
    }
}

/// A span of whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub i64);

impl Seconds {
    /// `n` minutes.
    #[must_use]
    pub const fn minutes(n: i64) -> Self {
        Self(n * 60)
    }
    /// `n` hours.
    #[must_use]
    pub const fn hours(n: i64) -> Self {
        Self(n * 3600)
    }
    /// `n` days.
    #[must_use]
    pub const fn days(n: i64) -> Self {
        Self(n * 86_400)
    }
}

impl Add<Seconds> for UnixSeconds {
    type Output = Self;
    fn add(self, span: Seconds) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub<Seconds> for UnixSeconds {
    type Output = Self;
    fn sub(self, span: Seconds) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Sub for UnixSeconds {
    type Output = Seconds;
    fn sub(self, earlier: Self) -> Seconds {
        Seconds(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<UnixSeconds> for UnixMillis {
    fn from(seconds: UnixSeconds) -> Self {
        Self(seconds.0.saturating_mul(1000))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0)
    }
}

/// The longest span that a person may write: ten years. What is longer is a slip of the pen.
const LONGEST: i64 = 3_660 * 86_400;

/// Reads a span as people write it in files: a whole number and its unit, `90s`, `5m`, `24h` or `7d`; at most ten years.
impl FromStr for Seconds {
    type Err = BadWord;
    fn from_str(text: &str) -> Result<Self, BadWord> {
        let bad = BadWord {
            word: "duration",
            expected: "a whole number and its unit, as in 90s, 5m, 24h or 7d, at most ten years",
        };
        let units = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400)];
        let split = units.into_iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)));
        let digits = split.filter(|(digits, _)| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()));
        let Some((digits, factor)) = digits else { return Err(bad) };
        let seconds = digits.parse::<i64>().ok().and_then(|n| n.checked_mul(factor));
        seconds.filter(|n| *n <= LONGEST).map(Self).ok_or(bad)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn milliseconds_are_rounded_down_to_seconds_before_1970_too() {
        assert_eq!([1999, 2000, -1].map(|ms| UnixMillis(ms).seconds()), [1, 2, -1].map(UnixSeconds));
        assert_eq!(UnixMillis::from(UnixSeconds(7)), UnixMillis(7000));
    }

    #[test]
    fn a_span_is_a_whole_number_and_its_unit() {
        for (text, seconds) in
            [("0s", 0), ("60s", 60), ("90m", 5_400), ("24h", 86_400), ("7d", 604_800), ("3660d", LONGEST)]
        {
            assert_eq!(text.parse(), Ok(Seconds(seconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused_in_words() {
        let bad =
            ["", "s", "60", "-1s", "+1s", "1.5h", "1 h", " 1h", "7D", "1h30m", "3661d", "1é", "99999999999999999999s"];
        for text in bad {
            assert!(text.parse::<Seconds>().is_err(), "{text}");
        }
        let said = "60".parse::<Seconds>().unwrap_err().to_string();
        assert_eq!(
            said,
            "not a valid duration: a whole number and its unit, as in 90s, 5m, 24h or 7d, at most ten years"
        );
    }

    proptest! {
        #[test]
        fn a_span_reads_back_what_it_writes(seconds in 0..=LONGEST) {
            prop_assert_eq!(Seconds(seconds).to_string().parse(), Ok(Seconds(seconds)));
        }
    }
}
