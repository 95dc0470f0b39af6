//! `ficha api`.

use ficha_tests::Config;
use serde_json::json;

use crate::site::{Site, shown_secret, site};

#[test]
fn list_and_show_tell_what_there_is() {
    let site = site();
    let all = site.json("api list");
    assert_eq!(
        all[0],
        json!({ "name": "cards", "audience": "https://cards.example", "algorithm": "ES256", "scopes": 2, "secrets": 1 })
    );
    assert!(site.run("api list").done().stdout.contains("https://cards.example"));
    let shown = site.json("api show cards");
    assert_eq!((&shown["token_lifetime"], &shown["scopes"]), (&json!(3600), &json!(["cards:read", "cards:write"])));
    assert!(site.run("api show cards").done().stdout.contains("cards:read cards:write"));
    assert!(site.run("api show nothing").expect(1).stderr.contains("nothing"));
}

#[test]
fn an_api_has_two_secrets_for_introspection_each_with_its_last_use() {
    let site = Site::new(Config::new());
    let (id, secret) = site.client("cards");
    let token = site.token((&id, &secret)).expect(200).access_token();
    let shown = site.json("api secret add cards --secret-id fresh");
    let fresh = shown_secret(&shown);
    assert!(fresh.starts_with("fas_"));
    let ask =
        |secret: &str| site.base().post("/oauth/introspect").basic("cards", secret).form(&[("token", &token)]).send();
    assert_eq!(ask(&fresh).expect(200).json()["active"], true);
    assert!(site.is_active("cards", &token));
    let listed = site.json("api secret list cards");
    assert!(listed.as_array().unwrap().iter().all(|s| s["last_used"].is_i64()), "{listed}");
    assert!(site.run("api secret add cards").expect(1).stderr.contains("two secrets already"));
    site.run("api secret remove cards fresh").done();
    assert_eq!(ask(&fresh).status, 401);
    assert!(site.is_active("cards", &token));
}
