//! A server with one issuer, known by its address, so that programs find it.

use ficha_tests::{Config, Server, claims, secrets};

pub(crate) struct Site {
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
        let config = Config::new();
        let url = format!("https://{}/acme", config.places.https);
        let (api_secret, secret) = (secrets::fresh("an API's secret"), secrets::fresh("a client's secret"));
        let site = Self { server: Server::serve(config), url, api_secret, secret };
        site.server.apply(&format!(
            "[[issuer]]\nname = \"acme\"\ndialect = \"standard\"\nbase_urls = [\"{}\"]\n\
             [[issuer.api]]\nname = \"orders\"\naudience = \"{AUDIENCE}\"\nscopes = [\"orders:read\"]\nsecrets = [\"sha256:{}\"]\n\
             [[issuer.client]]\nid = \"app\"\nsecrets = [\"sha256:{}\"]\ngrants = [\"client_credentials\"]\nscopes = {{ orders = [\"orders:read\"] }}\n",
            site.url,
            secrets::sha256(&site.api_secret),
            secrets::sha256(&site.secret),
        ));
        site
    }

    fn ask(&self, path: &str, form: &[(&str, &str)]) -> ficha_tests::Answer {
        let base = self.server.https().host(&self.server.places.https.to_string(), "/acme");
        base.post(path).basic("app", &self.secret).form(form).send().expect(200)
    }

    /// A new token and its `jti`.
    pub(crate) fn token(&self) -> (String, String) {
        let token = self.ask("/oauth/token", &[("grant_type", "client_credentials")]).access_token();
        let jti = claims(&token)["jti"].as_str().unwrap().to_owned();
        (token, jti)
    }

    pub(crate) fn revoke(&self, token: &str) {
        self.ask("/oauth/revoke", &[("token", token)]);
    }
}
