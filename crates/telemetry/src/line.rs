//! One event as one line, in JSON or as text, without an allocation of its own.

use std::{
    error::Error,
    fmt::{self, Write},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tracing::{
    Level,
    field::{Field, Visit},
};

use crate::Format;

/// A value is cut after so many bytes of its own.
const MAX_VALUE: usize = 4_096;
/// Names that a line begins with, which no field may take.
const OWN: [&str; 3] = ["time", "level", "target"];
/// What the `log` bridge adds about places in the source.
const PLACES: [&str; 3] = ["log.module_path", "log.file", "log.line"];
/// The name that `tracing` gives to an event's words.
const MESSAGE: &str = "message";

/// Seconds and milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) seconds: u64,
    pub(crate) millis: u32,
}

impl From<SystemTime> for Stamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { seconds: since.as_secs(), millis: since.subsec_millis() }
    }
}

impl Stamp {
    /// `2026-11-05T12:00:00` of these seconds (the civil date after Howard Hinnant's `civil_from_days`).
    pub(crate) fn civil(self) -> String {
        let (days, rest) = (self.seconds / 86_400, self.seconds % 86_400);
        let z = days + 719_468;
        let (era, doe) = (z / 146_097, z % 146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + u64::from(month <= 2);
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3_600, rest / 60 % 60, rest % 60)
    }
}

/// What a line begins with.
pub(crate) struct Head<'a> {
    pub(crate) civil: &'a str,
    pub(crate) millis: u32,
    pub(crate) level: Level,
    pub(crate) target: &'a str,
}

/// Writes the beginning of a line.
pub(crate) fn begin(out: &mut String, format: Format, head: &Head<'_>) {
    let (before, between, after, end) = match format {
        Format::Json => ("{\"time\":\"", "Z\",\"level\":\"", "\",\"target\":\"", "\""),
        Format::Text => ("", "Z ", " ", ":"),
    };
    out.push_str(before);
    out.push_str(head.civil);
    out.push('.');
    for digit in [head.millis / 100, head.millis / 10 % 10, head.millis % 10] {
        out.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
    out.push_str(between);
    out.push_str(head.level.as_str());
    out.push_str(after);
    escape(out, head.target);
    out.push_str(end);
}

/// Writes the end of a line.
pub(crate) fn end(out: &mut String, format: Format) {
    out.push_str(match format {
        Format::Json => "}\n",
        Format::Text => "\n",
    });
}

/// Where fields go.
pub(crate) trait Place {
    /// Writes the value of `name`, unless it is not wanted.
    fn put(&mut self, name: &'static str, write: impl FnOnce(&mut String));
    /// The form of the line.
    fn format(&self) -> Format;
}

/// Fields behind the beginning of a line.
pub(crate) struct Behind<'a> {
    pub(crate) out: &'a mut String,
    pub(crate) format: Format,
    /// The names written so far: the first one to give a value to a name wins.
    pub(crate) seen: &'a mut Seen,
}

/// Names, each once.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    names: Vec<&'static str>,
    /// A bit for each name: one whose bit is not set is new, without a look at the others.
    bits: u64,
}

impl Seen {
    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.names.clear();
        self.bits = 0;
    }

    /// Adds `name`; `false` when it is there already.
    fn add(&mut self, name: &'static str) -> bool {
        let end = |byte: Option<&u8>| byte.map_or(0, |b| usize::from(*b));
        let bytes = name.as_bytes();
        let bit = 1 << ((name.len() * 5 + end(bytes.first()) * 3 + end(bytes.last())) % 64);
        if self.bits & bit != 0 && self.names.contains(&name) {
            return false;
        }
        self.bits |= bit;
        self.names.push(name);
        true
    }
}

impl Place for Behind<'_> {
    fn put(&mut self, name: &'static str, write: impl FnOnce(&mut String)) {
        if (name.starts_with("log.") && PLACES.contains(&name)) || !self.seen.add(name) {
            return;
        }
        // A name stands in a program's source: nothing in it needs escaping.
        debug_assert!(is_plain(name), "{name:?}");
        let mark = if OWN.contains(&name) { "_" } else { "" };
        match self.format {
            Format::Json => {
                self.out.push_str(",\"");
                self.out.push_str(name);
                self.out.push_str(mark);
                self.out.push_str("\":");
            }
            Format::Text => {
                self.out.push(' ');
                if name != MESSAGE {
                    self.out.push_str(name);
                    self.out.push_str(mark);
                    self.out.push('=');
                }
            }
        }
        write(self.out);
    }

    fn format(&self) -> Format {
        self.format
    }
}

/// Fields of a span: their values are written once, and put into every line within it.
pub(crate) struct Kept<'a> {
    pub(crate) fields: &'a mut Vec<(&'static str, String)>,
    pub(crate) format: Format,
}

impl Place for Kept<'_> {
    fn put(&mut self, name: &'static str, write: impl FnOnce(&mut String)) {
        let mut value = String::new();
        write(&mut value);
        self.fields.retain(|(kept, _)| *kept != name);
        self.fields.push((name, value));
    }

    fn format(&self) -> Format {
        self.format
    }
}

/// Writes each value that it is shown to a [`Place`].
pub(crate) struct Values<P>(pub(crate) P);

impl<P: Place> Values<P> {
    /// Whether it is the words of a line for people, which stand without quotes.
    fn is_bare(&self, field: &Field) -> bool {
        self.0.format() == Format::Text && field.name() == MESSAGE
    }

