//! How the server listens: TLS, HTTP/1.1 and 2, limits, the end in good order, the operations port.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod http;
mod limits;
mod operations;
mod shutdown;
mod tls;

use std::sync::Arc;

use ficha_tests::{Call, Config, Connection, Server, Shared, secrets};

static SHARED: Shared<Site> = Shared::new();

/// A server with one issuer at `/a` that speaks the standard dialect, and at `/p` Deyel's with logins that take their time.
struct Site {
    server: Server,
    secret: String,
}

fn site() -> Arc<Site> {
    SHARED.get(|| Site::with(Config::new()))
}

impl Site {
    fn with(config: Config) -> Self {
        let (server, secret) = (Server::serve(config), secrets::fresh("a client's secret"));
        let sha = secrets::sha256(&secret);
        server.apply(&format!(
            r#"[[issuer]]
name = "a"
dialect = "standard"
base_urls = ["https://localhost:8443/a", "http://localhost:8080/a", "https://second.example:*/a"]
allow_loopback_http = true
[[issuer.api]]
name = "x"
audience = "https://x.example"
scopes = ["x"]
[[issuer.client]]
id = "app"
grants = ["client_credentials"]
secrets = ["sha256:{sha}"]
scopes = {{ x = ["x"] }}

[[issuer]]
name = "slow"
dialect = "deyel"
base_urls = ["https://localhost:8443/p"]
password_refusal_after = "2s"
[[issuer.api]]
name = "x"
audience = "https://x.example"
scopes = ["x"]
[[issuer.client]]
id = "app"
grants = ["password"]
secrets = ["sha256:{sha}"]
scopes = {{ x = ["x"] }}
"#
        ));
        Self { server, secret }
    }

    /// A request for a token.
    fn token(&self) -> Call {
        let call = self.server.https().base("/a").post("/oauth/token").basic("app", &self.secret);
        call.form(&[("grant_type", "client_credentials")])
    }

    /// A login that is refused after two seconds.
    fn slow(&self) -> Call {
        let call = self.server.https().base("/p").post("/oauth/token").basic("app", &self.secret);
        call.form(&[("grant_type", "password"), ("username", "nobody"), ("password", "wrong")])
    }
}

/// The connection of a request that the server has taken and whose body it waits for, and that body.
fn begun(call: Call) -> (Connection, Vec<u8>) {
    let call = call.header("Expect", "100-continue");
    let request = call.bytes();
    let at = request.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = request.split_at(at);
    let mut connection = call.connect();
    connection.write(head).unwrap();
    assert_eq!(connection.read_answer(false).unwrap().status, 100);
    (connection, body.to_vec())
}

/// A client of a library, by HTTP/2 where the server has it.
fn client(server: &Server) -> reqwest::Client {
    let ca = reqwest::Certificate::from_pem(&std::fs::read(server.ca()).unwrap()).unwrap();
    let builder = reqwest::Client::builder().tls_certs_only([ca]);
    builder.resolve("localhost", server.places.https).build().unwrap()
}
