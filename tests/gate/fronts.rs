//! The real proxies, from the files in `deploy/`.

use std::{fs, path::Path, process::Command};

use ficha_tests::Door;

use crate::{process::Process, site::Site, upstream::Upstream};

const API: &str = include_str!("../../deploy/nginx/api.conf");
const GATE: &str = include_str!("../../deploy/nginx/ficha-gate.conf");
const PROTECT: &str = include_str!("../../deploy/nginx/ficha-protect.conf");
const CADDY: &str = include_str!("../../deploy/caddy/Caddyfile");

/// What is shipped, with what is the machine's own changed, and nothing else.
pub(crate) fn adapted(text: &str, changes: &[(&str, String)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "what is shipped says {from}");
        text.replace(from, to)
    })
}

/// A proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    Nginx,
    Caddy,
}

/// A proxy before an API, and a gate beside it.
pub(crate) struct Proxied {
    // Dropped in this order: the proxy first.
    _proxy: Process,
    pub(crate) gate: Option<Process>,
    pub(crate) upstream: Upstream,
    pub(crate) door: Door,
    pub(crate) site: Site,
}

impl Proxied {
    pub(crate) fn new(front: Front) -> Self {
        let site = Site::new(|config| config);
        let gate = site.gate();
        site.gate_is_ready();
        let upstream = Upstream::start(site.at(3000));
        let folder = site.dir().join("proxy");
        fs::create_dir(&folder).unwrap();
        let proxy = match front {
            Front::Nginx => nginx(&site, &folder),
            Front::Caddy => caddy(&site, &folder),
        };
        let address = site.at(8445);
        let proxy = proxy.listens_at(address);
        let door = Door::tls(address, site.issuer.authority().client());
        Self { _proxy: proxy, gate: Some(gate), upstream, door, site }
    }
}

fn nginx(site: &Site, folder: &Path) -> Process {
    let changes = [
        ("127.0.0.1:9091", site.at(9091).to_string()),
        ("127.0.0.1:3000", site.at(3000).to_string()),
        ("listen 443 ssl", format!("listen {} ssl", site.at(8445))),
        ("server_name api.example.com", "server_name localhost".into()),
        ("/etc/nginx/tls/cert.pem", site.dir().join("server.pem").display().to_string()),
        ("/etc/nginx/tls/key.pem", site.dir().join("server.key").display().to_string()),
    ];
    fs::create_dir(folder.join("snippets")).unwrap();
    fs::write(folder.join("snippets/ficha-gate.conf"), GATE).unwrap();
    fs::write(folder.join("snippets/ficha-protect.conf"), PROTECT).unwrap();
    fs::write(folder.join("api.conf"), adapted(API, &changes)).unwrap();
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temp = temp.map(|t| format!("{t}_temp_path {}/{t};\n", folder.display())).concat();
    // What Debian's own nginx.conf does, as far as it counts here.
    let whole = format!(
        "daemon off;\nworker_processes 1;\npid {}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{temp}access_log off;\ninclude api.conf;\n}}\n",
        folder.display()
    );
    fs::write(folder.join("nginx.conf"), whole).unwrap();
    // Debian puts it where not every user's path leads.
    let usual = Path::new("/usr/sbin/nginx");
    let mut command = Command::new(if usual.exists() { usual } else { Path::new("nginx") });
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
    Process::start(command, folder, "nginx")
}

fn caddy(site: &Site, folder: &Path) -> Process {
    let (cert, key) = (site.dir().join("server.pem"), site.dir().join("server.key"));
    let own = format!("https://localhost:8445 {{\n\tbind {}\n\ttls {} {}", site.ip(), cert.display(), key.display());
    let changes = [
        ("127.0.0.1:9091", site.at(9091).to_string()),
        ("127.0.0.1:3000", site.at(3000).to_string()),
        ("api.example.com {", own),
    ];
    let whole = format!("{{\n\tadmin off\n\tauto_https disable_redirects\n}}\n{}", adapted(CADDY, &changes));
    let file = folder.join("Caddyfile");
    fs::write(&file, whole).unwrap();
    let mut command = Command::new("caddy");
    command.arg("run").arg("--config").arg(file).args(["--adapter", "caddyfile"]);
    command.env("HOME", folder).env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
    Process::start(command, folder, "caddy")
}
