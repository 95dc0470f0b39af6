//! A server with rotating refresh tokens, live tokens, kept refresh tokens and introspection.

use std::fmt::Write;

use ficha_tests::{Answer, Base, Call, Config, Server, secrets};
use serde_json::json;

/// The server and the secret that everybody has.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) secret: String,
    password: String,
}

/// What a thread needs to ask the server, whether it runs or not.
#[derive(Clone)]
pub(crate) struct Asker {
    base: Base,
    secret: String,
    password: String,
}

impl Site {
    /// A running server with its issuers.
    pub(crate) fn new(config: Config) -> Self {
        let mut site = Self::prepared(config);
        site.server.start();
        site.declare();
        site
    }

    /// A server that does not run yet.
    pub(crate) fn prepared(config: Config) -> Self {
        let (secret, password) = (secrets::fresh("everybody's secret"), secrets::fresh("a password"));
        Self { server: Server::prepared(config), secret, password }
    }

    /// Declares the issuers.
    pub(crate) fn declare(&self) {
        let sha = secrets::sha256(&self.secret);
        self.server.file("ana.txt", &self.password);
        let mut text = String::new();
        for (name, dialect, grants) in [
            ("lean", "leancore", "\"client_credentials\", \"refresh_token\""),
            ("pomelo", "pomelo", "\"client_credentials\""),
            ("deyel", "deyel", "\"password\", \"refresh_token\""),
            ("std", "standard", "\"client_credentials\""),
            ("strict", "standard", "\"client_credentials\""),
        ] {
            // Who allows no outage gets no token while the store is down.
            let grace = if name == "strict" { "0s" } else { "5m" };
            write!(
                text,
                "[[issuer]]\nname = \"{name}\"\ndialect = \"{dialect}\"\nallow_loopback_http = true\n\
                 outage_grace = \"{grace}\"\nbase_urls = [\"https://localhost:8443/{name}\", \"http://localhost:8080/{name}\"]\n\
                 [[issuer.api]]\nname = \"api\"\naudience = \"https://api.example\"\nscopes = [\"x\"]\n\
                 secrets = [{{ sha256 = \"{sha}\", generated = true }}]\n"
            )
            .unwrap();
            for n in 0..4 {
                write!(
                    text,
                    "[[issuer.client]]\nid = \"app-{n}\"\nsecrets = [{{ sha256 = \"{sha}\", generated = true }}]\n\
                     grants = [{grants}]\nscopes = {{ api = [\"x\"] }}\n\
                     properties = {{ pomelo_client_id = \"0\" }}\n"
                )
                .unwrap();
            }
        }
        let user = "[[issuer.user]]\nname = \"ana\"\npassword = { file = \"ana.txt\" }\nscopes = { api = [\"x\"] }\n";
        let at = text.find("[[issuer]]\nname = \"std\"").unwrap();
        text.insert_str(at, user);
        self.server.apply(&text);
    }

    /// Asks an issuer by plain HTTP.
    pub(crate) fn ask(&self, issuer: &str) -> Asker {
        Asker {
            base: self.server.http().base(&format!("/{issuer}")),
            secret: self.secret.clone(),
            password: self.password.clone(),
        }
    }
}

impl Asker {
    fn token_call(&self, path: &str, client: &str, pairs: &[(&str, &str)]) -> Call {
        self.base.post(path).basic(client, &self.secret).form(pairs)
    }

    /// A token of the client itself.
    pub(crate) fn token(&self, client: &str) -> Call {
        let path = if self.base.url().ends_with("/lean") { "/oauth2/token" } else { "/oauth/token" };
        self.token_call(path, client, &[("grant_type", "client_credentials")])
    }

    /// A refresh.
    pub(crate) fn refresh(&self, client: &str, token: &str) -> Call {
        let path = if self.base.url().ends_with("/lean") { "/oauth2/token" } else { "/oauth/token" };
        self.token_call(path, client, &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// A login.
    pub(crate) fn login(&self) -> Call {
        let pairs = [("grant_type", "password"), ("username", "ana"), ("password", self.password.as_str())];
        self.token_call("/oauth/token", "app-0", &pairs)
    }

    /// Revocation as in RFC 7009.
    pub(crate) fn revoke(&self, client: &str, token: &str) -> Call {
        self.token_call("/oauth/revoke", client, &[("token", token)])
    }

    /// A request to an endpoint of Pomelo.
    pub(crate) fn pomelo(&self, path: &str, client: &str) -> Call {
        self.base.post(path).json(&json!({ "client_id": client, "client_secret": self.secret,
            "audience": "https://api.example", "grant_type": "client_credentials" }))
    }

    /// What introspection says.
    pub(crate) fn introspect(&self, token: &str) -> Answer {
        self.token_call("/oauth/introspect", "api", &[("token", token)]).send()
    }

    /// Whether introspection finds it good.
    pub(crate) fn is_active(&self, token: &str) -> bool {
        self.introspect(token).expect(200).json()["active"].as_bool().unwrap()
    }

    /// The ids of the published keys.
    pub(crate) fn kids(&self) -> Vec<String> {
        let set = self.base.get("/.well-known/jwks.json").expect(200).json();
        set["keys"].as_array().unwrap().iter().map(|k| k["kid"].as_str().unwrap().to_owned()).collect()
    }
}
