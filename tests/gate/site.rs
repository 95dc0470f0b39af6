//! An issuer, its API's rules, and a gate.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Command,
};

use ficha_tests::{Answer, Config, Door, Server, eventually, program, secrets};
use serde_json::Value;

use crate::process::Process;

pub(crate) const AUDIENCE: &str = "https://cards.example";

/// An issuer with an API that a gate protects.
pub(crate) struct Site {
    pub(crate) issuer: Server,
    pub(crate) api_secret: String,
    secret: String,
}

impl Site {
    /// The issuer alone, its rules in `rules.toml` and its API's secret in `api.secret` beside its configuration; `config` may
    /// say more.
    pub(crate) fn new(more: impl FnOnce(Config) -> Config) -> Self {
        let config = Config::new();
        let ip = config.places.https.ip().to_string();
        config.authority.issue(&["localhost", &ip]).write(config.dir(), "server");
        let issuer_url = format!("https://{ip}:8443/acme");
        config.file("rules.toml", &rules(&issuer_url));
        let (secret, api_secret) = (secrets::fresh("a client's secret"), secrets::fresh("an API's secret"));
        config.write_master("api.secret", &api_secret);
        let issuer = Server::serve(more(config));
        let (sha, api_sha) = (secrets::sha256(&secret), secrets::sha256(&api_secret));
        issuer.apply(&format!(
            "[[issuer]]\nname = \"acme\"\ndialect = \"standard\"\nbase_urls = [\"{issuer_url}\"]\n\
             [[issuer.api]]\nname = \"cards\"\naudience = \"{AUDIENCE}\"\nscopes = [\"cards:read\", \"cards:write\"]\n\
             secrets = [\"sha256:{api_sha}\"]\n\
             [[issuer.client]]\nid = \"my app\"\ngrants = [\"client_credentials\"]\nsecrets = [\"sha256:{sha}\"]\n\
             scopes = {{ cards = [\"cards:read\", \"cards:write\"] }}\n"
        ));
        Self { issuer, api_secret, secret }
    }

    /// The host of everything here: an address of the loopback that nobody else has.
    pub(crate) fn ip(&self) -> IpAddr {
        self.issuer.places.https.ip()
    }

    pub(crate) fn at(&self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip(), port)
    }

    pub(crate) fn dir(&self) -> &Path {
        self.issuer.config().dir()
    }

    /// An access token for `scope`.
    #[track_caller]
    pub(crate) fn token(&self, scope: &str) -> String {
        self.post("/oauth/token", &[("grant_type", "client_credentials"), ("scope", scope)]).access_token()
    }

    /// Revokes one token.
    #[track_caller]
    pub(crate) fn revoke(&self, token: &str) {
        self.post("/oauth/revoke", &[("token", token)]);
    }

    #[track_caller]
    fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let host = self.issuer.places.https.to_string();
        let call = self.issuer.https().host(&host, "/acme").post(path).basic("my app", &self.secret);
        call.form(form).send().expect(200)
    }

    /// What a proxy is told about a request with `token`.
    pub(crate) fn ask(&self, method: &str, path: &str, token: &str) -> Answer {
        let call = Door::plain(self.at(9091)).base("").call("GET", "/verify");
        let call = call.header("X-Original-Method", method).header("X-Original-URI", path);
        let call = call.header("X-Forwarded-Host", "localhost").header("X-Forwarded-Proto", "https");
        call.header("Authorization", &format!("Bearer {token}")).send()
    }

    /// Starts `ficha gate` beside the issuer.
    pub(crate) fn gate(&self) -> Process {
        let mut command = Command::new(program());
        let (listen, ops) = (self.at(9091).to_string(), self.at(9092).to_string());
        let ca = self.issuer.ca();
        command.args(["gate", "--rules"]).arg(self.dir().join("rules.toml"));
        command.args(["--listen", &listen, "--ops", &ops, "--root-ca"]).arg(ca);
        Process::start(command, self.dir(), "gate").listens_at(self.at(9092))
    }

    /// Starts `ficha gate` by a configuration; `tokens` are further lines of its section of that name.
    pub(crate) fn gate_by(&self, tokens: &str) -> Process {
        let (listen, ops) = (self.at(9091), self.at(9092));
        let ca = self.issuer.ca().display().to_string();
        let text = format!(
            "[gate]\nlisten = [\"{listen}\"]\nops = \"{ops}\"\nrules = \"rules.toml\"\n[tokens]\nroot_ca = \"{ca}\"\n{tokens}\n"
        );
        let mut command = Command::new(program());
        command.args(["gate", "--config"]).arg(self.issuer.config().file("gate.toml", &text));
        Process::start(command, self.dir(), "gate").listens_at(ops)
    }

    /// Waits until the gate has the issuer's keys.
    pub(crate) fn gate_is_ready(&self) {
        let ops = Door::plain(self.at(9092));
        eventually("the gate is ready", || {
            ops.base("").call("GET", "/readyz").try_send().is_ok_and(|answer| answer.status == 200)
        });
    }
}

/// `401 no_token`; the status alone where the body is no refusal.
pub(crate) fn verdict(answer: &Answer) -> String {
    let code = serde_json::from_slice::<Value>(&answer.body).ok();
    let code = code.as_ref().and_then(|json| json["code"].as_str()).unwrap_or_default();
    format!("{} {code}", answer.status).trim_end().to_owned()
}

fn rules(issuer: &str) -> String {
    format!(
        "issuer = \"{issuer}\"\naudience = \"{AUDIENCE}\"\n[[api]]\nhosts = [\"localhost\"]\nrules = [
  {{ on = \"GET /health\", public = true }},
  {{ on = \"GET /cards/{{id}}\", scope = \"cards:read\" }},
  {{ on = \"POST /cards\", scope = \"cards:write\" }},
]
"
    )
}
