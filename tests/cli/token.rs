//! `ficha token`. What revoking does is tested in `token/not_before.rs`.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use ficha_tests::{claims, program};

use crate::site::site;

#[test]
fn revoking_says_what_is_dead_and_until_when() {
    let site = site();
    let (id, secret) = site.client("cards");
    let token = site.token((&id, &secret)).expect(200).access_token();
    let said = claims(&token);
    let (jti, iat) = (said["jti"].as_str().unwrap(), said["iat"].as_i64().unwrap());
    let by_jti = site.json(&format!("token revoke --jti {jti}"));
    assert!(by_jti["until"].as_i64().unwrap() >= said["exp"].as_i64().unwrap(), "{by_jti}");
    assert!(!site.is_active("cards", &token));
    let by_client = site.json(&format!("token revoke --client {id}"));
    assert!(by_client["until"].as_i64().unwrap() >= iat);
    let text = site.run(&format!("token revoke --client {id} --api cards")).done().stdout;
    assert!(text.contains(&format!("issued to {id} at cards")) && text.contains("is dead"), "{text}");
    for nobody in ["--client nobody", "--user nobody"] {
        assert_eq!(site.run(&format!("token revoke {nobody}")).code, 1, "{nobody}");
    }
    for wrong in
        ["token revoke", "token revoke --api cards", "token revoke --jti a b", "token revoke --jti x --client y"]
    {
        assert_eq!(site.run(wrong).code, 2, "{wrong}");
    }
}

#[test]
fn inspecting_tells_what_a_token_is_and_what_stands_against_it() {
    let site = site();
    let (id, secret) = site.client("cards");
    let token = site.token((&id, &secret)).expect(200).access_token();
    let good = site.json(&format!("token inspect {token}"));
    assert_eq!(
        (&good["issuer"], &good["kind"], &good["against"]),
        (&"acme".into(), &"access_token".into(), &serde_json::json!([]))
    );
    assert_eq!(good["claims"], claims(&token));
    let text = site.run(&format!("token inspect {token}")).done().stdout;
    assert!(text.contains("good") && text.contains("cards:read") && !text.contains(&token), "{text}");

    site.run(&format!("token revoke --client {id}")).done();
    let dead = site.json(&format!("token inspect {token}"));
    assert!(dead["against"][0].as_str().unwrap().contains("was revoked"), "{dead}");
    site.run(&format!("client disable {id}")).done();
    let dead = site.json(&format!("token inspect {token}"));
    assert!(dead["against"].to_string().contains("is disabled"), "{dead}");

    let (head, _) = token.rsplit_once('.').unwrap();
    let forged = site.json(&format!("token inspect {head}.AAAA"));
    assert!(forged["issuer"].is_null() && forged["against"].as_array().unwrap().len() == 1, "{forged}");
    assert!(site.run(&format!("token inspect {head}.AAAA")).done().stdout.contains("unproved"));
    let nothing = site.json("token inspect nonsense");
    assert!(nothing["issuer"].is_null() && nothing["kind"].is_null(), "{nothing}");
}

#[test]
fn a_token_may_come_by_a_pipe() {
    let site = site();
    let (id, secret) = site.client("cards");
    let token = site.token((&id, &secret)).expect(200).access_token();
    let mut command = Command::new(program());
    command.args(["token", "inspect", "-", "--json", "--config"]).arg(site.server.config().path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{token}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["claims"], claims(&token));
}
