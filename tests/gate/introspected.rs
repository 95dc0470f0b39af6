//! The API of docs/protect-an-api.md that introspects, as it stands there.

use std::{net::TcpStream, process::Command};

use ficha_tests::Door;

use crate::{fronts::adapted, process::Process, site::Site};

const PAGE: &str = include_str!("../../docs/protect-an-api.md");

fn api(site: &Site) -> Process {
    let (_, program) = PAGE.split_once("```python\n# introspected.py\n").unwrap();
    let file = |name| site.dir().join(name).display().to_string();
    let changes = [
        ("https://localhost:8443", format!("https://{}", site.issuer.places.https)),
        ("ficha-dev/ca.pem", site.issuer.ca().display().to_string()),
        ("ficha-dev/server.pem", file("server.pem")),
        ("ficha-dev/server.key", file("server.key")),
        ("127.0.0.1", site.ip().to_string()),
        ("orders:", "cards:".to_owned()),
        // As long as anything here may take.
        ("timeout=5", "timeout=60".to_owned()),
    ];
    let program = adapted(program.split("```").next().unwrap(), &changes);
    let mut command = Command::new("python3");
    command.arg("-u").arg(site.issuer.config().file("introspected.py", &program)).env("SECRET", &site.api_secret);
    Process::start(command, site.dir(), "introspected").listens_at(site.at(8446))
}

#[test]
fn it_answers_as_the_page_says() {
    let mut site = Site::new(|config| config);
    let _api = api(&site);
    let door = Door::tls(site.at(8446), site.issuer.authority().client());
    let ask = |method: &str, path: &str, token: &str| {
        let answer = door.base("").call(method, path).header("Authorization", &format!("Bearer {token}")).send();
        let challenge = answer.header("www-authenticate").unwrap_or_default().to_owned();
        (answer.status, challenge, answer.text().to_owned())
    };
    let refused = |status: u16, challenge: &str| (status, challenge.to_owned(), String::new());
    let (reads, writes) = (site.token("cards:read"), site.token("cards:write"));
    let passes = (200, String::new(), "orders for my app\n".to_owned());
    let _says_nothing = TcpStream::connect(site.at(8446)).unwrap();
    assert_eq!(ask("GET", "/orders", &reads), passes);
    assert_eq!(ask("POST", "/orders", &writes), passes);
    assert_eq!(ask("GET", "/orders", ""), refused(401, "Bearer"));
    assert_eq!(ask("GET", "/orders", &writes), refused(403, "Bearer error=\"insufficient_scope\""));
    assert_eq!(ask("GET", "/else", &reads), refused(403, "Bearer error=\"insufficient_scope\""));
    assert_eq!(ask("GET", "/orders", "x.y.z"), refused(401, "Bearer error=\"invalid_token\""));
    site.revoke(&reads);
    assert_eq!(ask("GET", "/orders", &reads), refused(401, "Bearer error=\"invalid_token\""));
    assert_eq!(site.issuer.stop(), 0);
    assert_eq!(ask("POST", "/orders", &writes), refused(503, ""));
}
