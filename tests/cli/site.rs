//! A server with one issuer, `acme`, whose API `cards` is the default.

use std::sync::{Arc, Mutex};

use ficha_tests::{Answer, Base, Config, Output, Server, Shared, secrets};

pub(crate) struct Site {
    pub(crate) server: Server,
    /// The secret of the API `cards`.
    pub(crate) api_secret: String,
    named: Mutex<u32>,
}

static SHARED: Shared<Site> = Shared::new();

/// The server of most tests: each adds names of its own.
pub(crate) fn site() -> Arc<Site> {
    SHARED.get(|| Site::new(Config::new()))
}

impl Site {
    /// A server of one's own.
    pub(crate) fn new(config: Config) -> Self {
        let api_secret = secrets::fresh("an API's secret");
        let site = Self { server: Server::serve(config), api_secret, named: Mutex::new(0) };
        site.server.apply(&site.issuer());
        site
    }

    /// The declaration of the issuer and its APIs.
    pub(crate) fn issuer(&self) -> String {
        format!(
            r#"[[issuer]]
name = "acme"
dialect = "standard"
base_urls = ["https://localhost:8443/acme", {{ url = "https://localhost:8443/acme-deyel", dialect = "deyel" }},
  {{ url = "https://localhost:8443/acme-pomelo", dialect = "pomelo" }}]
default_api = "cards"
[[issuer.api]]
name = "cards"
audience = "https://cards.example"
scopes = ["cards:read", "cards:write"]
algorithm = "ES256"
token_lifetime = "1h"
secrets = ["sha256:{sha}"]
[[issuer.api]]
name = "old"
audience = "https://old.example"
scopes = ["x"]
algorithm = "HS256"
secrets = ["sha256:{sha}"]
"#,
            sha = secrets::sha256(&self.api_secret)
        )
    }

    /// A name that no other test has.
    pub(crate) fn name(&self, kind: &str) -> String {
        let mut named = self.named.lock().unwrap();
        *named += 1;
        format!("{kind}-{named}")
    }

    /// A command of words.
    pub(crate) fn run(&self, line: &str) -> Output {
        self.server.cli(&line.split(' ').collect::<Vec<_>>())
    }

    /// A command of words that is done; what it said as JSON.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> serde_json::Value {
        self.run(&format!("{line} --json")).done().json()
    }

    /// A new client with every scope of an API: its id, and its secret that is shown once.
    pub(crate) fn client(&self, api: &str) -> (String, String) {
        let id = self.name("app");
        let shown = self.json(&format!(
            "client add {id} --api {api} --grant client_credentials --grant password --grant refresh_token"
        ));
        (id, shown_secret(&shown))
    }

    pub(crate) fn base(&self) -> Base {
        self.server.https().base("/acme")
    }

    /// A token of a client.
    pub(crate) fn token(&self, (id, secret): (&str, &str)) -> Answer {
        self.base().post("/oauth/token").basic(id, secret).form(&[("grant_type", "client_credentials")]).send()
    }

    /// A login in Deyel's dialect.
    pub(crate) fn login(&self, (id, secret): (&str, &str), (name, password): (&str, &str)) -> Answer {
        let call = self.server.https().base("/acme-deyel").post("/oauth/token").basic(id, secret);
        call.form(&[("grant_type", "password"), ("username", name), ("password", password)]).send()
    }

    /// Whether introspection by an API finds the token good.
    pub(crate) fn is_active(&self, api: &str, token: &str) -> bool {
        let call = self.base().post("/oauth/introspect").basic(api, &self.api_secret).form(&[("token", token)]);
        call.send().expect(200).json()["active"].as_bool().unwrap()
    }
}

/// The secret that a command shows this once; from now on it must not be found anywhere.
pub(crate) fn shown_secret(shown: &serde_json::Value) -> String {
    let secret = shown["secret"].as_str().unwrap_or_else(|| panic!("{shown}")).to_owned();
    secrets::note("a generated secret", &secret);
    secret
}
