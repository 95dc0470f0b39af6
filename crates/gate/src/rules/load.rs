//! Loading a rules file: all of it is checked, and all that is wrong is told at once.

use std::{fs, path::Path, sync::Arc};

use ficha_config::{Node, Place, Problem, Value, nearest, parse_toml};
use ficha_types::{Algorithm, ScopeSet};
use http::Method;

use super::{Api, Feed, HostPattern, Means, Needs, Pattern, Rule, Rulebook, Tokens, Who, covered, reading::Table};

/// A file that is longer holds no rules.
const MOST_BYTES: u64 = 1 << 20;
/// Rules that there may be: each request is held against them in turn.
const MOST_RULES: usize = 2_000;
/// The methods whose names are known; others are let be, unless one of these was probably meant.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"];

const TOP: [&str; 3] = ["issuer", "audience", "api"];
const API: [&str; 12] = [
    "hosts",
    "issuer",
    "audience",
    "rules",
    "algorithms",
    "jwks_url",
    "shared_secret_files",
    "introspection_url",
    "feed",
    "refuse_at_once",
    "api_name",
    "secret_file",
];
const RULE: [&str; 3] = ["on", "scope", "public"];

/// The rules of the file at `path`. Reads no other file.
///
/// # Errors
/// Everything that is wrong, each with file, line and key: never an empty list.
pub fn load(path: &Path) -> Result<Rulebook, Vec<Problem>> {
    let failed = |message: String| vec![Problem { place: Place::File(path.into()), key: String::new(), message }];
    match fs::metadata(path) {
        Ok(file) if file.len() > MOST_BYTES => return Err(failed(format!("longer than {MOST_BYTES} bytes"))),
        Ok(_) => {}
        Err(e) => return Err(failed(format!("cannot be read: {e}"))),
    }
    let text = fs::read_to_string(path).map_err(|e| failed(format!("cannot be read: {e}")))?;
    read(path, &text)
}

/// Like [`load`], of a `text` that messages call `file`.
///
/// # Errors
/// As [`load`].
pub fn read(file: &Path, text: &str) -> Result<Rulebook, Vec<Problem>> {
    let file: Arc<Path> = file.into();
    let entries = parse_toml(&file, text)?;
    let whole = Place::File(file);
    let mut problems = Vec::new();
    let top = Table { name: "", place: &whole, entries: &entries };
    top.unknown(&TOP, &mut problems);
    let mut book = Rulebook { apis: Vec::new(), rules: Vec::new() };
    match top.get("api").map(|node| (&node.value, node)) {
        Some((Value::List(apis), _)) if !apis.is_empty() => {
            for node in apis {
                api(&mut book, &top, node, &mut problems);
            }
        }
        Some((_, node)) => top.expected("api", "tables, each under a line [[api]]", node, &mut problems),
        None => top.wrong(("", &whole), "there is no rule: expected tables, each under a line [[api]]", &mut problems),
    }
    if book.rules.len() > MOST_RULES {
        top.wrong(("", &whole), format!("more than {MOST_RULES} rules"), &mut problems);
    } else {
        unreachable_rules(&book, &mut problems);
    }
    if problems.is_empty() { Ok(book) } else { Err(problems) }
}

fn api(book: &mut Rulebook, top: &Table<'_>, node: &Node, problems: &mut Vec<Problem>) {
    let Value::Table(entries) = &node.value else {
        return top.expected("api", "a table under a line [[api]]", node, problems);
    };
    let table = Table { name: "[[api]]", place: &node.place, entries };
    table.unknown(&API, problems);
    let hosts = hosts(&table, problems);
    let number = book.apis.len();
    let before = book.rules.len();
    match table.get("rules").map(|node| (&node.value, node)) {
        Some((Value::List(rules), _)) if !rules.is_empty() => {
            book.rules.extend(rules.iter().filter_map(|node| rule(&table, node, number, problems)));
        }
        Some((_, node)) => {
            table.expected("rules", "a list, each { on = \"METHOD /path\", scope = \"SCOPE\" }", node, problems);
        }
        None => table.wrong(("rules", &node.place), "missing: expected a list of rules", problems),
    }
    let means = means(&table, problems);
    let open = book.rules.iter().skip(before).all(|rule| rule.needs == Needs::Nothing);
    let word = |key: &str, problems: &mut Vec<Problem>| {
        table.text(key, problems).or_else(|| top.text(key, problems)).filter(|text| !text.is_empty())
    };
    let tokens = match (word("issuer", problems), word("audience", problems)) {
        (Some(issuer), Some(audience)) => Some(Tokens { issuer: issuer.into(), audience: audience.into(), means }),
        (None, None) if open => None,
        (issuer, _) => {
            let missing = if issuer.is_none() { "issuer" } else { "audience" };
            let says = if issuer.is_none() { "iss" } else { "aud" };
            let message = format!("missing: expected what tokens say in `{says}`, here or above every [[api]]");
            table.wrong((missing, &node.place), message, problems);
            None
        }
    };
    book.apis.push(Api { hosts, tokens, place: node.place.clone() });
}

