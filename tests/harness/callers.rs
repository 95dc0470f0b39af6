//! Who asks, and what is declared of them: rotating refresh tokens, live tokens, kept refresh tokens and introspection.

use std::fmt::Write;

use serde_json::json;

use super::{Answer, Base, Call, Door, Server, secrets};

/// Clients with one secret and a user with a password, the same at every issuer.
#[derive(Debug, Clone)]
pub struct Callers {
    /// The secret that every client and API has.
    pub secret: String,
    password: String,
}

/// What a thread needs to ask an issuer, whether it runs or not.
#[derive(Debug, Clone)]
pub struct Asker {
    base: Base,
    secret: String,
    password: String,
}

impl Default for Callers {
    fn default() -> Self {
        Self::new()
    }
}

impl Callers {
    /// With secrets of their own.
    pub fn new() -> Self {
        Self { secret: secrets::fresh("everybody's secret"), password: secrets::fresh("a password") }
    }

    /// Declares the issuers at a server.
    pub fn declare(&self, server: &Server) {
        server.file("ana.txt", &self.password);
        let mut text = String::new();
        for (name, dialect, grants) in [
            ("lean", "leancore", "\"client_credentials\", \"refresh_token\""),
            ("pomelo", "pomelo", "\"client_credentials\""),
            ("deyel", "deyel", "\"password\", \"refresh_token\""),
            ("std", "standard", "\"client_credentials\""),
            ("strict", "standard", "\"client_credentials\""),
            ("brief", "standard", "\"client_credentials\""),
        ] {
            // Who allows no outage gets no token while the store is down.
            let grace = match name {
                "strict" => "0s",
                "brief" => "3s",
                _ => "5m",
            };
            text.push_str(&self.issuer((name, dialect), &format!("outage_grace = \"{grace}\""), ""));
            for n in 0..4 {
                text.push_str(&self.client(&format!("app-{n}"), grants, None));
            }
        }
        let user = "[[issuer.user]]\nname = \"ana\"\npassword = { file = \"ana.txt\" }\nscopes = { api = [\"x\"] }\n";
        let at = text.find("[[issuer]]\nname = \"std\"").unwrap();
        text.insert_str(at, user);
        server.apply(&text);
    }

    /// The declaration of an issuer and its one API, with further lines of both.
    pub fn issuer(&self, (name, dialect): (&str, &str), more: &str, of_api: &str) -> String {
        let sha = secrets::sha256(&self.secret);
        format!(
            "[[issuer]]\nname = \"{name}\"\ndialect = \"{dialect}\"\nallow_loopback_http = true\n{more}\n\
             base_urls = [\"https://localhost:8443/{name}\", \"http://localhost:8080/{name}\"]\n\
             [[issuer.api]]\nname = \"api\"\naudience = \"https://api.example\"\nscopes = [\"x\"]\n{of_api}\n\
             secrets = [{{ sha256 = \"{sha}\", generated = true }}]\n"
        )
    }

    /// The declaration of a client below it, with everybody's secret and where there is one a further, whose id is `second`.
    pub fn client(&self, id: &str, grants: &str, second: Option<&str>) -> String {
        let mut proofs = format!("{{ sha256 = \"{}\", generated = true }}", secrets::sha256(&self.secret));
        if let Some(second) = second {
            let sha = secrets::sha256(second);
            write!(proofs, ", {{ id = \"second\", sha256 = \"{sha}\", generated = true }}").unwrap();
        }
        format!(
            "[[issuer.client]]\nid = \"{id}\"\nsecrets = [{proofs}]\ngrants = [{grants}]\n\
             scopes = {{ api = [\"x\"] }}\nproperties = {{ pomelo_client_id = \"0\" }}\n"
        )
    }

    /// Asks an issuer by plain HTTP behind this door.
    pub fn ask(&self, door: &Door, issuer: &str) -> Asker {
        Asker {
            base: door.host("localhost:8080", &format!("/{issuer}")),
            secret: self.secret.clone(),
            password: self.password.clone(),
        }
    }
}

impl Asker {
    fn token_call(&self, path: &str, client: &str, pairs: &[(&str, &str)]) -> Call {
        self.base.post(path).basic(client, &self.secret).form(pairs)
    }

    /// The same with another secret.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self.clone() }
    }

    /// A token of the client itself.
    pub fn token(&self, client: &str) -> Call {
        let path = if self.base.url().ends_with("/lean") { "/oauth2/token" } else { "/oauth/token" };
        self.token_call(path, client, &[("grant_type", "client_credentials")])
    }

    /// A refresh.
    pub fn refresh(&self, client: &str, token: &str) -> Call {
        let path = if self.base.url().ends_with("/lean") { "/oauth2/token" } else { "/oauth/token" };
        self.token_call(path, client, &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// A login.
    pub fn login(&self) -> Call {
        let pairs = [("grant_type", "password"), ("username", "ana"), ("password", self.password.as_str())];
        self.token_call("/oauth/token", "app-0", &pairs)
    }

    /// Revocation as in RFC 7009.
    pub fn revoke(&self, client: &str, token: &str) -> Call {
        self.token_call("/oauth/revoke", client, &[("token", token)])
    }

    /// A request to an endpoint of Pomelo.
    pub fn pomelo(&self, path: &str, client: &str) -> Call {
        self.base.post(path).json(&json!({ "client_id": client, "client_secret": self.secret,
            "audience": "https://api.example", "grant_type": "client_credentials" }))
    }

    /// A question to introspection.
    pub fn introspection(&self, token: &str) -> Call {
        self.token_call("/oauth/introspect", "api", &[("token", token)])
    }

    /// What introspection says.
    pub fn introspect(&self, token: &str) -> Answer {
        self.introspection(token).send()
    }

    /// Whether introspection finds it good.
    pub fn is_active(&self, token: &str) -> bool {
        self.introspect(token).expect(200).json()["active"].as_bool().unwrap()
    }

    /// The ids of the published keys.
    pub fn kids(&self) -> Vec<String> {
        let set = self.base.get("/.well-known/jwks.json").expect(200).json();
        set["keys"].as_array().unwrap().iter().map(|k| k["kid"].as_str().unwrap().to_owned()).collect()
    }
}
