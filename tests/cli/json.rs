//! Every command speaks JSON when it is asked to: on standard output one value and nothing else.

use ficha_tests::{Config, secrets};

use crate::site::Site;

#[test]
fn every_command_answers_one_json_value() {
    let site = Site::new(Config::new());
    let (id, secret) = site.client("cards");
    let token = site.token((&id, &secret)).expect(200).access_token();
    let jti = ficha_tests::claims(&token)["jti"].as_str().unwrap().to_owned();
    let password = site.server.file("ana", &secrets::fresh("a password"));
    let declaration = site.server.file("issuer.toml", &site.issuer());
    let dialect = site.server.file("mine.toml", "extends = \"pomelo\"\nabout = \"mine\"\n");
    for line in [
        &format!("apply {declaration}"),
        &format!("apply --plan {declaration}"),
        "issuer list",
        "issuer show acme",
        "api list",
        "api show cards",
        "api secret list cards",
        "api secret remove old NONE",
        &format!("client show {id}"),
        "client list",
        &format!("client disable {id} --keep-tokens"),
        &format!("client enable {id}"),
        &format!("client secret list {id}"),
        &format!("user add ana --password-file {password}"),
        &format!("user password ana --password-file {password}"),
        "user disable ana",
        "user enable ana",
        "user list",
        "key list",
        "key rotate --algorithm ES256 --now",
        &format!("token revoke --jti {jti}"),
        &format!("token revoke --client {id}"),
        "token revoke --user ana",
        "token revoke --issuer acme",
        &format!("token inspect {token}"),
        "dialect list",
        "dialect show pomelo",
        &format!("dialect check {dialect}"),
        "doctor",
    ] {
        let said = site.run(&format!("{line} --json"));
        if line.ends_with("NONE") {
            assert!(said.code == 1 && said.stdout.is_empty() && !said.stderr.is_empty(), "a refusal: {said:?}");
            continue;
        }
        let said = said.done();
        let value: Result<serde_json::Value, _> = serde_json::from_str(&said.stdout);
        assert!(value.is_ok(), "{line}: {}", said.stdout);
    }
}
