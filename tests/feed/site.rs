//! A server with one issuer, known by its address, so that programs find it.

use ficha_tests::{Answer, Config, Engine, Server, claims, secrets};

pub(crate) struct Site {
    /// Further nodes on the same database.
    pub(crate) others: Vec<Server>,
    /// The one that is followed.
    pub(crate) server: Server,
    /// The issuer's URL.
    pub(crate) url: String,
    /// The secret of its API `orders`.
    pub(crate) api_secret: String,
    secret: String,
}

/// What the API calls itself.
pub(crate) const AUDIENCE: &str = "https://orders.example";

impl Site {
    pub(crate) fn new() -> Self {
        Self::of(Server::serve(Config::new()), Vec::new())
    }

    /// Two nodes on one PostgreSQL database: the issuer's URL leads to `server`.
    pub(crate) fn of_two_nodes() -> Self {
        let server = Server::serve(Config::new().on(Engine::Postgres));
        let other = Server::serve(Config::new().beside(server.config()));
        Self::of(server, vec![other])
    }

    fn of(server: Server, others: Vec<Server>) -> Self {
        let urls: Vec<_> = std::iter::once(&server).chain(&others).map(url).collect();
        let (api_secret, secret) = (secrets::fresh("an API's secret"), secrets::fresh("a client's secret"));
        let site = Self { others, server, url: urls[0].clone(), api_secret, secret };
        site.server.apply(&format!(
            "[[issuer]]\nname = \"acme\"\ndialect = \"standard\"\nbase_urls = {urls:?}\n\
             [[issuer.api]]\nname = \"orders\"\naudience = \"{AUDIENCE}\"\nscopes = [\"orders:read\"]\nsecrets = [\"sha256:{}\"]\n\
             [[issuer.client]]\nid = \"app\"\nsecrets = [\"sha256:{}\"]\ngrants = [\"client_credentials\"]\nscopes = {{ orders = [\"orders:read\"] }}\n",
            secrets::sha256(&site.api_secret),
            secrets::sha256(&site.secret),
        ));
        site
    }

    fn ask(&self, node: &Server, path: &str, form: &[(&str, &str)]) -> Answer {
        let base = node.https().host(&node.places.https.to_string(), "/acme");
        base.post(path).basic("app", &self.secret).form(form).send().expect(200)
    }

    /// A new token and its `jti`.
    pub(crate) fn token(&self) -> (String, String) {
        let token = self.ask(&self.server, "/oauth/token", &[("grant_type", "client_credentials")]);
        let token = token.access_token();
        let jti = claims(&token)["jti"].as_str().unwrap().to_owned();
        (token, jti)
    }

    pub(crate) fn revoke(&self, token: &str) {
        self.revoke_at(&self.server, token);
    }

    /// Revokes it through `node`.
    pub(crate) fn revoke_at(&self, node: &Server, token: &str) {
        self.ask(node, "/oauth/revoke", &[("token", token)]);
    }
}

fn url(node: &Server) -> String {
    format!("https://{}/acme", node.places.https)
}
