//! Where issuers answer: found when they are first asked for, and again when they were moved.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Instant,
};

use axum::body::Body;
use ficha_core::{
    ports::{BoxFuture, ClientRow, ClientStore, IssuerRows, Page, PlaceRow, StoreError, UserRow},
    records::Issuer,
};
use ficha_oauth::{Face, FaceOptions};
use ficha_types::{Subject, Username};
use ficha_web::Arrival;
use http::{Request, StatusCode};
use http_body_util::BodyExt;

use super::{nodes::with_introspection, *};

/// A store that counts what it is asked, and that can be cut off.
struct Counted {
    store: Arc<dyn ClientStore>,
    places: AtomicUsize,
    hosts: AtomicUsize,
    cut: AtomicBool,
}

impl Counted {
    fn asked<'a, T: Send + 'a>(
        &'a self,
        answer: BoxFuture<'a, Result<T, StoreError>>,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        if self.cut.load(Ordering::Relaxed) {
            return Box::pin(async { Err(StoreError::Unreachable("cut off".to_owned())) });
        }
        answer
    }
}

impl ClientStore for Counted {
    fn issuers(&self, page: Page) -> BoxFuture<'_, Result<Vec<Issuer>, StoreError>> {
        self.asked(self.store.issuers(page))
    }
    fn places<'a>(&'a self, urls: &'a [String]) -> BoxFuture<'a, Result<Vec<PlaceRow>, StoreError>> {
        self.places.fetch_add(1, Ordering::Relaxed);
        self.asked(self.store.places(urls))
    }
    fn stands<'a>(&'a self, origins: &'a [String]) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.hosts.fetch_add(1, Ordering::Relaxed);
        self.asked(self.store.stands(origins))
    }
    fn places_of_host<'a>(&'a self, host: &'a str, page: Page) -> BoxFuture<'a, Result<Vec<PlaceRow>, StoreError>> {
        self.asked(self.store.places_of_host(host, page))
    }
    fn issuer<'a>(&'a self, name: &'a IssuerName) -> BoxFuture<'a, Result<Option<IssuerRows>, StoreError>> {
        self.asked(self.store.issuer(name))
    }
    fn client<'a>(
        &'a self,
        issuer: &'a IssuerName,
        id: &'a ClientId,
    ) -> BoxFuture<'a, Result<Option<ClientRow>, StoreError>> {
        self.asked(self.store.client(issuer, id))
    }
    fn user<'a>(
        &'a self,
        issuer: &'a IssuerName,
        name: &'a Username,
    ) -> BoxFuture<'a, Result<Option<UserRow>, StoreError>> {
        self.asked(self.store.user(issuer, name))
    }
    fn user_by_subject<'a>(
        &'a self,
        issuer: &'a IssuerName,
        sub: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<UserRow>, StoreError>> {
        self.asked(self.store.user_by_subject(issuer, sub))
    }
}

/// A face on an operator's store.
struct Door {
    bench: Bench,
    face: Face,
    store: Arc<Counted>,
}

impl Door {
    /// One at which each of `issuers` answers: its name, and an alias beside `https://NAME.example`.
    async fn of(issuers: &[(&str, &str)]) -> Self {
        let mut bench = Bench::speaking(None);
        bench.apply(&declared(issuers)).await;
        let counted = Counted {
            store: bench.rules().clients.clone(),
            places: AtomicUsize::new(0),
            hosts: AtomicUsize::new(0),
            cut: AtomicBool::new(false),
        };
        let store = Arc::new(counted);
        Arc::get_mut(&mut bench.operator.rules).unwrap().clients = store.clone();
        let dialects = Arc::new(DialectSet::load(None).unwrap());
        let face = Face::new(bench.rules().clone(), dialects, FaceOptions::default());
        Self { bench, face, store }
    }

