//! The steps of administration.

use std::collections::BTreeSet;

use ficha_core::{
    ports::{Commit, Edit, Expect, IssuerRows, PLACES, Page, PlaceRow, StoreError},
    records::{Api, Client, Issuer, KeyState, PasswordHash, Place, User},
};
use ficha_types::IssuerName;
use futures_util::future::join_all;

use super::{
    Store,
    samples::{
        NOON, act, api, app, audit, client, first_page, founded, issuer, key, last_change, mark_of_app, revocation,
        sealing, user, word,
    },
};

async fn rows(store: &dyn Store, issuer: &IssuerName) -> IssuerRows {
    store.issuer(issuer).await.unwrap().unwrap()
}

/// Fails unless the act contradicts what is there; what it says.
async fn refused(store: &dyn Store, commit: Commit) -> String {
    match store.commit(commit).await {
        Err(StoreError::Conflict(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

pub async fn what_is_absent_is_none(store: &dyn Store) {
    let nobody = word("nobody");
    assert!(store.issuers(first_page()).await.unwrap().is_empty());
    assert!(!store.stands(&["https://acme.example:443".to_owned()]).await.unwrap());
    assert!(store.issuer(&nobody).await.unwrap().is_none());
    let issuer = founded(store, "acme").await;
    for issuer in [&issuer, &nobody] {
        assert_eq!(store.client(issuer, &word("nobody")).await.unwrap(), None);
        assert_eq!(store.user(issuer, &word("nobody")).await.unwrap(), None);
        assert_eq!(store.user_by_subject(issuer, &word("nobody")).await.unwrap(), None);
    }
}

pub async fn what_was_committed_is_read_back_whole(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let edits = vec![
        Edit::PutApi(api("accounts")),
        Edit::PutUser(user("ana", "u-1")),
        Edit::PutKey(key("k1")),
        Edit::PutKey(ficha_core::records::KeyRow { api: None, state: KeyState::Next, ..key("k0") }),
        Edit::PutSealing(sealing(1)),
    ];
    store.commit(act(&name, edits)).await.unwrap();
    let found = rows(store, &name).await;
    assert_eq!(found.issuer, issuer("acme"));
    assert_eq!(found.apis, [api("accounts"), api("cards")]);
    let unbound = ficha_core::records::KeyRow { api: None, state: KeyState::Next, ..key("k0") };
    assert_eq!(found.keys, [unbound, key("k1")]);
    assert_eq!(found.sealing, [sealing(1)]);
    assert_eq!(store.client(&name, &app()).await.unwrap().unwrap().client, client("app"));
    assert_eq!(store.user(&name, &word("ana")).await.unwrap().unwrap().user, user("ana", "u-1"));
}

pub async fn a_record_is_replaced_and_taken_away(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let edits = vec![Edit::PutUser(user("ana", "u-1")), Edit::PutKey(key("k1")), Edit::PutSealing(sealing(1))];
    store.commit(act(&name, edits)).await.unwrap();
    let slower = Client { max_concurrent: 1, ..client("app") };
    let shorter = Api { token_lifetime: None, ..api("cards") };
    let longer = Issuer { rsa_bits: 4096, ..issuer("acme") };
    let retiring = ficha_core::records::KeyRow { state: KeyState::Retiring, ..key("k1") };
    let resealed = ficha_core::records::SealedKey { master: "m2".to_owned(), ..sealing(1) };
    let edits = vec![
        Edit::PutIssuer(longer.clone()),
        Edit::PutApi(shorter.clone()),
        Edit::PutClient(slower.clone()),
        Edit::PutKey(retiring.clone()),
        Edit::PutSealing(resealed.clone()),
    ];
    store.commit(act(&name, edits)).await.unwrap();
    let found = rows(store, &name).await;
    assert_eq!((found.issuer, found.apis, found.keys), (longer, vec![shorter], vec![retiring]));
    assert_eq!(found.sealing, [resealed]);
    assert_eq!(store.client(&name, &app()).await.unwrap().unwrap().client, slower);
    let edits = vec![
        Edit::RemoveApi(word("cards")),
        Edit::RemoveClient(app()),
        Edit::RemoveUser(word("ana")),
        Edit::RemoveKey(word("k1")),
    ];
    store.commit(act(&name, edits)).await.unwrap();
    let found = rows(store, &name).await;
    assert!(found.apis.is_empty() && found.keys.is_empty());
    assert_eq!(store.client(&name, &app()).await.unwrap(), None);
    assert_eq!(store.user_by_subject(&name, &word("u-1")).await.unwrap(), None);
}

pub async fn every_edit_is_numbered_and_the_last_number_is_answered(store: &dyn Store) {
    let name = founded(store, "acme").await;
    assert_eq!(last_change(store, &name).await, 3);
    let edits = vec![Edit::PutClient(client("app2")), Edit::PutMark(mark_of_app(NOON))];
    assert_eq!(store.commit(act(&name, edits)).await.unwrap(), 5);
    let found = rows(store, &name).await;
    assert_eq!((found.change, found.configured), (5, 4));
    let silent = Commit { audit: vec![audit("key.export")], ..act(&name, vec![]) };
    assert_eq!(store.commit(silent).await.unwrap(), 5);
}

pub async fn an_act_on_what_was_changed_meanwhile_writes_nothing(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let seen = rows(store, &name).await.configured;
    store.commit(act(&name, vec![Edit::PutClient(client("app2"))])).await.unwrap();
    let late = Commit {
        expect: Expect::At(seen),
        audit: vec![audit("client.add")],
        ..act(&name, vec![Edit::PutClient(client("app3"))])
    };
    refused(store, late).await;
    assert_eq!(store.client(&name, &word("app3")).await.unwrap(), None);
    assert_eq!(store.audit(&name, 10).await.unwrap(), []);
    let seen = rows(store, &name).await.configured;
    let in_time = Commit { expect: Expect::At(seen), ..act(&name, vec![Edit::PutClient(client("app3"))]) };
    store.commit(in_time).await.unwrap();
    assert!(store.client(&name, &word("app3")).await.unwrap().is_some());
}

pub async fn of_racing_acts_on_the_same_state_one_is_done(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let expect = Expect::At(rows(store, &name).await.configured);
    let act = |n| Commit { expect, ..act(&name, vec![Edit::PutClient(client(&format!("racer-{n}")))]) };
    let done = join_all((0..16).map(|n| store.commit(act(n)))).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    assert!(done.iter().all(|done| matches!(done, Ok(_) | Err(StoreError::Conflict(_)))), "{done:?}");
    let page = Page { after: "racer".to_owned(), limit: 100 };
    assert_eq!(store.clients(&name, page).await.unwrap().len(), 1);
}

pub async fn revocations_marks_and_upgrades_do_not_overtake_an_act(store: &dyn Store) {
    let name = founded(store, "acme").await;
    store.commit(act(&name, vec![Edit::PutUser(user("ana", "u-1"))])).await.unwrap();
    let seen = rows(store, &name).await;
    store.revoke_token(&name, &revocation(1), NOON, 100).await.unwrap();
    store.mark(&name, &mark_of_app(NOON), NOON).await.unwrap();
    store.commit(act(&name, vec![upgrade("hash of ana", "better")])).await.unwrap();
    let found = rows(store, &name).await;
    assert_eq!((found.configured, found.change), (seen.configured, seen.change + 3));
    let act = Commit { expect: Expect::At(seen.configured), ..act(&name, vec![Edit::PutApi(api("users"))]) };
    store.commit(act).await.unwrap();
}

pub async fn a_new_issuer_is_declared_once(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let again = Commit { expect: Expect::New, ..act(&name, vec![Edit::PutIssuer(issuer("acme"))]) };
    refused(store, again).await;
    let undeclared = Commit { expect: Expect::New, ..act(&word("other"), vec![Edit::PutApi(api("cards"))]) };
    refused(store, undeclared).await;
    let misnamed = Commit { expect: Expect::New, ..act(&word("other"), vec![Edit::PutIssuer(issuer("third"))]) };
    refused(store, misnamed).await;
    for expect in [Expect::Any, Expect::At(0)] {
        refused(store, Commit { expect, ..act(&word("other"), vec![Edit::PutClient(client("app"))]) }).await;
    }
    let names: Vec<_> = store.issuers(first_page()).await.unwrap().into_iter().map(|issuer| issuer.name).collect();
    assert_eq!(names, [name]);
    assert!(store.issuer(&word("other")).await.unwrap().is_none());
}

pub async fn issuers_are_read_by_name_in_pages(store: &dyn Store) {
    let names: Vec<IssuerName> = ["a", "acme-2", "acme", "b"].map(word).to_vec();
    for name in &names {
        founded(store, name.as_str()).await;
    }
    let (mut read, mut page) = (Vec::new(), Page { after: String::new(), limit: 3 });
    while let Some(last) = {
        let issuers = store.issuers(page.clone()).await.unwrap();
        let last = issuers.last().map(|issuer| issuer.name.to_string());
        read.extend(issuers.into_iter().map(|issuer| issuer.name));
        last
    } {
        page.after = last;
    }
    assert_eq!(read.len(), names.len());
    assert_eq!(read.iter().collect::<BTreeSet<_>>(), names.iter().collect());
}

/// An issuer with these base URLs.
async fn placed(store: &dyn Store, name: &str, urls: &[&str]) {
    let places = urls.iter().map(|url| Place { url: word(url), dialect: None }).collect();
    let edits = vec![Edit::PutIssuer(Issuer { places, ..issuer(name) })];
    store.commit(Commit { expect: Expect::New, ..act(&word(name), edits) }).await.unwrap();
}

pub async fn a_base_url_is_found_by_itself_among_many_that_are_none(store: &dyn Store) {
    placed(store, "acme", &["https://one.example", "https://alias.example:*/acme"]).await;
    placed(store, "other", &["http://one.example:8080/x"]).await;
    let (own, alias, other) = ("https://one.example:443", "https://alias.example:*/acme", "http://one.example:8080/x");
    let mut urls: Vec<String> = (0..PLACES * 2).map(|n| format!("https://one.example:443/{n}")).collect();
    urls.extend([own, alias, other].map(str::to_owned));
    let mut found = store.places(&urls).await.unwrap();
    found.sort_by(|a, b| a.url.cmp(&b.url));
    let found: Vec<_> = found.iter().map(|row| (row.url.as_str(), row.issuer.name.as_str())).collect();
    assert_eq!(found, [(other, "other"), (alias, "acme"), (own, "acme")]);
    assert!(store.places(&[]).await.unwrap().is_empty());
    assert!(store.places(&["https://one.example".to_owned()]).await.unwrap().is_empty(), "the port is written");
}

pub async fn a_base_url_that_was_moved_is_found_where_it_is_now(store: &dyn Store) {
    let name: IssuerName = word("acme");
    placed(store, "acme", &["https://one.example"]).await;
    let moved = Issuer { places: vec![Place { url: word("https://two.example"), dialect: None }], ..issuer("acme") };
    store.commit(act(&name, vec![Edit::PutIssuer(moved.clone())])).await.unwrap();
    let urls = ["https://one.example:443", "https://two.example:443"].map(str::to_owned);
    let found = store.places(&urls).await.unwrap();
    assert_eq!(found, [PlaceRow { url: urls[1].clone(), issuer: moved }]);
    assert!(!store.stands(&urls[..1]).await.unwrap());
}

pub async fn a_host_and_port_stand_when_any_base_url_does_and_no_other_does(store: &dyn Store) {
    placed(store, "acme", &["https://one.example:8443/deep/x", "https://any.example:*"]).await;
    let stands = async |origin: &str| store.stands(&[origin.to_owned()]).await.unwrap();
    assert!(stands("https://one.example:8443").await);
    assert!(stands("https://any.example:*").await);
    for other in [
        "https://one.example:844",
        "https://one.example:84430",
        "https://one.example:443",
        "http://one.example:8443",
        "https://one.exampl:8443",
        "https://two.example:8443",
        "https://any.example:443",
    ] {
        assert!(!stands(other).await, "{other}");
    }
    let many: Vec<_> = (1..20).map(|port| format!("https://one.example:{port}")).collect();
    assert!(!store.stands(&many).await.unwrap());
    assert!(store.stands(&[&many[..], &["https://one.example:8443".to_owned()]].concat()).await.unwrap());
}

pub async fn the_base_urls_of_a_host_are_read_in_pages_whatever_their_ports(store: &dyn Store) {
    placed(store, "acme", &["https://one.example", "https://one.example:8443/x", "https://one.example.org"]).await;
    placed(store, "other", &["https://one.example:*/y", "http://one.example:8080", "https://a-one.example"]).await;
    let (mut read, mut page) = (Vec::new(), Page { after: String::new(), limit: 2 });
    while let Some(last) = {
        let rows = store.places_of_host("https://one.example", page.clone()).await.unwrap();
        let last = rows.last().map(|row| row.url.clone());
        read.extend(rows.into_iter().map(|row| row.url));
        last
    } {
        page.after = last;
    }
    read.sort();
    assert_eq!(read, ["https://one.example:*/y", "https://one.example:443", "https://one.example:8443/x"]);
}

pub async fn of_racing_founders_one_is_done(store: &dyn Store) {
    let found = || Commit { expect: Expect::New, ..act(&word("acme"), vec![Edit::PutIssuer(issuer("acme"))]) };
    let done = join_all((0..8).map(|_| store.commit(found()))).await;
    assert_eq!(done.iter().filter(|done| matches!(done, Ok(1))).count(), 1, "{done:?}");
    assert_eq!(last_change(store, &word("acme")).await, 1);
}

pub async fn an_act_that_is_refused_in_its_middle_leaves_nothing(store: &dyn Store) {
    let name = founded(store, "acme").await;
    // Every other act is good: what is done beside the refused ones, maybe in one transaction, stays.
    let acts = (0..40).map(|n| {
        let mut edits = vec![Edit::PutClient(client(&format!("client-{n}")))];
        if n % 2 == 1 {
            // The name of an API.
            edits.extend([Edit::PutMark(mark_of_app(NOON)), Edit::PutClient(client("cards"))]);
        }
        store.commit(Commit { audit: vec![audit("client.add")], ..act(&name, edits) })
    });
    for (n, done) in join_all(acts).await.into_iter().enumerate() {
        let as_it_should = if n % 2 == 1 { matches!(done, Err(StoreError::Conflict(_))) } else { done.is_ok() };
        assert!(as_it_should, "{n}: {done:?}");
    }
    let page = Page { after: "client".to_owned(), limit: 100 };
    let clients = store.clients(&name, page).await.unwrap();
    assert_eq!(clients.len(), 20, "{clients:?}");
    assert_eq!(store.client(&name, &app()).await.unwrap().unwrap().mark, None);
    assert_eq!(store.audit(&name, 100).await.unwrap().len(), 20);
    assert_eq!(last_change(store, &name).await, 23);
}

pub async fn a_name_belongs_to_one_client_api_or_user(store: &dyn Store) {
    let name = founded(store, "acme").await;
    store.commit(act(&name, vec![Edit::PutUser(user("ana", "u-1"))])).await.unwrap();
    for clash in [
        Edit::PutClient(client("cards")),
        Edit::PutClient(client("u-1")),
        Edit::PutApi(api("app")),
        Edit::PutApi(api("u-1")),
        Edit::PutUser(user("eva", "app")),
        Edit::PutUser(user("eva", "cards")),
        Edit::PutUser(user("eva", "u-1")),
    ] {
        let why = refused(store, act(&name, vec![clash])).await;
        assert!(why.contains("already"), "{why}");
    }
    // The name that a user types is none of these.
    store.commit(act(&name, vec![Edit::PutUser(user("app", "u-2"))])).await.unwrap();
}

pub async fn a_name_is_free_again_when_its_owner_is_gone(store: &dyn Store) {
    let name = founded(store, "acme").await;
    store.commit(act(&name, vec![Edit::PutUser(user("ana", "u-1"))])).await.unwrap();
    let moved = vec![Edit::PutUser(user("ana", "u-2")), Edit::PutClient(client("u-1"))];
    store.commit(act(&name, moved)).await.unwrap();
    let gone = vec![
        Edit::RemoveUser(word("ana")),
        Edit::RemoveClient(app()),
        Edit::RemoveApi(word("cards")),
        Edit::PutApi(api("u-2")),
        Edit::PutApi(Api { audience: word("another"), ..api("app") }),
        Edit::PutClient(client("cards")),
    ];
    store.commit(act(&name, gone)).await.unwrap();
}

pub async fn removing_one_kind_leaves_the_name_of_another_alone(store: &dyn Store) {
    let name = founded(store, "acme").await;
    store.commit(act(&name, vec![Edit::RemoveClient(word("cards")), Edit::RemoveApi(word("app"))])).await.unwrap();
    refused(store, act(&name, vec![Edit::PutClient(client("cards"))])).await;
    refused(store, act(&name, vec![Edit::PutApi(api("app"))])).await;
}

pub async fn an_audience_belongs_to_one_api(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let second = Api { audience: api("cards").audience, ..api("users") };
    let why = refused(store, act(&name, vec![Edit::PutApi(second)])).await;
    assert!(why.contains("cards"), "{why}");
    let other = founded(store, "other").await;
    assert_eq!(rows(store, &other).await.apis, [api("cards")]);
}

pub async fn a_base_url_belongs_to_one_issuer(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let at = |name: &str, urls: &[&str]| {
        let places = urls.iter().map(|url| Place { url: word(url), dialect: None }).collect();
        Edit::PutIssuer(Issuer { places, ..issuer(name) })
    };
    let found = |urls: &[&str]| Commit { expect: Expect::New, ..act(&word("other"), vec![at("other", urls)]) };
    let why = refused(store, found(&["https://other.example", "https://acme.example"])).await;
    assert!(why.contains("acme"), "{why}");
    refused(store, found(&["https://ACME.example:443/"])).await;
    assert!(store.issuer(&word("other")).await.unwrap().is_none());
    store.commit(found(&["https://acme.example/other", "http://acme.example"])).await.unwrap();
    // What an issuer leaves is free.
    store.commit(act(&name, vec![at("acme", &["https://moved.example"])])).await.unwrap();
    store.commit(act(&word("other"), vec![at("other", &["https://acme.example"])])).await.unwrap();
}

pub async fn records_of_two_issuers_are_apart(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    let edits = vec![Edit::PutUser(user("ana", "u-1")), Edit::PutKey(key("k1")), Edit::PutSealing(sealing(1))];
    store.commit(act(&acme, edits)).await.unwrap();
    assert_eq!(store.user(&other, &word("ana")).await.unwrap(), None);
    let found = rows(store, &other).await;
    assert!(found.keys.is_empty() && found.sealing.is_empty());
    assert_eq!((found.change, rows(store, &acme).await.change), (3, 6));
    store.commit(act(&other, vec![Edit::PutClient(client("u-1")), Edit::RemoveClient(app())])).await.unwrap();
    assert!(store.client(&acme, &app()).await.unwrap().is_some());
    assert_eq!(store.clients(&other, Page { after: String::new(), limit: 10 }).await.unwrap(), [client("u-1")]);
}

pub async fn lists_come_in_pages_in_order(store: &dyn Store) {
    let name = founded(store, "acme").await;
    let users = [("b", "u-1"), ("a", "u-2"), ("Z", "u-3"), ("é", "u-4"), ("c", "u-5")];
    let mut edits: Vec<_> = users.map(|(name, sub)| Edit::PutUser(user(name, sub))).to_vec();
    edits.extend(["c2", "c1", "c3"].map(|id| Edit::PutClient(client(id))));
    store.commit(act(&name, edits)).await.unwrap();
    let page = |after: &str, limit| Page { after: after.to_owned(), limit };
    let users = |users: Vec<User>| users.iter().map(|user| user.name.to_string()).collect::<Vec<_>>();
    assert_eq!(users(store.users(&name, page("", 3)).await.unwrap()), ["Z", "a", "b"]);
    assert_eq!(users(store.users(&name, page("b", 3)).await.unwrap()), ["c", "é"]);
    let clients = store.clients(&name, page("app", 2)).await.unwrap();
    assert_eq!(clients, [client("c1"), client("c2")]);
    assert_eq!(store.clients(&name, page("c3", 2)).await.unwrap(), []);
}

pub async fn audit_rows_are_read_newest_first(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    let told = |actions: &[&str]| Commit { audit: actions.iter().map(|a| audit(a)).collect(), ..act(&acme, vec![]) };
    store.commit(told(&["first", "second"])).await.unwrap();
    store.commit(told(&["third"])).await.unwrap();
    let actions = async |limit| {
        let rows = store.audit(&acme, limit).await.unwrap();
        rows.into_iter().map(|row| row.action).collect::<Vec<_>>()
    };
    assert_eq!(actions(10).await, ["third", "second", "first"]);
    assert_eq!(actions(2).await, ["third", "second"]);
    assert_eq!(store.audit(&other, 10).await.unwrap(), []);
}

fn upgrade(from: &str, to: &str) -> Edit {
    Edit::UpgradePassword {
        name: word("ana"),
        from: PasswordHash::new(from.to_owned()),
        to: PasswordHash::new(to.to_owned()),
    }
}

pub async fn a_password_is_upgraded_only_from_the_hash_that_was_read(store: &dyn Store) {
    let name = founded(store, "acme").await;
    store.commit(act(&name, vec![Edit::PutUser(user("ana", "u-1"))])).await.unwrap();
    let before = last_change(store, &name).await;
    assert_eq!(store.commit(act(&name, vec![upgrade("another", "better")])).await.unwrap(), before);
    assert_eq!(store.user(&name, &word("ana")).await.unwrap().unwrap().user, user("ana", "u-1"));
    assert_eq!(store.commit(act(&name, vec![upgrade("hash of ana", "better")])).await.unwrap(), before + 1);
    let upgraded = User { password: PasswordHash::new("better".to_owned()), ..user("ana", "u-1") };
    assert_eq!(store.user(&name, &word("ana")).await.unwrap().unwrap().user, upgraded);
    store.commit(act(&name, vec![Edit::RemoveUser(word("ana")), upgrade("better", "best")])).await.unwrap();
    assert_eq!(store.user(&name, &word("ana")).await.unwrap(), None);
}

pub async fn a_note_is_what_was_noted_last(store: &dyn Store) {
    assert_eq!(store.note("made_by").await.unwrap(), None);
    store.set_note("made_by", "dev").await.unwrap();
    store.set_note("master", "m1").await.unwrap();
    store.set_note("made_by", "serve").await.unwrap();
    assert_eq!(store.note("made_by").await.unwrap().as_deref(), Some("serve"));
    assert_eq!(store.note("master").await.unwrap().as_deref(), Some("m1"));
}

pub async fn the_symmetric_keys_of_every_issuer_are_read(store: &dyn Store) {
    let (acme, other) = (founded(store, "acme").await, founded(store, "other").await);
    store.commit(act(&acme, vec![Edit::PutSealing(sealing(2)), Edit::PutSealing(sealing(1))])).await.unwrap();
    store.commit(act(&other, vec![Edit::PutSealing(sealing(1))])).await.unwrap();
    let mut keys = store.sealing_keys().await.unwrap();
    keys.sort_by_key(|(issuer, key)| (issuer.clone(), key.number));
    assert_eq!(keys, [(acme.clone(), sealing(1)), (acme, sealing(2)), (other, sealing(1))]);
}
