//! Names for what is random.

use super::case::Known;

/// `{name}` at the beginning of `text`, and what is behind it.
pub(crate) fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('{')?.split_once('}')?;
    let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    (fits && !name.starts_with(|c: char| c.is_ascii_digit())).then_some((name, after))
}

/// Where the next `{name}` stands.
pub(crate) fn next_placeholder(text: &str) -> Option<usize> {
    text.match_indices('{').map(|(at, _)| at).find(|at| placeholder(&text[*at..]).is_some())
}

/// What is random in an answer or a token, by the member that it is the value of.
const RANDOM: [(&str, &str); 10] = [
    ("access_token", "access_token"),
    ("value", "access_token"),
    ("refresh_token", "refresh_token"),
    ("renewal", "refresh_token"),
    ("jti", "jti"),
    ("iat", "iat"),
    ("exp", "exp"),
    ("nbf", "nbf"),
    ("kid", "kid"),
    ("sub", "sub"),
];

/// `text` with names for what is random; each new value gets one.
pub(crate) fn redact(text: &str, known: &mut Known) -> String {
    let mut out = text.to_owned();
    for (member, name) in RANDOM {
        let mut from = 0;
        let begin = format!("\"{member}\":");
        while let Some(at) = out[from..].find(&begin) {
            let start = from + at + begin.len();
            from = start;
            let quoted = out[start..].starts_with('"');
            let start = start + usize::from(quoted);
            let end = out[start..].find(['"', ',', '}']).map_or(out.len(), |end| start + end);
            let value = out[start..end].to_owned();
            let boring = match member {
                "kid" => value.len() < 21,
                "sub" => !value.starts_with("usr_"),
                _ => value.is_empty(),
            };
            if !boring && !value.starts_with('{') {
                let name = if quoted { named(known, name, &value) } else { name.to_owned() };
                out.replace_range(start..end, &format!("{{{name}}}"));
            }
        }
    }
    out
}

fn named(known: &mut Known, name: &str, value: &str) -> String {
    let stem = |n: &str| n == name || n.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'));
    if let Some((there, _)) = known.iter().find(|(n, v)| stem(n) && *v == value) {
        return there.clone();
    }
    let count = known.keys().filter(|n| stem(n)).count();
    let new = if count == 0 { name.to_owned() } else { format!("{name}_{}", count + 1) };
    known.insert(new.clone(), value.to_owned());
    new
}