    /// The status and the body of `GET host path`, by TLS or not.
    async fn get(&self, (tls, host): (bool, &str), path: &str) -> (StatusCode, String) {
        let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
        let end = "192.0.2.1:1".parse().unwrap();
        let arrival = Arrival { peer: end, local: end, tls, sni: None, at: Instant::now() };
        let (parts, body) = self.face.clone().answer(request, arrival).await.into_parts();
        (parts.status, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    /// The issuer that answers there, by its metadata.
    async fn whose(&self, host: &str, prefix: &str) -> String {
        let (status, body) = self.get((true, host), &format!("{prefix}/.well-known/oauth-authorization-server")).await;
        if status != StatusCode::OK {
            return status.as_str().to_owned();
        }
        let metadata: serde_json::Value = serde_json::from_str(&body).unwrap();
        metadata["issuer"].as_str().unwrap().trim_start_matches("https://").trim_end_matches(".example").to_owned()
    }

    async fn status(&self, host: &str, path: &str) -> u16 {
        self.get((true, host), path).await.0.as_u16()
    }

    fn reads(&self) -> (usize, usize) {
        (self.store.places.swap(0, Ordering::Relaxed), self.store.hosts.swap(0, Ordering::Relaxed))
    }
}

fn declared(issuers: &[(&str, &str)]) -> String {
    issuers.iter().fold(String::new(), |text, (name, alias)| {
        format!(
            "{text}[[issuer]]\nname = \"{name}\"\ndialect = \"standard\"\nbase_urls = [\"https://{name}.example\", \"{alias}\"]\n"
        )
    })
}

#[tokio::test]
async fn a_slash_at_the_end_of_a_base_url_stands_in_iss_and_in_no_other_url() {
    let door = Door::of(&[("a", "https://b.example")]).await;
    door.bench
        .apply(&declared(&[("a", "https://b.example")]).replace("https://a.example", "https://a.example/x/"))
        .await;
    for path in ["/.well-known/oauth-authorization-server/x", "/x/.well-known/oauth-authorization-server"] {
        let (status, metadata) = door.get((true, "a.example"), path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
        assert_eq!(metadata["issuer"], "https://a.example/x/");
        assert_eq!(metadata["token_endpoint"], "https://a.example/x/oauth/token");
        assert_eq!(metadata["jwks_uri"], "https://a.example/x/.well-known/jwks.json");
    }
    let bench =
        Bench::of(&with_introspection(&acme("standard")).replace("auth.example.com\"", "auth.example.com/\"")).await;
    let token = bench.token().await.unwrap().access_token.0;
    let seen = bench.operator.token_inspect(None, &token).await.unwrap();
    assert_eq!(seen.claims.unwrap()["iss"], "https://auth.example.com/");
    assert!(bench.introspects(&token).await.unwrap());
}

/// It is our fault, and no caller's.
#[tokio::test]
async fn an_issuer_whose_dialect_is_not_loaded_is_503() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ours.toml"), "extends = \"standard\"\nabout = \"ours\"\n").unwrap();
    let bench = Bench::speaking(Some(folder.path()));
    bench.apply(&declared(&[("a", "https://b.example")]).replace("\"standard\"", "\"ours\"")).await;
    let dialects = Arc::new(DialectSet::load(None).unwrap());
    let face = Face::new(bench.rules().clone(), dialects, FaceOptions::default());
    let store = Counted {
        store: bench.rules().clients.clone(),
        places: AtomicUsize::new(0),
        hosts: AtomicUsize::new(0),
        cut: AtomicBool::new(false),
    };
    let door = Door { bench, face, store: Arc::new(store) };
    assert_eq!(door.status("a.example", "/oauth/token").await, 503);
    assert_eq!(door.status("nowhere.example", "/oauth/token").await, 421);
}

#[tokio::test]
async fn a_port_that_is_written_goes_before_any_port_and_the_longest_prefix_before_both() {
    let door = Door::of(&[
        ("any", "https://a.example:*"),
        ("exact", "https://a.example:8443"),
        ("deep", "https://a.example:*/x"),
        ("usual", "https://b.example"),
    ])
    .await;
    for (host, prefix, whose) in [
        ("a.example:8443", "", "exact"),
        ("a.example:9443", "", "any"),
        ("a.example", "", "any"),
        ("a.example:8443", "/x", "deep"),
        ("A.example.:8443", "/x", "deep"),
        ("a.example:8443", "/xy", "404"),
        ("a.example:8443", "/x/y", "404"),
        ("b.example", "", "usual"),
        ("b.example:443", "", "usual"),
        ("b.example:8443", "", "421"),
        ("c.example", "", "421"),
    ] {
        assert_eq!(door.whose(host, prefix).await, whose, "{host} {prefix}");
    }
    assert_eq!(door.status("a.example:8443", "/.well-known/oauth-authorization-server/x").await, 200);
    assert_eq!(door.status("a.example:8443", "/.well-known/oauth-authorization-server/y").await, 404);
}

#[tokio::test]
async fn what_came_by_the_wrong_scheme_is_told_so_and_not_that_it_is_misdirected() {
    let door = Door::of(&[("acme", "https://a.example")]).await;
    assert_eq!(door.get((false, "a.example"), "/oauth/token").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(door.get((true, "a.example"), "/oauth/token").await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_place_is_looked_up_once_by_one_statement_and_a_stranger_by_two() {
    let door = Door::of(&[("acme", "https://a.example/acme")]).await;
    let jwks = "/acme/.well-known/jwks.json";
    assert_eq!(door.status("a.example", jwks).await, 200);
    assert_eq!(door.reads(), (1, 0));
    assert_eq!(door.status("a.example", jwks).await, 200);
    assert_eq!(door.reads(), (0, 0));
    for path in ["/nowhere", "/nowhere"] {
        assert_eq!(door.status("a.example", path).await, 404);
    }
    assert_eq!(door.reads(), (1, 1));
    for path in ["/one", "/two", "/three", jwks] {
        assert_eq!(door.status("stranger.example", path).await, 421);
    }
    assert_eq!(door.reads(), (1, 1), "the host alone tells");
}

#[tokio::test]
async fn an_issuer_that_was_made_or_moved_is_found_at_once() {
    let door = Door::of(&[("acme", "https://a.example/acme")]).await;
    assert_eq!(door.whose("a.example", "/acme").await, "acme");
    assert_eq!(door.whose("b.example", "/acme").await, "421");
    assert_eq!(door.whose("a.example", "/other").await, "404");
    door.bench.apply(&declared(&[("acme", "https://b.example/acme"), ("other", "https://a.example/other")])).await;
    assert_eq!(door.whose("b.example", "/acme").await, "acme");
    assert_eq!(door.whose("a.example", "/other").await, "other");
    assert_eq!(door.whose("a.example", "/acme").await, "404");
}

#[tokio::test]
async fn with_no_store_known_places_go_on_at_each_of_their_paths_and_others_are_our_fault() {
    let door = Door::of(&[("acme", "https://a.example/acme"), ("other", "https://a.example/other")]).await;
    assert_eq!(door.whose("a.example", "/acme").await, "acme");
    door.store.cut.store(true, Ordering::Relaxed);
    for _ in 0..2 {
        assert_eq!(door.whose("a.example", "/acme").await, "acme");
        assert_eq!(door.status("a.example", "/acme/.well-known/jwks.json").await, 200, "never asked for before");
        assert_eq!(door.status("a.example", "/.well-known/oauth-authorization-server/acme").await, 200);
        assert_eq!(door.whose("a.example", "/other").await, "503");
        assert_eq!(door.whose("b.example", "").await, "503");
        // Something was declared that can't be read.
        door.bench.rules().node.apply(&"third".parse().unwrap(), &[ficha_core::views::Change::Issuer]);
    }
    door.store.cut.store(false, Ordering::Relaxed);
    assert_eq!(door.whose("a.example", "/other").await, "other");
    assert_eq!(door.whose("b.example", "").await, "421");
}
