//! The path of a request, read as every reader behind the gate would read it, or not at all.

use std::borrow::Cow;

/// Bytes that a path may have.
const MOST_BYTES: usize = 8 * 1024;
/// Segments that a path may have.
const MOST_SEGMENTS: usize = 128;

/// A path whose segments no two readers can take for different ones: percent-encoding undone, none of them empty or made of
/// dots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainPath<'a> {
    pub(crate) segments: Vec<Cow<'a, str>>,
    /// Whether a `/` stands behind the last segment.
    pub(crate) slash: bool,
}

/// Why a path is refused: some upstream would read it as another one than the rules do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OddPath {
    /// It is not of the form `/…`.
    #[error("a path begins with a slash")]
    NotAbsolute,
    /// It is longer than 8 KiB, or has more than 128 segments.
    #[error("the path is longer than 8 KiB, or has more than 128 segments")]
    TooLong,
    /// `//`
    #[error("the path has two slashes in a row")]
    EmptySegment,
    /// `.` or `..`, written out or encoded.
    #[error("the path has a segment of dots")]
    Dots,
    /// `\`, written out or encoded: a slash to some.
    #[error("the path has a backslash")]
    Backslash,
    /// `;`, written out or encoded: some cut the segment off there.
    #[error("the path has a semicolon")]
    Semicolon,
    /// `/`, `?` or `#`, encoded.
    #[error("the path has an encoded slash, question mark or number sign")]
    EncodedDelimiter,
    /// A control byte, written out or encoded.
    #[error("the path has a control character")]
    Control,
    /// `%` without two hexadecimal digits behind it.
    #[error("the path has a percent sign that encodes nothing")]
    BadEscape,
    /// What is encoded is encoded again: `%252e`.
    #[error("the path is encoded twice")]
    EncodedTwice,
    /// What is encoded is no UTF-8.
    #[error("the path is no UTF-8")]
    NotUtf8,
    /// A byte that no URL holds as it is (RFC 3986 §3.3).
    #[error("the path has a character that must be encoded")]
    Unencoded,
}

impl<'a> PlainPath<'a> {
    /// Reads the path of a request's target, what stands before `?`.
    ///
    /// # Errors
    /// [`OddPath`]: what about it could be read in two ways.
    pub fn parse(text: &'a [u8]) -> Result<Self, OddPath> {
        let Some(rest) = text.strip_prefix(b"/") else { return Err(OddPath::NotAbsolute) };
        if text.len() > MOST_BYTES {
            return Err(OddPath::TooLong);
        }
        if rest.is_empty() {
            return Ok(Self { segments: Vec::new(), slash: false });
        }
        let (rest, slash) = rest.strip_suffix(b"/").map_or((rest, false), |rest| (rest, true));
        let mut segments = Vec::new();
        for raw in rest.split(|b| *b == b'/') {
            if segments.len() == MOST_SEGMENTS {
                return Err(OddPath::TooLong);
            }
            segments.push(segment(raw)?);
        }
        Ok(Self { segments, slash })
    }
}

fn segment(raw: &[u8]) -> Result<Cow<'_, str>, OddPath> {
    if raw.is_empty() {
        return Err(OddPath::EmptySegment);
    }
    let read = if raw.contains(&b'%') {
        let decoded = decode(raw)?;
        if has_escape(&decoded) {
            return Err(OddPath::EncodedTwice);
        }
        Cow::Owned(String::from_utf8(decoded).map_err(|_| OddPath::NotUtf8)?)
    } else {
        raw.iter().try_for_each(|b| written(*b))?;
        Cow::Borrowed(str::from_utf8(raw).map_err(|_| OddPath::Unencoded)?)
    };
    if &*read == "." || &*read == ".." { Err(OddPath::Dots) } else { Ok(read) }
}

fn decode(raw: &[u8]) -> Result<Vec<u8>, OddPath> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'%' {
            written(*first)?;
            decoded.push(*first);
            continue;
        }
        let (digits, behind) = behind.split_first_chunk::<2>().ok_or(OddPath::BadEscape)?;
        let byte = hex(*digits).ok_or(OddPath::BadEscape)?;
        encoded(byte)?;
        decoded.push(byte);
        rest = behind;
    }
    Ok(decoded)
}

