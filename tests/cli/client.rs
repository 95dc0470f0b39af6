//! `ficha client`.

use ficha_tests::secrets;
use serde_json::json;

use crate::site::{shown_secret, site};

#[test]
fn a_new_client_is_shown_its_secret_once_and_can_use_it_at_once() {
    let site = site();
    let id = site.name("new");
    let said = site.run(&format!("client add {id} --api cards")).done();
    let secret = said.stdout.split_whitespace().find(|word| word.starts_with("fcs_"));
    let secret = secret.unwrap_or_else(|| panic!("{}", said.stdout)).to_owned();
    secrets::note("a generated secret", &secret);
    assert!(said.stderr.contains("will not be shown again"), "{}", said.stderr);
    site.token((&id, &secret)).expect(200);
    for line in ["client show ", "client secret list ", "client show --json ", "client secret list --json "] {
        let said = site.run(&format!("{line}{id}")).done();
        assert!(!said.stdout.contains(&secret), "{}", said.stdout);
    }
    assert_eq!(site.run(&format!("client add {id} --api cards")).code, 1, "it is there already");
}

#[test]
fn list_and_show_tell_what_there_is() {
    let site = site();
    let (id, _) = site.client("cards");
    let all = site.json("client list");
    let row = all.as_array().unwrap().iter().find(|c| c["id"] == id.as_str()).unwrap().clone();
    assert_eq!(
        row,
        json!({ "id": id, "status": "enabled", "grants": ["client_credentials", "password", "refresh_token"], "apis": ["cards"], "secrets": 1 })
    );
    assert!(site.run("client list").done().stdout.lines().any(|l| l.starts_with(&id) && l.contains("enabled")));
    let shown = site.json(&format!("client show {id}"));
    assert_eq!(shown["scopes"], json!({ "cards": ["cards:read", "cards:write"] }));
    let text = site.run(&format!("client show {id}")).done().stdout;
    assert!(text.contains(&id) && text.contains("cards:read cards:write"), "{text}");
    let said = site.run("client show nobody").expect(1);
    assert!(said.stderr.contains("there is no client nobody"), "{}", said.stderr);
}

#[test]
fn a_disabled_client_is_refused_and_an_enabled_one_is_not() {
    let site = site();
    let (id, secret) = site.client("cards");
    let said = site.run(&format!("client disable {id}")).done();
    assert!(said.stdout.contains("is disabled"), "{}", said.stdout);
    assert_eq!(site.token((&id, &secret)).verdict(), "401 invalid_client");
    assert_eq!(site.json(&format!("client show {id}"))["status"], "disabled");
    site.run(&format!("client disable {id}")).done();
    site.run(&format!("client enable {id}")).done();
    site.token((&id, &secret)).expect(200);
    site.run("client disable nobody").expect(1);
    site.run("client enable nobody").expect(1);
}

#[test]
fn two_secrets_live_beside_each_other_each_with_its_last_use() {
    let site = site();
    let (id, first) = site.client("cards");
    let second = site.json(&format!("client secret add {id} --secret-id next"));
    assert_eq!((&second["owner"], &second["id"]), (&id.as_str().into(), &"next".into()));
    let second = shown_secret(&second);
    let list = || site.json(&format!("client secret list {id}"));
    assert!(list().as_array().unwrap().iter().all(|s| s["last_used"].is_null() && s["origin"] == "generated"));

    site.token((&id, &second)).expect(200);
    let used = list();
    let by = |id: &str| used.as_array().unwrap().iter().find(|s| s["id"] == id).unwrap()["last_used"].clone();
    let at = by("next").as_i64().unwrap();
    assert_eq!(at % 3600, 0, "to the hour");
    let other = used.as_array().unwrap().iter().find(|s| s["id"] != "next").unwrap().clone();
    assert!(other["last_used"].is_null(), "{other}");
    assert!(site.run(&format!("client secret list {id}")).done().stdout.contains("never, as far as is known"));

    let third = site.run(&format!("client secret add {id}")).expect(1);
    assert!(third.stderr.contains("two secrets already"), "{}", third.stderr);
    site.token((&id, &first)).expect(200);
    site.run(&format!("client secret remove {id} {}", other["id"].as_str().unwrap())).done();
    assert_eq!(site.token((&id, &first)).verdict(), "401 invalid_client");
    site.token((&id, &second)).expect(200);
    site.run(&format!("client secret remove {id} nonsense")).expect(1);
}

#[test]
fn a_chosen_secret_may_come_from_a_file() {
    let site = site();
    let (id, _) = site.client("cards");
    let chosen = secrets::fresh("a chosen secret");
    let file = site.server.file("chosen", &format!("{chosen}\n"));
    let said = site.run(&format!("client secret add {id} --secret-file {file} --secret-id chosen --json")).done();
    assert!(!said.stdout.contains(&chosen), "{}", said.stdout);
    site.token((&id, &chosen)).expect(200);
    let all = site.json(&format!("client secret list {id}"));
    assert!(all.as_array().unwrap().iter().any(|s| s["id"] == "chosen" && s["origin"] == "chosen"), "{all}");
    let again = site.run(&format!("client secret remove {id} chosen --json")).done();
    assert_eq!(again.stdout, "{}\n");
    assert_eq!(site.token((&id, &chosen)).status, 401);
}

#[test]
fn scopes_rates_and_methods_may_be_said() {
    let site = site();
    let id = site.name("said");
    let args = [
        "client",
        "add",
        &id,
        "--scope",
        "cards=cards:write",
        "--auth-method",
        "client_secret_post",
        "--property",
        "tier=gold",
        "--json",
    ];
    let secret = shown_secret(&site.server.cli(&args).done().json());
    let body = [("grant_type", "client_credentials"), ("client_id", id.as_str()), ("client_secret", secret.as_str())];
    let answer = site.base().post("/oauth/token").form(&body).send().expect(200);
    assert_eq!(answer.member("scope"), "cards:write");
    assert_eq!(site.token((&id, &secret)).status, 401, "not by Basic");
    let shown = site.json(&format!("client show {id}"));
    assert_eq!(
        (&shown["properties"], &shown["auth_methods"]),
        (&json!({ "tier": "gold" }), &json!(["client_secret_post"]))
    );
    for wrong in ["client add x --scope cards=nothing", "client add x --api nothing"] {
        assert_eq!(site.run(wrong).code, 1, "{wrong}");
    }
    for wrong in ["client add x --grant magic", "client add x --scope cards", "client add a:b"] {
        assert_eq!(site.run(wrong).code, 2, "{wrong}");
    }
}
