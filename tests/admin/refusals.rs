//! What is refused says why, what to do, and nothing of what was sent.

use ficha_tests::eventually;
use serde_json::{Value, json};

use crate::{ask, own_server, server};

#[test]
fn what_is_not_there_is_404_with_the_way_out() {
    let server = server();
    let nobody = ask(&server, "GET /v1/issuers/acme/clients/nobody", &Value::Null).expect(404).json();
    assert_eq!((&nobody["error"], &nobody["message"]), (&"not_found".into(), &"there is no client nobody".into()));
    assert!(nobody["hint"].as_str().unwrap().contains("ficha client list"), "{nobody}");
    for path in ["/v1/issuers/nobody", "/v1/issuers/acme/apis/x", "/v1/issuers/acme/users/x", "/v1/issuers/acme/keys/x"]
    {
        ask(&server, &format!("GET {path}"), &Value::Null).expect(404);
    }
    let route = ask(&server, "GET /v2/issuers", &Value::Null).expect(404).json();
    assert!(route["hint"].as_str().unwrap().contains("version"), "{route}");
    ask(&server, "DELETE /v1/issuers", &Value::Null).expect(405);
}

#[test]
fn a_request_that_is_not_of_its_grammar_is_400_and_repeats_nothing() {
    let server = server();
    let clients = "POST /v1/issuers/acme/clients";
    for body in [
        json!([]),
        json!({ "id": "a:b", "grants": [] }),
        json!({ "id": "hidden-word", "grants": ["magic"] }),
        json!({ "idd": "x" }),
    ] {
        let refused = ask(&server, clients, &body);
        assert_eq!((refused.status, refused.member("error").as_str()), (400, "malformed"), "{}", refused.whole());
    }
    let broken = "{\"token\": \"hidden-word";
    let refused = server.at_socket(&format!(
        "POST /v1/tokens/inspect HTTP/1.1\r\nHost: ficha\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{broken}",
        broken.len()
    ));
    assert_eq!(refused.status, 400);
    assert!(!refused.text().contains("hidden-word"), "{}", refused.text());
    ask(&server, "GET /v1/issuers/NOT%20A%20NAME", &Value::Null).expect(400);
}

#[test]
fn what_contradicts_a_rule_or_a_name_is_told() {
    let server = server();
    let client = json!({ "id": "twice", "grants": ["client_credentials"], "whole_apis": ["cards"] });
    let made = ask(&server, "POST /v1/issuers/acme/clients", &client).expect(200);
    ficha_tests::secrets::note("a generated secret", &made.member("secret"));
    let again = ask(&server, "POST /v1/issuers/acme/clients", &client).expect(422).json();
    assert_eq!(again["error"], "refused");
    let cards = json!({ "id": "cards", "grants": ["client_credentials"] });
    let taken = ask(&server, "POST /v1/issuers/acme/clients", &cards).expect(409).json();
    assert!(taken["message"].as_str().unwrap().contains("cards"), "{taken}");
}

#[test]
fn a_client_without_a_grant_or_a_method_is_refused() {
    let server = server();
    for lists in [json!({ "grants": [] }), json!({ "grants": ["client_credentials"], "auth_methods": [] })] {
        let mut client = lists.clone();
        client["id"] = "idle".into();
        let refused = ask(&server, "POST /v1/issuers/acme/clients", &client).expect(422).json();
        assert!(!refused["hint"].as_str().unwrap().is_empty(), "{lists}: {refused}");
    }
}

#[test]
fn a_failure_of_ours_stands_in_the_log_once_with_its_cause_and_what_was_asked() {
    let server = own_server();
    let store = rusqlite::Connection::open(server.data.join("ficha.db")).unwrap();
    store.execute_batch("UPDATE apis SET record = '{}'").unwrap();
    let failed = ask(&server, "GET /v1/issuers/acme/keys", &Value::Null).expect(503).json();
    let cause = failed["message"].as_str().unwrap();
    let lines = || -> Vec<Value> {
        let log = server.said("err");
        let lines = log.lines().filter_map(|line| serde_json::from_str(line).ok());
        lines.filter(|line: &Value| line.to_string().contains("a request of administration failed")).collect()
    };
    eventually("it is logged", || !lines().is_empty());
    let [line] = &lines()[..] else { panic!("{:#?}", lines()) };
    let text = line.to_string();
    assert!(text.contains(&serde_json::to_string(cause).unwrap()), "{cause}: {text}");
    assert!(text.contains("GET /v1/issuers/{issuer}/keys"), "{text}");
}