fn hosts(table: &Table<'_>, problems: &mut Vec<Problem>) -> Vec<HostPattern> {
    let Some(texts) = table.texts("hosts", problems) else {
        if table.get("hosts").is_none() {
            let message = "missing: expected the hosts of the API, as in [\"api.example.com\"], or \"*\"";
            table.wrong(("hosts", table.place), message, problems);
        }
        return Vec::new();
    };
    if texts.is_empty() {
        table.wrong(("hosts", table.place), "no host at all: expected at least one, or \"*\"", problems);
    }
    let mut hosts = Vec::new();
    for (text, place) in texts {
        let pattern = match (text, text.strip_prefix("*.").unwrap_or(text)) {
            ("*", _) => Some(HostPattern::Any),
            (_, name) => {
                ficha_web::Host::parse(name).filter(|host| host.port.is_none() && !name.ends_with(':')).map(|host| {
                    if name.len() == text.len() { HostPattern::Is(host.name) } else { HostPattern::Below(host.name) }
                })
            }
        };
        match pattern {
            Some(pattern) if hosts.contains(&pattern) => {
                table.wrong(("hosts", place), format!("{text:?} is there twice"), problems);
            }
            Some(pattern) => hosts.push(pattern),
            None => {
                let message = format!(
                    "expected a host without a port, as in \"api.example.com\" or \"*.example.com\", or \"*\"; found {text:?}"
                );
                table.wrong(("hosts", place), message, problems);
            }
        }
    }
    hosts
}

fn rule(api: &Table<'_>, node: &Node, number: usize, problems: &mut Vec<Problem>) -> Option<Rule> {
    let Value::Table(entries) = &node.value else {
        api.expected("rules", "{ on = \"METHOD /path\", scope = \"SCOPE\" }", node, problems);
        return None;
    };
    let table = Table { name: "[[api]] rules", place: &node.place, entries };
    table.unknown(&RULE, problems);
    let on = match (table.text("on", problems), table.get("on")) {
        (Some(text), Some(node)) => on(&table, text, &node.place, problems),
        (None, None) => {
            table.wrong(
                ("on", &node.place),
                "missing: expected a method and a path, as in \"GET /cards/{id}\"",
                problems,
            );
            None
        }
        (_, _) => None,
    };
    let needs = needs(&table, problems);
    let ((method, pattern), needs) = (on?, needs?);
    let text = format!("{} {pattern}", method.as_ref().map_or("*", Method::as_str)).into();
    Some(Rule { method, pattern, needs, api: number, place: node.place.clone(), text })
}

fn on(table: &Table<'_>, text: &str, place: &Place, problems: &mut Vec<Problem>) -> Option<(Option<Method>, Pattern)> {
    let Some((word, path)) = text.split_once(' ').filter(|(word, _)| !word.is_empty()) else {
        let message = format!("expected a method and a path, as in \"GET /cards/{{id}}\"; found {text:?}");
        table.wrong(("on", place), message, problems);
        return None;
    };
    let method = method(word).map_err(|why| table.wrong(("on", place), why, problems));
    let pattern = Pattern::parse(path.trim_matches(' ')).map_err(|why| table.wrong(("on", place), why, problems));
    Some((method.ok()?, pattern.ok()?))
}

/// A method, `None` for `*`; or what is wrong with it.
fn method(word: &str) -> Result<Option<Method>, String> {
    if word == "*" {
        return Ok(None);
    }
    if word == "HEAD" {
        return Err("HEAD counts as GET: write GET".into());
    }
    if !METHODS.contains(&word)
        && let Some(near) = nearest(word, METHODS)
    {
        return Err(format!("no method is called {word}, did you mean {near}?"));
    }
    if !word.bytes().all(|b| b.is_ascii_uppercase() || b == b'-') {
        return Err(format!(
            "a method is written in capital letters, one in each rule, or * for every one; found {word:?}"
        ));
    }
    Method::from_bytes(word.as_bytes()).map(Some).map_err(|_| format!("{word} is no method"))
}

