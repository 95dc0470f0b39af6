//! A server with an issuer of each dialect, to which every test adds clients and users of its own.

use std::{
    fmt::Write,
    sync::{Arc, Mutex},
};

use ficha_tests::{Answer, Base, Call, Config, Server, Shared, claims, now, secrets};

/// The issuers: name, and everything but clients and users. Each API `A` proves itself by the secret `SECRET-A` at introspection,
/// where `SECRET` is [`World::api_secret`]'s.
const ISSUERS: [(&str, &str); 4] = [
    (
        "std",
        r#"
dialect = "standard"
default_api = "orders"
[[issuer.api]]
name = "orders"
audience = "https://orders.example"
scopes = ["orders:read", "orders:write", "orders:cancel"]
secrets = ["sha256:{orders}"]
[[issuer.api]]
name = "reports"
audience = "https://reports.example"
scopes = ["reports:read"]
secrets = ["sha256:{reports}"]
[[issuer.api]]
name = "events"
audience = "https://events.example"
scopes = ["ficha:revocations"]
[[issuer.api]]
name = "rs"
audience = "https://rs.example"
scopes = ["x"]
algorithm = "RS256"
[[issuer.api]]
name = "ps"
audience = "https://ps.example"
scopes = ["x"]
algorithm = "PS256"
[[issuer.api]]
name = "ed"
audience = "https://ed.example"
scopes = ["x"]
algorithm = "EdDSA"
[[issuer.api]]
name = "hs"
audience = "https://hs.example"
scopes = ["x"]
algorithm = "HS256"
secrets = ["sha256:{hs}"]
"#,
    ),
    (
        "lean",
        r#"
dialect = "leancore"
[[issuer.api]]
name = "core"
audience = "https://core.example"
scopes = ["loans:read", "loans:write"]
secrets = ["sha256:{core}"]
"#,
    ),
    (
        "deyel",
        r#"
dialect = "deyel"
[[issuer.api]]
name = "rest"
audience = "https://rest.example"
scopes = ["cases:read", "cases:write", "users:read"]
secrets = ["sha256:{rest}"]
"#,
    ),
    (
        "pomelo",
        r#"
dialect = "pomelo"
[[issuer.api]]
name = "cards"
audience = "https://cards.example"
scopes = ["arg:cards:get-card", "arg:cards:create-card"]
secrets = ["sha256:{cards}"]
[[issuer.api]]
name = "brief"
audience = "https://brief.example"
scopes = ["x"]
token_lifetime = "62s"
secrets = ["sha256:{brief}"]
"#,
    ),
];
const APIS: [&str; 7] = ["orders", "reports", "hs", "core", "rest", "cards", "brief"];

/// The running server.
pub(crate) struct World {
    pub(crate) server: Server,
    mark: String,
    added: Mutex<u32>,
}

/// A client of a test.
pub(crate) struct Client {
    pub(crate) base: Base,
    pub(crate) id: String,
    pub(crate) secret: String,
}

static WORLD: Shared<World> = Shared::new();

/// The world that runs, or a new one.
pub(crate) fn world() -> Arc<World> {
    WORLD.get(|| World::with(Config::new()))
}

impl World {
    /// A world of its own.
    pub(crate) fn with(config: Config) -> Self {
        let mark = secrets::fresh("an API's secret");
        for api in APIS {
            secrets::note("an API's secret", &format!("{mark}-{api}"));
        }
        let world = Self { server: Server::serve(config.on(crate::ENGINE)), mark, added: Mutex::new(0) };
        let all: Vec<_> = ISSUERS.iter().map(|(name, _)| world.issuer(name)).collect();
        world.server.apply(&all.concat());
        world
    }

    /// The declaration of an issuer without clients and users.
    pub(crate) fn issuer(&self, name: &str) -> String {
        let (name, rest) = ISSUERS.iter().find(|(n, _)| *n == name).unwrap();
        let (https, http) = (self.server.https().port(), self.server.http().port());
        let mut text = format!(
            "[[issuer]]\nname = \"{name}\"\nallow_loopback_http = true\n\
             base_urls = [\"https://localhost:{https}/{name}\", \"http://localhost:{http}/{name}\"]\n{}",
            rest.trim_start()
        );
        for api in APIS {
            text = text.replace(&format!("{{{api}}}"), &secrets::sha256(&self.api_secret(api)));
        }
        text
    }

    /// How many rows a table of the database has.
    pub(crate) fn count(&self, table: &str) -> i64 {
        self.server.query(&format!("SELECT count(*) FROM {table}")).parse().unwrap()
    }

    /// The secret of an API.
    pub(crate) fn api_secret(&self, api: &str) -> String {
        format!("{}-{api}", self.mark)
    }

    /// The issuer by HTTPS.
    pub(crate) fn base(&self, issuer: &str) -> Base {
        self.server.https().base(&format!("/{issuer}"))
    }

    /// A name that no other test has.
    pub(crate) fn name(&self, kind: &str) -> String {
        let mut added = self.added.lock().unwrap();
        *added += 1;
        format!("{kind}-{added}")
    }

    /// A new client with a secret that somebody chose; `lines` are the rest of its declaration.
    pub(crate) fn client(&self, issuer: &str, lines: &str) -> Client {
        let id = self.name("app");
        let secret = secrets::fresh("a client's secret");
        self.declare_client(issuer, (&id, &[(&secret, false)]), lines);
        Client { base: self.base(issuer), id, secret }
    }