    fn string(&mut self, field: &Field, write: impl FnOnce(&mut Escaped<'_>) -> fmt::Result) {
        let bare = self.is_bare(field);
        self.0.put(field.name(), |out| {
            if !bare {
                out.push('"');
            }
            let mut escaped = Escaped { out, left: MAX_VALUE };
            if write(&mut escaped).is_err() {
                escaped.out.push('…');
            }
            if !bare {
                escaped.out.push('"');
            }
        });
    }
}

impl<P: Place> Visit for Values<P> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if value.len() > MAX_VALUE || self.is_bare(field) {
            return self.string(field, |out| out.write_str(value));
        }
        self.0.put(field.name(), |out| {
            out.push('"');
            escape(out, value);
            out.push('"');
        });
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.put(field.name(), |out| digits(out, value));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.put(field.name(), |out| {
            if value < 0 {
                out.push('-');
            }
            digits(out, value.unsigned_abs());
        });
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.put(field.name(), |out| {
            // JSON knows neither infinity nor NaN; writing to a String cannot fail.
            let _ = if value.is_finite() { write!(out, "{value}") } else { out.write_str("null") };
        });
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.put(field.name(), |out| out.push_str(if value { "true" } else { "false" }));
    }
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.string(field, |out| {
            write!(out, "{value}")?;
            let mut cause = value.source();
            while let Some(error) = cause {
                write!(out, ": {error}")?;
                cause = error.source();
            }
            Ok(())
        });
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.string(field, |out| write!(out, "{value:?}"));
    }
}

/// Writes text so that it cannot end its value or its line; fails once it has written `left` bytes of it.
struct Escaped<'a> {
    out: &'a mut String,
    left: usize,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = text.floor_char_boundary(self.left);
        escape(self.out, text.get(..fits).unwrap_or_default());
        self.left -= fits;
        if fits == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Whether `text` is ASCII that can be seen, without quotes and backslashes; eight bytes are looked at at a time.
fn is_plain(text: &str) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    // The high bit of a byte is set where there is something, and above such a byte perhaps too: that suffices for "any".
    let below = |word: u64, byte: u8| word.wrapping_sub(EACH * u64::from(byte)) & !word;
    let special = |bytes: [u8; 8]| {
        let word = u64::from_ne_bytes(bytes);
        let (quote, backslash) =
            (below(word ^ (EACH * u64::from(b'"')), 1), below(word ^ (EACH * u64::from(b'\\')), 1));
        (word | word.wrapping_add(EACH) | below(word, b' ') | quote | backslash) & HIGH
    };
    let (words, rest) = text.as_bytes().as_chunks();
    let mut last = [b' '; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    words.iter().fold(special(last), |any, word| any | special(*word)) == 0
}

fn escape(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line separators and what turns the direction of writing could show a person another line than it is.
            c if c.is_control()
                || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

fn digits(out: &mut String, mut n: u64) {
    let mut text = [b'0'; 20];
    let mut used = 0;
    for place in text.iter_mut().rev() {
        *place = b'0' + u8::try_from(n % 10).unwrap_or(0);
        n /= 10;
        used += 1;
        if n == 0 {
            break;
        }
    }
    let written = text.get(text.len() - used..).unwrap_or_default();
    out.push_str(str::from_utf8(written).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_civil_date_is_right_around_leap_days_and_new_years() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_399, "2000-02-28T23:59:59"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_735_689_599, "2024-12-31T23:59:59"),
            (1_735_689_600, "2025-01-01T00:00:00"),
            (1_793_880_000, "2026-11-05T12:00:00"),
            (4_107_542_400, "2100-03-01T00:00:00"),
        ] {
            assert_eq!(Stamp { seconds, millis: 0 }.civil(), text);
        }
    }

    #[test]
    fn numbers_are_written_whole() {
        for n in [0, 9, 10, 12_345, u64::MAX] {
            let mut out = String::new();
            digits(&mut out, n);
            assert_eq!(out, n.to_string());
        }
    }

    #[test]
    fn nothing_that_could_forge_a_line_is_left_as_it_is() {
        let mut out = String::new();
        escape(&mut out, "a\"b\\c\r\nd\u{1b}[31m\u{7f}\u{85}\u{2028}\u{202e}é");
        assert_eq!(out, "a\\\"b\\\\c\\r\\nd\\u001b[31m\\u007f\\u0085\\u2028\\u202eé");
    }

    #[test]
    fn plain_is_what_may_stand_as_it_is() {
        for n in 0..=0x2ff {
            let c = char::from_u32(n).unwrap();
            let plain = matches!(c, ' '..='~') && c != '"' && c != '\\';
            for (before, after) in (0..9).flat_map(|before| (0..9).map(move |after| (before, after))) {
                let text = format!("{}{c}{}", "a".repeat(before), "~".repeat(after));
                assert_eq!(is_plain(&text), plain, "{text:?}");
            }
        }
        assert!(is_plain(""));
    }

    #[test]
    fn a_name_is_taken_once_whatever_came_between() {
        let mut seen = Seen::default();
        let names = ["status", "client.id", "statut", "", "jti", "scope", "status_", "grant"];
        assert!(names.iter().all(|name| seen.add(name)), "each is new");
        assert!(!names.iter().any(|name| seen.add(name)), "each is known");
        seen.clear();
        assert!(seen.add("status"));
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let mut out = String::new();
        let mut escaped = Escaped { out: &mut out, left: 4 };
        assert!(escaped.write_str("aaaé").is_err());
        assert_eq!(out, "aaa");
    }
}
