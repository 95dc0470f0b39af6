//! `Authorization: Basic`.

use crate::world::{LEAN, STD, world};

const CC: [(&str, &str); 1] = [("grant_type", "client_credentials")];

#[test]
fn a_wrong_secret_an_unknown_and_a_disabled_client_get_one_answer() {
    let world = world();
    let client = world.client("lean", LEAN);
    let gone = world.client("lean", &format!("{LEAN}\nstatus = \"disabled\""));
    let ask = |id: &str, secret: &str| world.base("lean").post("/oauth2/token").basic(id, secret).form(&CC).send();
    let answers = [
        ask(&client.id, "wrong"),
        ask("nobody", &client.secret),
        ask(&gone.id, &gone.secret),
        ask(&client.id, &client.secret.to_uppercase()),
    ];
    let first = answers[0].whole();
    assert!(answers.iter().all(|a| a.whole() == first), "{answers:#?}");
    assert_eq!(answers[0].status, 401);
    assert_eq!(
        answers[0].text(),
        r#"{"error":"invalid_client","error_description":"The client credentials are invalid."}"#
    );
    assert!(answers[0].header("www-authenticate").unwrap().starts_with("Basic "));
}

#[test]
fn it_is_read_as_given_first_then_form_decoded() {
    let world = world();
    let secrets = ["p%41q-mark-as-given", "a b+c-mark-with-space", "100%-mark-sure"];
    for secret in secrets {
        ficha_tests::secrets::note("a client's secret", secret);
        let id = world.name("odd");
        world.declare_client("std", (&id, &[(secret, false)]), STD);
        let encode = |text: &str| text.replace('%', "%25").replace('+', "%2B").replace(' ', "+");
        let ask = |secret: &str| world.base("std").post("/oauth/token").basic(&id, secret).form(&CC).send();
        ask(secret).expect(200);
        ask(&encode(secret)).expect(200);
        ask(&encode(&encode(secret))).expect(401);
    }
}

#[test]
fn two_secrets_are_refused_and_an_equal_client_id_is_not() {
    let world = world();
    let client = world.client("std", STD);
    let ask = |more: &[(&str, &str)]| client.ask(&[&CC, more].concat());
    assert_eq!(ask(&[("client_secret", &client.secret)]).verdict(), "400 invalid_request");
    assert_eq!(ask(&[("client_id", &client.id), ("client_secret", &client.secret)]).verdict(), "400 invalid_request");
    assert_eq!(ask(&[("client_id", "other")]).verdict(), "400 invalid_request");
    ask(&[("client_id", &client.id)]).expect(200);
    let twice = client.base.post("/oauth/token").basic(&client.id, &client.secret);
    assert_eq!(twice.basic(&client.id, &client.secret).form(&CC).send().verdict(), "400 invalid_request");
}

#[test]
fn no_credentials_at_all_are_401_with_a_challenge() {
    let world = world();
    for issuer in ["std", "lean"] {
        let path = if issuer == "lean" { "/oauth2/token" } else { "/oauth/token" };
        let answer = world.base(issuer).post(path).form(&CC).send();
        assert_eq!(answer.verdict(), "401 invalid_client");
        assert!(answer.header("www-authenticate").unwrap().starts_with("Basic "));
    }
}

#[test]
fn a_client_may_be_held_to_one_method() {
    let world = world();
    let client = world.client("std", &format!("{STD}\nauth_methods = [\"client_secret_post\"]"));
    assert_eq!(client.token(&[]).verdict(), "401 invalid_client");
    let body = [CC[0], ("client_id", &client.id), ("client_secret", &client.secret)];
    client.base.post("/oauth/token").form(&body).send().expect(200);
}

#[test]
fn both_of_two_secrets_work_and_a_third_is_not_taken() {
    let world = world();
    let proofs = [(); 3].map(|()| ficha_tests::secrets::fresh("a client's secret"));
    let id = world.name("two");
    let both = [(proofs[0].as_str(), false), (proofs[1].as_str(), false)];
    world.declare_client("std", (&id, &both), STD);
    for secret in &proofs[..2] {
        world.base("std").post("/oauth/token").basic(&id, secret).form(&CC).send().expect(200);
    }
    let text = format!(
        "{}[[issuer.client]]\nid = \"{id}\"\nsecrets = [\"sha256:{}\"]\n{STD}\n",
        world.issuer("std"),
        ficha_tests::secrets::sha256(&proofs[2])
    );
    let path = world.server.file("third.toml", &text);
    let refused = world.server.cli(&["apply", &path]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("secret"), "{}", refused.stderr);
    world.base("std").post("/oauth/token").basic(&id, &proofs[2]).form(&CC).send().expect(401);
}