    /// Declares a client with these secrets, each with whether it was generated.
    pub(crate) fn declare_client(&self, issuer: &str, (id, proofs): (&str, &[(&str, bool)]), lines: &str) {
        let mut text = self.issuer(issuer);
        let one = |(secret, generated): &(&str, bool)| {
            format!("{{ sha256 = \"{}\", generated = {generated} }}", secrets::sha256(secret))
        };
        let proofs: Vec<_> = proofs.iter().map(one).collect();
        write!(text, "[[issuer.client]]\nid = '{id}'\nsecrets = [{}]\n{lines}\n", proofs.join(", ")).unwrap();
        self.server.apply(&text);
    }

    /// A new user; `lines` are the rest of the declaration. Name and password.
    pub(crate) fn user(&self, issuer: &str, lines: &str) -> (String, String) {
        let (name, password) = (self.name("ana"), secrets::fresh("a password"));
        let file = format!("{name}.txt");
        self.server.file(&file, &password);
        let text = self.issuer(issuer);
        self.server
            .apply(&format!("{text}[[issuer.user]]\nname = \"{name}\"\npassword = {{ file = \"{file}\" }}\n{lines}\n"));
        (name, password)
    }

    /// What introspection tells the API of a token.
    pub(crate) fn introspect(&self, (issuer, api): (&str, &str), token: &str) -> Answer {
        let call = self.base(issuer).post("/oauth/introspect").basic(api, &self.api_secret(api));
        call.form(&[("token", token)]).send().expect(200)
    }

    /// Whether introspection finds it good.
    pub(crate) fn is_active(&self, whose: (&str, &str), token: &str) -> bool {
        self.introspect(whose, token).json()["active"].as_bool().unwrap()
    }
}

/// What a client of LeanCore may: everything at its API, with refresh tokens.
pub(crate) const LEAN: &str = r#"grants = ["client_credentials", "refresh_token"]
scopes = { core = ["loans:read", "loans:write"] }"#;
/// A client of the standard dialect at two APIs.
pub(crate) const STD: &str = r#"grants = ["client_credentials"]
scopes = { orders = ["orders:read", "orders:write"], reports = ["reports:read"] }"#;
/// What a client of Deyel may.
pub(crate) const DEYEL: &str = r#"grants = ["password", "refresh_token"]
scopes = { rest = ["cases:read", "cases:write", "users:read"] }
refresh_without_secret = true"#;
/// What a user of Deyel may.
pub(crate) const CASES: &str = r#"scopes = { rest = ["cases:read", "cases:write"] }"#;
/// What a client of Pomelo may.
pub(crate) const POMELO: &str = r#"grants = ["client_credentials"]
scopes = { cards = ["arg:cards:get-card", "arg:cards:create-card"], brief = ["x"] }
properties = { pomelo_client_id = "0000000000000000000000000000000000000000000000000000000000000000" }"#;

/// The answer with a token, and the seconds that were left of it when it was asked for. What the answer says is left was so at
/// some moment since.
pub(crate) fn what_is_left(ask: impl FnOnce() -> Answer) -> (Answer, i64) {
    let before = seconds();
    let answer = ask();
    let exp = claims(&answer.access_token())["exp"].as_i64().unwrap();
    let (most, least) = (exp - before, exp - seconds());
    let said = answer.json()["expires_in"].as_i64().unwrap();
    assert!((least..=most).contains(&said), "{said} s are not left: {least} to {most}");
    (answer, most)
}

/// Whole seconds, as tokens have them.
fn seconds() -> i64 {
    now().as_secs().try_into().unwrap()
}

impl Client {
    /// The token endpoint of its dialect.
    pub(crate) fn path(&self) -> &'static str {
        if self.base.url().ends_with("/lean") { "/oauth2/token" } else { "/oauth/token" }
    }

    /// A form with these parameters, the client by Basic.
    pub(crate) fn call(&self, pairs: &[(&str, &str)]) -> Call {
        self.base.post(self.path()).basic(&self.id, &self.secret).form(pairs)
    }

    /// The answer to that.
    pub(crate) fn ask(&self, pairs: &[(&str, &str)]) -> Answer {
        self.call(pairs).send()
    }

    /// Its own token, and more parameters.
    pub(crate) fn token(&self, more: &[(&str, &str)]) -> Answer {
        self.ask(&[&[("grant_type", "client_credentials")], more].concat())
    }

    /// A refresh.
    pub(crate) fn refresh(&self, token: &str) -> Answer {
        self.ask(&[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// A user's login.
    pub(crate) fn login(&self, (name, password): (&str, &str)) -> Answer {
        self.ask(&[("grant_type", "password"), ("username", name), ("password", password)])
    }

    /// A request to an endpoint of Pomelo, for all scopes at `audience`.
    pub(crate) fn pomelo(&self, path: &str, audience: &str) -> Answer {
        let body = serde_json::json!({
            "client_id": self.id, "client_secret": self.secret, "audience": audience, "grant_type": "client_credentials"
        });
        self.base.post(path).json(&body).send()
    }

    /// Revocation as in RFC 7009.
    pub(crate) fn revoke(&self, token: &str) -> Answer {
        self.base.post("/oauth/revoke").basic(&self.id, &self.secret).form(&[("token", token)]).send()
    }
}
