//! `ficha issuer`.

use crate::site::site;

#[test]
fn list_and_show_tell_what_there_is() {
    let site = site();
    let all = site.json("issuer list");
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!((&all[0]["name"], &all[0]["dialect"]), (&"acme".into(), &"standard".into()));
    let text = site.run("issuer list").done().stdout;
    assert!(text.contains("https://localhost:8443/acme"), "{text}");
    let shown = site.json("issuer show acme");
    assert_eq!(shown["issuer"]["places"][1]["dialect"], "deyel");
    assert_eq!(shown["apis"].as_array().unwrap().len(), 2);
    assert!(shown["keys"].as_array().unwrap().len() >= 2, "{shown}");
    let text = site.run("issuer show acme").done().stdout;
    for word in ["acme", "cards", "ES256", "HS256"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(site.run("issuer show nobody").expect(1).stderr.contains("there is no issuer nobody"));
}
