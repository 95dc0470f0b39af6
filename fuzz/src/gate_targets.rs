//! What of the gate is fuzzed: the file of rules, and the path of a request. `crates/gate/tests/corpora.rs` runs the corpora.

use std::{path::Path, sync::OnceLock};

use ficha_gate::{PlainPath, Rulebook, explain, rules};

const RULES: &str = "issuer = \"https://a\"\naudience = \"b\"\n[[api]]\nhosts = \"*\"\nrules = [
  { on = \"GET /open/{*rest}\", public = true },
  { on = \"GET /{*rest}\", scope = \"s\" },
]
";

fn book() -> &'static Rulebook {
    static BOOK: OnceLock<Rulebook> = OnceLock::new();
    BOOK.get_or_init(|| rules::read(Path::new("rules.toml"), RULES).expect("good rules"))
}

pub(crate) fn rules_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match rules::read(Path::new("rules.toml"), text) {
        Ok(book) => {
            let _ = explain(&book, "GET", "https://api.example.com/cards/7?a=b");
        }
        Err(problems) => assert!(!problems.is_empty(), "refused without a reason"),
    }
}

pub(crate) fn gate_path(data: &[u8]) {
    if PlainPath::parse(data).is_err() {
        return;
    }
    let text = std::str::from_utf8(data).expect("a plain path is ASCII");
    let url = format!("https://api.example.com{text}");
    // Who reads it by the URL standard, which resolves dots, finds the same path.
    assert_eq!(url::Url::parse(&url).expect("a URL").path(), text);
    let explained = explain(book(), "GET", &url).expect("a URL");
    assert!(explained.verdict != "public" || text.starts_with("/open/") || text.contains('%'), "{text:?} is open");
}
