//! An issuer, its API's rules, and a gate.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Command,
};

use ficha_tests::{Config, Door, Server, eventually, program, secrets};

use crate::process::Process;

pub(crate) const AUDIENCE: &str = "https://cards.example";

/// An issuer with an API that a gate protects.
pub(crate) struct Site {
    pub(crate) issuer: Server,
    secret: String,
}

impl Site {
    /// The issuer alone, its rules in `rules.toml` beside its configuration; `config` may say more.
    pub(crate) fn new(more: impl FnOnce(Config) -> Config) -> Self {
        let config = Config::new();
        let ip = config.places.https.ip().to_string();
        config.authority.issue(&["localhost", &ip]).write(config.dir(), "server");
        let issuer_url = format!("https://{ip}:8443/acme");
        config.file("rules.toml", &rules(&issuer_url));
        let issuer = Server::serve(more(config));
        let secret = secrets::fresh("a client's secret");
        let sha = secrets::sha256(&secret);
        issuer.apply(&format!(
            "[[issuer]]\nname = \"acme\"\ndialect = \"standard\"\nbase_urls = [\"{issuer_url}\"]\n\
             [[issuer.api]]\nname = \"cards\"\naudience = \"{AUDIENCE}\"\nscopes = [\"cards:read\", \"cards:write\"]\n\
             [[issuer.client]]\nid = \"my app\"\ngrants = [\"client_credentials\"]\nsecrets = [\"sha256:{sha}\"]\n\
             scopes = {{ cards = [\"cards:read\", \"cards:write\"] }}\n"
        ));
        Self { issuer, secret }
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
        let host = self.issuer.places.https.to_string();
        let call = self.issuer.https().host(&host, "/acme").post("/oauth/token").basic("my app", &self.secret);
        call.form(&[("grant_type", "client_credentials"), ("scope", scope)]).send().expect(200).access_token()
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

    /// Waits until the gate has the issuer's keys.
    pub(crate) fn gate_is_ready(&self) {
        let ops = Door::plain(self.at(9092));
        eventually("the gate is ready", || {
            ops.base("").call("GET", "/readyz").try_send().is_ok_and(|answer| answer.status == 200)
        });
    }
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