fn needs(table: &Table<'_>, problems: &mut Vec<Problem>) -> Option<Needs> {
    let public = table.flag("public", problems);
    match (table.get("scope"), public) {
        (None, true) => Some(Needs::Nothing),
        (Some(node), true) => {
            table.wrong(("scope", &node.place), "a public rule needs no scope: take one of the two away", problems);
            None
        }
        (Some(_), false) => scopes("scope", table, problems).map(Needs::Scopes),
        (None, false) => {
            let message = "expected scope = \"SCOPE\" (\"\" for any good token), or public = true";
            table.wrong(("", table.place), message, problems);
            None
        }
    }
}

fn means(table: &Table<'_>, problems: &mut Vec<Problem>) -> Means {
    let text = |key: &str, problems: &mut Vec<Problem>| table.text(key, problems).map(Box::<str>::from);
    let (url, name) = (text("introspection_url", problems), text("api_name", problems));
    let secret_file = table.files("secret_file", problems).pop();
    let feed = table.flag("feed", problems);
    let refuse_at_once = scopes("refuse_at_once", table, problems);
    if refuse_at_once.is_some() && !feed {
        let message = "it counts while the revocation feed is followed: expected feed = true beside it";
        table.wrong(("refuse_at_once", table.place), message, problems);
    }
    let who = match (name, secret_file, url.is_some() || feed) {
        (Some(name), Some(secret_file), true) => Some(Who { name, secret_file }),
        (None, None, false) => None,
        (_, _, true) => {
            let message = "missing: introspection and the feed need api_name and secret_file";
            table.wrong(("api_name", table.place), message, problems);
            None
        }
        (_, _, false) => {
            let message = "nothing is asked by this name: expected introspection_url or feed = true beside it";
            table.wrong(("api_name", table.place), message, problems);
            None
        }
    };
    let algorithms = table
        .texts("algorithms", problems)
        .map(|words| words.into_iter().filter_map(|(word, place)| algorithm(word, place, table, problems)).collect());
    let feed = who.clone().filter(|_| feed).map(|who| Feed { who, refuse_at_once: refuse_at_once.unwrap_or_default() });
    Means {
        jwks_url: text("jwks_url", problems),
        algorithms,
        shared_secret_files: table.files("shared_secret_files", problems),
        introspection: url.zip(who),
        feed,
    }
}

/// A set of scopes in a text, when it is there.
fn scopes(key: &str, table: &Table<'_>, problems: &mut Vec<Problem>) -> Option<ScopeSet> {
    let node = table.get(key)?;
    let read = table.text(key, problems)?.parse::<ScopeSet>();
    read.map_err(|why| table.wrong((key, &node.place), why.to_string(), problems)).ok()
}

fn algorithm(word: &str, place: &Place, table: &Table<'_>, problems: &mut Vec<Problem>) -> Option<Algorithm> {
    let read = word.parse::<Algorithm>().ok();
    if read.is_none() {
        let known = ["RS256", "PS256", "ES256", "EdDSA", "HS256"];
        let near = ficha_config::did_you_mean(word, known);
        table.wrong(
            ("algorithms", place),
            format!("{word:?} is none{near} (there are {})", known.join(", ")),
            problems,
        );
    }
    read
}

