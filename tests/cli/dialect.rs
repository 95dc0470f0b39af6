//! `ficha dialect`: needs no server.

use ficha_tests::{Config, ficha};

#[test]
fn the_built_in_ones_are_listed_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let list = ficha(folder.path(), ["dialect", "list", "--json"]).done().json();
    let names: Vec<_> = list.as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["deyel", "leancore", "pomelo", "standard"]);
    assert!(ficha(folder.path(), ["dialect", "list"]).done().stdout.contains("built in"));
    let shown = ficha(folder.path(), ["dialect", "show", "pomelo"]).done().stdout;
    assert!(shown.contains("https://pomelo.la/client_id"), "{shown}");
    let near = ficha(folder.path(), ["dialect", "show", "pomelos"]).expect(2);
    assert!(near.stderr.contains("did you mean pomelo?"), "{}", near.stderr);
}

#[test]
fn what_is_shown_can_be_checked_and_extended() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["deyel", "leancore", "pomelo", "standard"] {
        let shown = ficha(folder.path(), ["dialect", "show", name]).done().stdout;
        std::fs::write(folder.path().join("mine.toml"), shown).unwrap();
        let said = ficha(folder.path(), ["dialect", "check", "mine.toml"]).done();
        assert!(said.stdout.contains("good dialect"), "{}", said.stdout);
    }
}

#[test]
fn what_is_wrong_is_told_with_file_line_key_and_the_nearest_known_name() {
    let folder = tempfile::tempdir().unwrap();
    let text = "extends = \"standard\"\n\n[token]\nbdoy = \"json\"\n\n[profile]\nalgorithm = \"RS257\"\n\n[token.answer]\ntoken = \"{acces_token}\"\n";
    std::fs::write(folder.path().join("mine.toml"), text).unwrap();
    let said = ficha(folder.path(), ["dialect", "check", "mine.toml"]).expect(2);
    for word in [
        "mine.toml:4: token.bdoy: unknown key, did you mean body?",
        "mine.toml:7: profile.algorithm",
        "mine.toml:10: ",
        "access_token",
    ] {
        assert!(said.stderr.contains(word), "{word}: {}", said.stderr);
    }
    let json = ficha(folder.path(), ["dialect", "check", "mine.toml", "--json"]).expect(2).json();
    assert_eq!((&json["problems"][0]["line"], &json["problems"][0]["key"]), (&4.into(), &"token.bdoy".into()));
    assert_eq!(ficha(folder.path(), ["dialect", "check", "absent.toml"]).code, 2);
}

#[test]
fn a_folder_of_the_configuration_is_listed_too_and_a_broken_file_there_stops_the_start() {
    let config = Config::new().with("dialects", "folder = \"dialects\"");
    config.file("dialects/mine.toml", "extends = \"pomelo\"\nabout = \"mine\"\n[token]\nbody = \"form\"\n");
    let path = config.write().display().to_string();
    let list = ficha(config.dir(), ["dialect", "list", "--json", "--config", &path]).done().json();
    let mine = list.as_array().unwrap().iter().find(|d| d["name"] == "mine").unwrap();
    assert_eq!(mine["extends"], serde_json::json!(["pomelo", "standard"]));
    config.file("dialects/mine.toml", "extends = \"pomelo\"\n[token]\nbdoy = \"form\"\n");
    let said = ficha(config.dir(), ["serve", "--config", &path]).expect(2);
    assert!(said.stderr.contains("mine.toml:3: token.bdoy: unknown key"), "{}", said.stderr);
}
