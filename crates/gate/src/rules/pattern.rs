//! The paths that a rule is for.

use std::fmt;

use crate::path::PlainPath;

/// `/cards/{id}`: a literal segment matches itself, `{name}` any one, `{*name}` one or more at the end. A `/` at the end
/// is matched by one alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Box<[Part]>,
    slash: bool,
    text: Box<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    One,
    Rest,
}

impl Pattern {
    /// Reads a pattern, or says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else { return Err("a path begins with '/'".into()) };
        let (rest, slash) = match rest.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let mut parts = Vec::new();
        for segment in rest.split('/').filter(|_| !rest.is_empty()) {
            if parts.last() == Some(&Part::Rest) {
                return Err("{*name} stands at the end".into());
            }
            parts.push(part(segment)?);
        }
        if slash && parts.is_empty() {
            return Err("the path has two slashes in a row".into());
        }
        Ok(Self { parts: parts.into(), slash, text: text.into() })
    }

    /// Whether `path` is one of its.
    pub(crate) fn matches(&self, path: &PlainPath<'_>) -> bool {
        let mut segments = path.segments.iter();
        for part in &self.parts {
            match (part, segments.next()) {
                (Part::Literal(literal), Some(segment)) if **literal == **segment => {}
                (Part::One, Some(_)) => {}
                (Part::Rest, Some(_)) => return self.slash == path.slash,
                (Part::Literal(_) | Part::One | Part::Rest, _) => return false,
            }
        }
        segments.next().is_none() && self.slash == path.slash
    }

    /// Whether every path of `other` is one of its.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let mut theirs = other.parts.iter();
        for part in &self.parts {
            match (part, theirs.next()) {
                (Part::Literal(one), Some(Part::Literal(two))) if one == two => {}
                (Part::One, Some(Part::Literal(_) | Part::One)) => {}
                (Part::Rest, Some(_)) => return self.slash == other.slash,
                (Part::Literal(_) | Part::One | Part::Rest, _) => return false,
            }
        }
        theirs.next().is_none() && self.slash == other.slash
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn part(segment: &str) -> Result<Part, String> {
    if segment.starts_with([':', '*']) {
        return Err("a variable is written {name}, and the rest of a path {*name}".into());
    }
    if let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let (name, part) = name.strip_prefix('*').map_or((name, Part::One), |name| (name, Part::Rest));
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        return if named { Ok(part) } else { Err(format!("{segment} is no variable: write {{name}}")) };
    }
    if segment.contains(['{', '}']) {
        return Err(format!("{segment}: a variable is a whole segment"));
    }
    if segment.contains('%') {
        return Err(format!("{segment}: write it decoded, as it is meant"));
    }
    if segment.is_empty() {
        return Err("the path has two slashes in a row".into());
    }
    if segment == "."
        || segment == ".."
        || segment.contains(['\\', ';', '?', '#'])
        || segment.contains(char::is_control)
    {
        return Err(format!("{segment:?}: no request with such a segment passes"));
    }
    Ok(Part::Literal(segment.into()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    fn matches(text: &str, path: &str) -> bool {
        pattern(text).matches(&PlainPath::parse(path.as_bytes()).unwrap())
    }

    #[test]
    fn a_pattern_matches_whole_segments_as_they_are_meant() {
        for (pattern, path) in [
            ("/", "/"),
            ("/cards", "/cards"),
            ("/cards", "/%63ards"),
            ("/cards/{id}", "/cards/7"),
            ("/cards/{id}/", "/cards/7/"),
            ("/cards/{id}/pin", "/cards/a%20b/pin"),
            ("/files/{*path}", "/files/a"),
            ("/files/{*path}", "/files/a/b"),
            ("/files/{*path}/", "/files/a/b/"),
            ("/{*path}", "/a"),
            ("/a b/é", "/a%20b/%C3%A9"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/", "/a"),
            ("/cards", "/cards/"),
            ("/cards", "/Cards"),
            ("/cards", "/cards/7"),
            ("/cards/{id}", "/cards"),
            ("/cards/{id}", "/cards/7/"),
            ("/cards/{id}", "/cards/7/pin"),
            ("/files/{*path}", "/files"),
            ("/files/{*path}", "/files/"),
            ("/files/{*path}", "/files/a/"),
            ("/{*path}", "/"),
        ] {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_that_can_not_be_kept_says_why() {
        for (text, why) in [
            ("cards", "begins with '/'"),
            ("", "begins with '/'"),
            ("//", "two slashes"),
            ("/a//b", "two slashes"),
            ("/:id", "{name}"),
            ("/*", "{*name}"),
            ("/{}", "no variable"),
            ("/{*}", "no variable"),
            ("/{a b}", "no variable"),
            ("/{*rest}/a", "at the end"),
            ("/card-{id}", "a whole segment"),
            ("/a%20b", "decoded"),
            ("/a/../b", "no request"),
            ("/a;b", "no request"),
        ] {
            let said = Pattern::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    fn any_pattern() -> impl Strategy<Value = String> {
        let segment = prop_oneof!["[ab]", Just("{x}".to_owned())];
        (proptest::collection::vec(segment, 0..4), any::<bool>(), any::<bool>()).prop_map(|(parts, rest, slash)| {
            let mut text = parts.iter().map(|p| format!("/{p}")).collect::<Vec<_>>().concat();
            if rest {
                text.push_str("/{*r}");
            }
            if slash && !text.is_empty() {
                text.push('/');
            }
            if text.is_empty() { "/".into() } else { text }
        })
    }

    proptest! {
        #[test]
        fn who_covers_another_matches_all_that_it_matches(
            one in any_pattern(), other in any_pattern(), path in "(/[ab]){1,4}/?|/"
        ) {
            let (one, other) = (pattern(&one), pattern(&other));
            let path = PlainPath::parse(path.as_bytes()).unwrap();
            prop_assert!(one.covers(&one));
            if one.covers(&other) && other.matches(&path) {
                prop_assert!(one.matches(&path));
            }
        }
    }
}