/// Notes every rule to which an earlier one leaves nothing: whoever wrote it believes that it counts.
fn unreachable_rules(book: &Rulebook, problems: &mut Vec<Problem>) {
    for (n, rule) in book.rules.iter().enumerate() {
        let before = book.rules.get(..n).unwrap_or_default();
        if let Some(earlier) = covered(&book.apis, before, rule) {
            let line = match &earlier.place {
                Place::Line(_, line) => format!(" of line {line}"),
                Place::File(_) | Place::Variable(_) | Place::Default => String::new(),
            };
            let message = format!("{rule} never decides: {earlier}{line} matches all of it before");
            problems.push(Problem { place: rule.place.clone(), key: "[[api]] rules".into(), message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PlainPath;

    const HEAD: &str = "issuer = \"https://auth.example.com\"\naudience = \"https://api.example.com\"\n";

    fn book(text: &str) -> Rulebook {
        read(Path::new("rules.toml"), text).unwrap_or_else(|problems| panic!("{problems:#?}"))
    }

    fn complaints(text: &str) -> Vec<String> {
        read(Path::new("rules.toml"), text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    /// The rule for a request, as it is written, with the line where it stands.
    fn decides(book: &Rulebook, host: &str, method: &str, path: &str) -> Option<String> {
        let host = ficha_web::Host::parse(host);
        let path = PlainPath::parse(path.as_bytes()).unwrap();
        let (rule, _) = book.find(host.as_ref(), &method.parse().unwrap(), &path)?;
        let Place::Line(_, line) = &rule.place else { panic!("{rule:?}") };
        Some(format!("{line}: {rule}"))
    }

    fn example() -> Rulebook {
        book(&format!(
            "{HEAD}[[api]]
hosts = [\"api.example.com\", \"*.cards.example.com\"]
rules = [
  {{ on = \"GET /health\", public = true }},
  {{ on = \"GET /cards/search\", scope = \"cards:search\" }},
  {{ on = \"GET /cards/{{id}}\", scope = \"cards:get\" }},
  {{ on = \"POST /cards\", scope = \"cards:create users:get\" }},
  {{ on = \"* /me\", scope = \"\" }},
]
[[api]]
hosts = \"other.example.com\"
audience = \"https://other.example.com\"
rules = [{{ on = \"GET /{{*rest}}\", scope = \"other\" }}]
"
        ))
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let book = example();
        let at = |method, path| decides(&book, "api.example.com:8443", method, path);
        assert_eq!(at("GET", "/cards/search").unwrap(), "7: GET /cards/search");
        assert_eq!(at("GET", "/cards/7").unwrap(), "8: GET /cards/{id}");
        assert_eq!(at("GET", "/%63ards/s%65arch").unwrap(), "7: GET /cards/search");
        assert_eq!(at("HEAD", "/cards/7").unwrap(), "8: GET /cards/{id}");
        assert_eq!(at("PROPFIND", "/me").unwrap(), "10: * /me");
        assert_eq!(decides(&book, "eu.cards.example.com", "GET", "/health").unwrap(), "6: GET /health");
        assert_eq!(decides(&book, "OTHER.example.com.", "GET", "/cards/7").unwrap(), "15: GET /{*rest}");
        let needs: Vec<_> = book.rules.iter().map(|rule| rule.needs.clone()).collect();
        assert_eq!(needs[0], Needs::Nothing);
        assert_eq!(needs[3], Needs::Scopes("cards:create users:get".parse().unwrap()));
        assert_eq!(&*book.apis[1].tokens.as_ref().unwrap().audience, "https://other.example.com");
    }

    #[test]
    fn what_no_rule_matches_is_refused() {
        let book = example();
        for (host, method, path) in [
            ("api.example.com", "DELETE", "/cards/7"),
            ("api.example.com", "get", "/cards/7"),
            ("api.example.com", "GET", "/cards/7/"),
            ("api.example.com", "GET", "/cards/7/pin"),
            ("api.example.com", "GET", "/"),
            ("cards.example.com", "GET", "/health"),
            ("a.b.cards.example.com", "GET", "/health"),
            ("api.example.com.evil.example", "GET", "/health"),
            ("", "GET", "/health"),
        ] {
            assert_eq!(decides(&book, host, method, path), None, "{host} {method} {path}");
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_with_its_place() {
        let text = "isuer = \"a\"
audience = \"https://api.example.com\"
[[api]]
host = [\"api.example.com\"]
hosts = [\"api.example.com:8443\", \"http://x\"]
rules = [
  { on = \"GTE /a\", scope = \"a\" },
  { on = \"GET a\", scope = \"a\" },
  { on = \"get /b\", scope = \"a\" },
  { on = \"HEAD /c\", scope = \"a\" },
  { on = \"GET /d\", scop = \"a\" },
  { on = \"GET /e\", scope = \"a\", public = true },
  { on = \"GET /f\", scope = \"\\\"\" },
  { on = \"/g\", scope = 7 },
  { scope = \"a\" },
  \"GET /h\",
]
algorithms = [\"RS265\"]
api_name = \"x\"
";
        let said = complaints(text);
        let expected = [
            "rules.toml:1: isuer: unknown key, did you mean issuer? (there are issuer, audience, api)",
            "rules.toml:4: [[api]] host: unknown key, did you mean hosts? (there are hosts, issuer, ",
            "rules.toml:5: [[api]] hosts: expected a host without a port, ",
            "rules.toml:5: [[api]] hosts: expected a host without a port, ",
            "rules.toml:7: [[api]] rules on: no method is called GTE, did you mean GET?",
            "rules.toml:8: [[api]] rules on: a path begins with '/'",
            "rules.toml:9: [[api]] rules on: no method is called get, did you mean GET?",
            "rules.toml:10: [[api]] rules on: HEAD counts as GET: write GET",
            "rules.toml:11: [[api]] rules scop: unknown key, did you mean scope? (there are on, scope, public)",
            "rules.toml:11: [[api]] rules: expected scope = ",
            "rules.toml:12: [[api]] rules scope: a public rule needs no scope",
            "rules.toml:13: [[api]] rules scope: not a valid scope",
            "rules.toml:14: [[api]] rules on: expected a method and a path, ",
            "rules.toml:14: [[api]] rules scope: expected a text; found 7",
            "rules.toml:15: [[api]] rules on: missing: ",
            "rules.toml:16: [[api]] rules: expected { on = ",
            "rules.toml:3: [[api]] api_name: nothing is asked by this name: ",
            "rules.toml:18: [[api]] algorithms: \"RS265\" is none, did you mean RS256? ",
            "rules.toml:3: [[api]] issuer: missing: expected what tokens say in `iss`",
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.starts_with(expected), "{said}\n{expected}");
        }
    }

    #[test]
    fn a_rule_that_never_decides_is_told() {
        let rules = |rules: &str| complaints(&format!("{HEAD}[[api]]\nhosts = \"*\"\nrules = [\n{rules}\n]\n"));
        assert_eq!(
            rules("{ on = \"* /{*rest}\", scope = \"a\" },\n{ on = \"GET /admin/{x}\", scope = \"admin\" }"),
            [
                "rules.toml:7: [[api]] rules: GET /admin/{x} never decides: * /{*rest} of line 6 matches all of it before"
            ]
        );
        let two = format!(
            "{HEAD}[[api]]\nhosts = \"*.a.example\"\nrules = [{{ on = \"GET /x\", scope = \"a\" }}]\n[[api]]\nhosts = \"b.a.example\"\nrules = [{{ on = \"GET /x\", scope = \"b\" }}]\n"
        );
        assert!(complaints(&two)[0].contains("never decides"), "{:?}", complaints(&two));
    }

    #[test]
    fn a_file_without_rules_is_told() {
        for text in ["", "api = []", "api = 7", "[[api]]\nhosts = \"*\"\n", "[[api]]\nhosts = []\nrules = []\n"] {
            assert!(!complaints(text).is_empty(), "{text}");
        }
        assert!(complaints("[[api]")[0].starts_with("rules.toml:1: not valid TOML: "));
        let missing = load(Path::new("/nowhere/rules.toml")).unwrap_err();
        assert!(missing[0].to_string().starts_with("/nowhere/rules.toml: cannot be read: "), "{missing:?}");
    }

    #[test]
    fn an_api_of_public_rules_alone_needs_no_issuer() {
        let book = book("[[api]]\nhosts = \"*\"\nrules = [{ on = \"GET /\", public = true }]\n");
        assert_eq!(book.apis[0].tokens, None);
    }

    #[test]
    fn how_tokens_are_checked_stands_beside_whose_they_are() {
        let book = book(&format!(
            "{HEAD}[[api]]\nhosts = \"*\"\nrules = [{{ on = \"GET /\", scope = \"a\" }}]\nalgorithms = \"HS256\"\nshared_secret_files = [\"a.secret\", \"/b.secret\"]\n[[api]]\nhosts = \"b\"\nrules = [{{ on = \"GET /b\", scope = \"a\" }}]\nintrospection_url = \"https://a/i\"\napi_name = \"n\"\nsecret_file = \"s\"\nfeed = true\nrefuse_at_once = \"a\"\n"
        ));
        let means = |n: usize| &book.apis[n].tokens.as_ref().unwrap().means;
        assert_eq!(means(0).algorithms.as_deref(), Some(&[Algorithm::Hs256][..]));
        assert_eq!(means(0).shared_secret_files, [Path::new("a.secret"), Path::new("/b.secret")]);
        assert_eq!(&*means(1).introspection.as_ref().unwrap().0, "https://a/i");
        let feed = means(1).feed.as_ref().unwrap();
        assert_eq!((&*feed.who.name, feed.refuse_at_once.to_string().as_str()), ("n", "a"));
    }

    #[test]
    fn who_is_asked_needs_a_name_and_a_secret_and_something_to_ask() {
        let with = |lines: &str| {
            complaints(&format!(
                "{HEAD}[[api]]\nhosts = \"*\"\nrules = [{{ on = \"GET /\", scope = \"a\" }}]\n{lines}\n"
            ))
        };
        for (lines, said) in [
            ("feed = true", "[[api]] api_name: missing: "),
            ("introspection_url = \"https://a/i\"\napi_name = \"n\"", "[[api]] api_name: missing: "),
            ("api_name = \"n\"\nsecret_file = \"s\"", "[[api]] api_name: nothing is asked by this name"),
            ("refuse_at_once = \"a\"", "[[api]] refuse_at_once: it counts while "),
            ("feed = 1", "[[api]] feed: expected true or false; found 1"),
        ] {
            assert!(with(lines).concat().contains(said), "{lines}: {:?}", with(lines));
        }
    }
}
