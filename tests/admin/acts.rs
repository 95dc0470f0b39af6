//! Acts of several administrators at once.

use std::collections::BTreeSet;

use ficha_tests::{Answer, Config, Server, secrets};
use serde_json::{Value, json};

use crate::{ask, own_server};

fn note(answer: &Answer) -> String {
    let secret = answer.member("secret");
    secrets::note("a generated secret", &secret);
    secret
}

#[test]
fn of_many_at_once_each_is_done_whole_or_told_to_repeat() {
    let server = own_server();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let add = |n: usize| {
            let client =
                json!({ "id": format!("crowd-{n}"), "grants": ["client_credentials"], "whole_apis": ["cards"] });
            ask(&server, "POST /v1/issuers/acme/clients", &client)
        };
        let all: Vec<_> = (0..12).map(|n| scope.spawn(move || add(n))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let mut done = BTreeSet::new();
    for (n, answer) in answers.iter().enumerate() {
        if answer.status == 200 {
            note(answer);
            done.insert(format!("crowd-{n}"));
        } else {
            assert_eq!(answer.status, 409, "{}", answer.whole());
            assert!(answer.member("hint").contains("repeat"), "{}", answer.whole());
        }
    }
    let listed = ask(&server, "GET /v1/issuers/acme/clients", &Value::Null).expect(200).json();
    let listed = listed.as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned());
    let listed: BTreeSet<_> = listed.filter(|id| id.starts_with("crowd-")).collect();
    assert_eq!(listed, done);
    assert!(!done.is_empty());
}

#[test]
fn of_three_secrets_added_at_once_a_client_gets_one() {
    let server = own_server();
    let client = json!({ "id": "racing", "grants": ["client_credentials"], "whole_apis": ["cards"] });
    note(&ask(&server, "POST /v1/issuers/acme/clients", &client).expect(200));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let add = || ask(&server, "POST /v1/issuers/acme/clients/racing/secrets", &json!({}));
        let all: Vec<_> = (0..3).map(|_| scope.spawn(add)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let done: Vec<_> = answers.iter().filter(|a| a.status == 200).map(note).collect();
    assert_eq!(done.len(), 1, "{answers:?}");
    let [secret] = done.try_into().unwrap();
    let call = server.https().base("/acme").post("/oauth/token").basic("racing", &secret);
    call.form(&[("grant_type", "client_credentials")]).send().expect(200);
}

#[test]
fn long_lists_come_in_pages() {
    let server = Server::serve(Config::new());
    let clients: Vec<_> =
        (0..25).map(|n| format!("[[issuer.client]]\nid = \"c-{n:02}\"\ngrants = [\"client_credentials\"]\n")).collect();
    server.apply(&format!(
        "[[issuer]]\nname = \"a\"\ndialect = \"standard\"\nbase_urls = [\"https://localhost:8443/a\"]\n{}",
        clients.concat()
    ));
    let page = |after: &str| {
        let rows =
            ask(&server, &format!("GET /v1/issuers/a/clients?limit=10&after={after}"), &Value::Null).expect(200).json();
        rows.as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (first, second, third) = (page(""), page("c-09"), page("c-19"));
    assert_eq!((first.len(), second.len(), third.len()), (10, 10, 5));
    assert_eq!(first.first().zip(third.last()), Some((&"c-00".to_owned(), &"c-24".to_owned())));
    assert_eq!(server.cli(&["client", "list", "--json"]).done().json().as_array().unwrap().len(), 25);
}