fn hex([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn has_escape(text: &[u8]) -> bool {
    text.windows(3).any(|three| matches!(three, [b'%', high, low] if hex([*high, *low]).is_some()))
}

/// Whether a byte may stand in a path as it is: a `pchar` of RFC 3986 §3.3, the semicolon excepted.
fn written(byte: u8) -> Result<(), OddPath> {
    match byte {
        _ if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte) => Ok(()),
        b'\\' => Err(OddPath::Backslash),
        b';' => Err(OddPath::Semicolon),
        0..=0x1f | 0x7f => Err(OddPath::Control),
        _ => Err(OddPath::Unencoded),
    }
}

/// Whether a byte may be what an escape stands for.
fn encoded(byte: u8) -> Result<(), OddPath> {
    match byte {
        b'/' | b'?' | b'#' => Err(OddPath::EncodedDelimiter),
        b'\\' => Err(OddPath::Backslash),
        b';' => Err(OddPath::Semicolon),
        0..=0x1f | 0x7f => Err(OddPath::Control),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(path: &str) -> Result<(Vec<String>, bool), OddPath> {
        let path = PlainPath::parse(path.as_bytes())?;
        Ok((path.segments.iter().map(ToString::to_string).collect(), path.slash))
    }

    #[test]
    fn a_plain_path_is_its_segments_with_escapes_undone() {
        for (path, segments, slash) in [
            ("/", &[][..], false),
            ("/cards", &["cards"], false),
            ("/cards/", &["cards"], true),
            ("/cards/7", &["cards", "7"], false),
            ("/%63ards/7", &["cards", "7"], false),
            ("/caf%C3%A9/a%20b", &["café", "a b"], false),
            ("/a.b/.../..a", &["a.b", "...", "..a"], false),
            ("/100%25", &["100%"], false),
            ("/a:b@c=d,e", &["a:b@c=d,e"], false),
        ] {
            let segments: Vec<String> = segments.iter().map(|s| (*s).to_owned()).collect();
            assert_eq!(read(path), Ok((segments, slash)), "{path}");
        }
    }

    #[test]
    fn what_an_upstream_may_read_differently_is_refused() {
        use OddPath as O;
        for (path, why) in [
            ("", O::NotAbsolute),
            ("*", O::NotAbsolute),
            ("cards", O::NotAbsolute),
            ("https://a.example/cards", O::NotAbsolute),
            ("//", O::EmptySegment),
            ("//cards", O::EmptySegment),
            ("/cards//7", O::EmptySegment),
            ("/cards//", O::EmptySegment),
            ("/.", O::Dots),
            ("/cards/..", O::Dots),
            ("/cards/../admin", O::Dots),
            ("/cards/./7", O::Dots),
            ("/cards/%2e%2E/admin", O::Dots),
            ("/cards/.%2e/admin", O::Dots),
            ("/cards/%2e/", O::Dots),
            ("/cards/..%2fadmin", O::EncodedDelimiter),
            ("/cards%2F7", O::EncodedDelimiter),
            ("/cards/7%3Fx", O::EncodedDelimiter),
            ("/cards/7%23x", O::EncodedDelimiter),
            ("/cards\\7", O::Backslash),
            ("/cards%5c..%5Cadmin", O::Backslash),
            ("/cards;v=1/7", O::Semicolon),
            ("/cards/..;/admin", O::Semicolon),
            ("/cards%3Bv", O::Semicolon),
            ("/cards/\t7", O::Control),
            ("/cards/7\x7f", O::Control),
            ("/cards/7%00", O::Control),
            ("/cards/7%0d%0aX: y", O::Control),
            ("/cards/%7f", O::Control),
            ("/cards/%", O::BadEscape),
            ("/cards/%2", O::BadEscape),
            ("/cards/%zz", O::BadEscape),
            ("/cards/%u002e", O::BadEscape),
            ("/cards/%252e%252e/admin", O::EncodedTwice),
            ("/cards/%25%32%65", O::EncodedTwice),
            ("/cards/%ff", O::NotUtf8),
            ("/cards/%c0%ae%c0%ae/admin", O::NotUtf8),
            ("/cards/é", O::Unencoded),
            ("/cards/a b", O::Unencoded),
            ("/cards/7#x", O::Unencoded),
            ("/cards/{7}", O::Unencoded),
        ] {
            assert_eq!(read(path), Err(why), "{path}");
        }
        assert_eq!(read(&"/a".repeat(200)), Err(O::TooLong));
        assert_eq!(read(&format!("/{}", "a".repeat(9_000))), Err(O::TooLong));
    }

    #[test]
    fn every_reason_is_a_sentence_without_its_end() {
        assert_eq!(OddPath::Dots.to_string(), "the path has a segment of dots");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_what_passes_has_no_second_reading(path in proptest::collection::vec(any::<u8>(), 0..60)) {
            let path = [b"/".as_slice(), &path].concat();
            if let Ok(read) = PlainPath::parse(&path) {
                for segment in &read.segments {
                    prop_assert!(!segment.is_empty() && &**segment != "." && &**segment != "..");
                    prop_assert!(!segment.contains(['/', '\\', ';', '?', '#']));
                    prop_assert!(!segment.contains(|c: char| c.is_ascii_control()));
                }
            }
        }

        #[test]
        fn an_escaped_segment_is_the_segment(text in "[a-zA-Z0-9 é%.,-]{1,12}") {
            prop_assume!(text != "." && text != ".." && !has_escape(text.as_bytes()));
            let escaped = text.bytes().map(|b| format!("%{b:02X}")).collect::<Vec<_>>().concat();
            prop_assert_eq!(read(&format!("/{escaped}")), Ok((vec![text], false)));
        }
    }
}
