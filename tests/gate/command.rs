//! `ficha gate` as a command.

use std::path::Path;

use ficha_tests::{Output, ficha};
use serde_json::json;

const RULES: &str =
    "issuer = \"https://auth.example\"\naudience = \"https://api.example\"\n[[api]]\nhosts = \"api.example\"\nrules = [
  { on = \"GET /cards/{id}\", scope = \"cards:get\" },
  { on = \"GET /health\", public = true },
]
";

fn explain(folder: &Path, more: &[&str]) -> Output {
    ficha(folder, [&["gate", "explain"], more].concat())
}

#[test]
fn explain_says_which_rule_decides() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.toml"), RULES).unwrap();
    let at = |url| explain(folder.path(), &["GET", url, "--rules", "rules.toml"]).done().stdout;
    let said = at("https://api.example/cards/7?a=b");
    for line in ["GET /cards/{id}   (rules.toml:6)", "a token with the scope cards:get", "https://auth.example"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(at("https://api.example/health").contains("open to everybody"));
    assert!(at("https://api.example/cards").contains("no_route: No rule matches GET at api.example."));
    assert!(at("https://other.example/health").contains("no_route: No rule matches"));
    assert!(at("https://api.example/cards/..%2f").contains("odd_path: The path has an encoded slash"));
    assert!(at("http://api.example/health").contains("insecure_transport: "));
    let json =
        explain(folder.path(), &["HEAD", "https://api.example/cards/7", "--rules", "rules.toml", "--json"]).done();
    let expected = json!({"verdict": "token", "rule": "GET /cards/{id}", "file": "rules.toml", "line": 6,
        "hosts": ["api.example"], "scope": "cards:get", "issuer": "https://auth.example", "audience": "https://api.example"});
    assert_eq!(json.json(), expected);
}

#[test]
fn the_rules_are_found_through_either_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.toml"), RULES).unwrap();
    std::fs::write(folder.path().join("gate.toml"), "[gate]\nrules = \"rules.toml\"").unwrap();
    let serve = "[listen]\nhttps = []\nhttp = [\"127.0.0.1:0\"]\n[store]\ndata = \"d\"\n[keys]\nmaster_key_file = \"m\"\n[gate]\nrules = \"rules.toml\"";
    std::fs::write(folder.path().join("ficha.toml"), serve).unwrap();
    for config in ["gate.toml", "ficha.toml"] {
        let said = explain(folder.path(), &["GET", "https://api.example/health", "--config", config]).done();
        assert!(said.stdout.contains("open to everybody"), "{config}: {}", said.stdout);
    }
}

#[test]
fn what_is_wrong_ends_with_2_and_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.toml"), RULES.replace("scope", "scop")).unwrap();
    for args in [
        &["gate", "--rules", "rules.toml"][..],
        &["gate", "explain", "GET", "https://api.example/", "--rules", "rules.toml"],
    ] {
        let said = ficha(folder.path(), args).expect(2).stderr;
        assert!(said.contains("rules.toml:6: [[api]] rules scop: unknown key, did you mean scope?"), "{said}");
    }
    let said = ficha(folder.path(), ["gate"]).expect(2).stderr;
    assert!(said.contains("ficha gate --rules rules.toml"), "{said}");
    std::fs::write(folder.path().join("rules.toml"), RULES.replace("https://auth", "http://auth")).unwrap();
    let said = ficha(folder.path(), ["gate", "--rules", "rules.toml"]).expect(2).stderr;
    assert!(
        said.contains("rules.toml:3: [[api]]: the issuer \"http://auth.example\" is refused: plain http"),
        "{said}"
    );
    std::fs::write(folder.path().join("rules.toml"), RULES).unwrap();
    for url in ["api.example/cards", "ftp://api.example/", "https://a b/"] {
        explain(folder.path(), &["GET", url, "--rules", "rules.toml"]).expect(2);
    }
}
