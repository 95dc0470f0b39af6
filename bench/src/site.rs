//! The server that is measured: its data folder, its configuration, the issuers it has, and the requests that they are asked.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufRead, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use ficha_jose::{random, sha256};
use tempfile::TempDir;

use crate::{
    options::Options,
    process::{Cores, Process},
};

/// The secret of every client and API here.
const SECRET: &str = "bench-Jq4vN0aXh2mS7rTgYw1pLk9dFzC3uEbR";
/// The password of every user here.
const PASSWORD: &str = "bench-password";
/// How long a login is to take.
const LOGIN_MS: f64 = 50.0;
/// The file of the master key.
const MASTER: &str = "master.key";
/// Clients of the issuer `many`.
pub(crate) const CLIENTS: usize = 10_000;

/// Where the server's things are, and where it answers.
pub(crate) struct Site {
    folder: TempDir,
    ficha: PathBuf,
    /// The address of every issuer.
    pub(crate) address: SocketAddr,
    /// Where proxies ask: the server, and `ficha gate`.
    pub(crate) gates: [SocketAddr; 2],
}

impl Site {
    /// Makes the configuration and the database with its issuers.
    ///
    /// # Errors
    /// `ficha` is not there, or refuses what is declared.
    pub(crate) fn make(options: &Options) -> Result<Self> {
        Self::on(options, None)
    }

    /// The same on the PostgreSQL database at `url`.
    ///
    /// # Errors
    /// `ficha` is not there, or refuses what is declared.
    pub(crate) fn on(options: &Options, url: Option<&str>) -> Result<Self> {
        let site = Self::empty(options, url)?;
        let mut key = [0; 32];
        random::fill(&mut key);
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(site.path(MASTER))?;
        file.write_all(STANDARD.encode(key).as_bytes())?;
        fs::write(site.path("gate.toml"), gate(site.gates[1]))?;
        fs::write(site.path("rules.toml"), rules(site.address))?;
        fs::write(site.path("issuers.toml"), issuers(site.address.port(), &dear_hash()?)?)?;
        site.apply("issuers.toml")?;
        Ok(site)
    }

    /// Another node on the same database, which answers at an address of its own what this one's requests ask.
    ///
    /// # Errors
    /// Its files can't be written.
    pub(crate) fn beside(&self, options: &Options, url: &str) -> Result<Self> {
        let node = Self::empty(options, Some(url))?;
        fs::copy(self.path(MASTER), node.path(MASTER))?;
        fs::write(node.path("rules.toml"), rules(self.address))?;
        Ok(node)
    }

    /// A folder with a configuration.
    fn empty(options: &Options, url: Option<&str>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(&options.folder)?;
        // Base URLs hold the port, so it must be known before there is a server.
        let held = [(), (), ()].map(|()| TcpListener::bind("127.0.0.1:0"));
        let [address, own, beside] = held;
        let (address, gates) = (address?.local_addr()?, [own?.local_addr()?, beside?.local_addr()?]);
        let site = Self { folder, ficha: options.ficha.clone(), address, gates };
        // `ficha apply` with no server running opens a data folder, but makes none.
        fs::create_dir(site.data())?;
        fs::write(site.path("ficha.toml"), configuration(address, gates[0], url))?;
        Ok(site)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn apply(&self, declaration: &str) -> Result<()> {
        self.command(&["apply", &self.path(declaration).display().to_string()])
    }

    /// Runs a command of `ficha`, on the server when it runs.
    ///
    /// # Errors
    /// It fails.
    pub(crate) fn command(&self, args: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.ficha);
        command.args(args).arg("--config").arg(self.path("ficha.toml")).stdin(Stdio::null());
        let out = command.output().with_context(|| self.ficha.display().to_string())?;
        if !out.status.success() {
            let said = [&out.stdout, &out.stderr].map(|said| String::from_utf8_lossy(said));
            bail!("ficha {}: {}", args.join(" "), said.concat());
        }
        Ok(())
    }

    /// Starts the server.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start(&self, cores: Cores) -> Result<Process> {
        Process::server(&self.ficha, &self.path("ficha.toml"), &self.log(), cores)
    }

    /// Starts `ficha gate`.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn start_gate(&self, cores: Cores) -> Result<Process> {
        Process::gate(&self.ficha, &self.path("gate.toml"), &self.path("gate.log"), cores)
    }

    fn log(&self) -> PathBuf {
        self.path("server.log")
    }

    /// The folder of the database.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The server's binary.
    pub(crate) fn binary(&self) -> &Path {
        &self.ficha
    }

    /// Access lines written since the last call; the log is emptied.
    ///
    /// # Errors
    /// The log can't be read.
    pub(crate) fn take_log(&self) -> Result<usize> {
        let lines = BufReader::new(File::open(self.log())?).split(b'\n');
        let mut found = 0;
        for line in lines {
            let line = line?;
            found += usize::from(line.windows(8).any(|w| w == b"\"access\""));
        }
        File::options().write(true).open(self.log())?.set_len(0)?;
        Ok(found)
    }

    /// Bytes of the database with its log.
    ///
    /// # Errors
    /// The folder can't be read.
    pub(crate) fn database_bytes(&self) -> Result<u64> {
        let mut all = 0;
        for file in fs::read_dir(self.data())? {
            let file = file?;
            if file.file_name() == "ficha.db" || file.file_name() == "ficha.db-wal" {
                all += file.metadata()?.len();
            }
        }
        Ok(all)
    }

    fn post(&self, path: &str, headers: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\nhost: {}\r\nuser-agent: bench/1\r\naccept: */*\r\n{headers}content-length: {length}\r\n\r\n{body}", self.address)
            .into_bytes()
    }

    fn form(&self, path: &str, name: &str, body: &str) -> Vec<u8> {
        let basic = STANDARD.encode(format!("{name}:{SECRET}"));
        let headers = format!("authorization: Basic {basic}\r\ncontent-type: application/x-www-form-urlencoded\r\n");
        self.post(path, &headers, body)
    }

    /// 150 bytes for `bare`.
    pub(crate) fn to_bare(&self) -> Vec<u8> {
        let body = format!("{:x<150}", "grant_type=client_credentials&padding=");
        self.form("/", "bare", &body)
    }

    /// A proxy's question about a request with that token for the API `rs`.
    pub(crate) fn to_gate(token: &str) -> Vec<u8> {
        format!(
            "GET /verify HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer {token}\r\nx-original-method: GET\r\nx-original-uri: /loans/7?full=1\r\nx-forwarded-host: api.example.com\r\nx-forwarded-proto: https\r\nx-forwarded-for: 192.0.2.1\r\n\r\n"
        )
        .into_bytes()
    }

    /// A token that is handed out again.
    pub(crate) fn reused(&self) -> Vec<u8> {
        let body = format!(
            r#"{{"client_id":"reuser-0123456789abcdef012345678","client_secret":"{SECRET}","audience":"https://cards.example","grant_type":"client_credentials"}}"#
        );
        self.post("/pomelo/oauth/token", "content-type: application/json\r\n", &body)
    }

    /// A new token for the API `rs`, `es` or `ed` (RS256, ES256, `EdDSA`), without a refresh token.
    pub(crate) fn fresh(&self, api: &str) -> Vec<u8> {
        self.form("/standard/oauth/token", &format!("client-{api}"), "grant_type=client_credentials")
    }

    /// A new HS256 token with its refresh token.
    pub(crate) fn with_refresh(&self) -> Vec<u8> {
        self.form("/leancore/oauth2/token", "client-hs", "grant_type=client_credentials")
    }

    /// The same, from the `n`th of many clients.
    pub(crate) fn of_many(&self, n: usize) -> Vec<u8> {
        self.form("/many/oauth2/token", &Self::name_of_many(n), "grant_type=client_credentials")
    }

    /// What the `n`th of many clients is called.
    pub(crate) fn name_of_many(n: usize) -> String {
        format!("client-{:05}", n % CLIENTS)
    }

    /// Uses a refresh token.
    pub(crate) fn refresh(&self, token: &str) -> Vec<u8> {
        let body = format!("grant_type=refresh_token&refresh_token={token}");
        self.form("/leancore/oauth2/token", "client-hs", &body)
    }

    /// The API asks whether a token of its own is good.
    pub(crate) fn introspect(&self, api: &str, token: &str) -> Vec<u8> {
        self.form("/standard/oauth/introspect", api, &format!("token={token}"))
    }

    /// The client that an API's token was issued to revokes it.
    pub(crate) fn revoke(&self, api: &str, token: &str) -> Vec<u8> {
        self.form("/standard/oauth/revoke", &format!("client-{api}"), &format!("token={token}"))
    }

    /// A login that takes [`LOGIN_MS`].
    pub(crate) fn login(&self, n: usize) -> Vec<u8> {
        let body = format!("grant_type=password&username=user-{}&password={PASSWORD}", n % 16);
        self.form("/deyel/oauth/token", "client-pw", &body)
    }
}

fn gate(address: SocketAddr) -> String {
    format!("[gate]\nlisten = [\"{address}\"]\nrules = \"rules.toml\"\nops = \"off\"\n")
}

/// As many as an API of some size has, the one that matches among the last.
fn rules(address: SocketAddr) -> String {
    let mut all = format!(
        "issuer = \"http://{address}/standard\"\naudience = \"https://rs.example\"\n[[api]]\nhosts = [\"api.example.com\"]\nrules = [\n"
    );
    for noun in ["cards", "users", "accounts", "payments", "limits", "loans"] {
        for on in [format!("POST /{noun}"), format!("GET /{noun}"), format!("GET /{noun}/{{id}}")] {
            all += "  { on = \"";
            all += &on;
            all += "\", scope = \"loans:read\" },\n";
        }
    }
    all + "]\n"
}

fn configuration(address: SocketAddr, gate: SocketAddr, url: Option<&str>) -> String {
    let url = url.map_or_else(String::new, |url| format!("url = \"{url}\"\n"));
    format!(
        r#"[listen]
https = []
http = ["{address}"]
ops = "127.0.0.1:0"
drain_s = 0
[store]
data = "data"
{url}[keys]
master_key_file = "{MASTER}"
[gate]
listen = ["{gate}"]
rules = "rules.toml"
"#
    )
}

/// The issuers: one for each dialect, and one with many clients.
fn issuers(port: u16, hash: &str) -> Result<String> {
    let digest = sha256(SECRET.as_bytes()).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let secrets = format!(r#"secrets = [{{ id = "one", sha256 = "{digest}" }}]"#);
    let issuer = |name: &str, dialect: &str| {
        format!(
            "[[issuer]]\nname = \"{name}\"\ndialect = \"{dialect}\"\nbase_urls = [\"http://127.0.0.1:{port}/{name}\"]\nallow_loopback_http = true\n"
        )
    };
    let api = |name: &str, audience: &str, scopes: &str, more: &str| {
        format!(
            "[[issuer.api]]\nname = \"{name}\"\naudience = \"https://{audience}.example\"\nscopes = {scopes}\n{more}\n"
        )
    };
    let client = |id: &str, grants: &str, api: &str, scopes: &str| {
        format!("[[issuer.client]]\nid = \"{id}\"\n{secrets}\ngrants = {grants}\nscopes = {{ {api} = {scopes} }}\n")
    };
    let (credentials, refreshing) = (r#"["client_credentials"]"#, r#"["client_credentials", "refresh_token"]"#);
    let mut all = String::new();

    let scopes = r#"["arg:cards:get-card", "arg:cards:create-card", "arg:cards:search-card", "arg:users:get-user"]"#;
    all += &issuer("pomelo", "pomelo");
    all += &api("cards", "cards", scopes, "");
    all += &client("reuser-0123456789abcdef012345678", credentials, "cards", scopes);
    writeln!(all, "properties = {{ pomelo_client_id = \"{digest}\" }}")?;

    let scopes = r#"["loans:read", "loans:write"]"#;
    all += &issuer("standard", "standard");
    for (name, algorithm) in [("rs", "RS256"), ("es", "ES256"), ("ed", "EdDSA")] {
        all += &api(name, name, scopes, &format!("algorithm = \"{algorithm}\"\n{secrets}"));
        all += &client(&format!("client-{name}"), credentials, name, scopes);
    }
    for name in ["leancore", "many"] {
        all += &issuer(name, "leancore");
        all += &api("core", "core", scopes, "");
        if name == "leancore" {
            all += &client("client-hs", refreshing, "core", scopes);
        } else {
            (0..CLIENTS).for_each(|n| all += &client(&format!("client-{n:05}"), refreshing, "core", scopes));
        }
    }
    all += &issuer("deyel", "deyel");
    all += &api("rest", "rest", scopes, "");
    all += &client("client-pw", r#"["password"]"#, "rest", scopes);
    for n in 0..16 {
        write!(
            all,
            "[[issuer.user]]\nname = \"user-{n}\"\npassword = {{ hash = \"{hash}\" }}\nscopes = {{ rest = {scopes} }}\n"
        )?;
    }
    Ok(all)
}

/// The hash of [`PASSWORD`] with as many passes as make a login take [`LOGIN_MS`] here.
fn dear_hash() -> Result<String> {
    const MEMORY: u32 = 19 * 1024;
    let salt = b"ficha-bench-salt";
    let hash = |passes: u32| -> Result<([u8; 32], f64)> {
        let params = Params::new(MEMORY, passes, 1, None).context("argon2")?;
        let mut out = [0; 32];
        let began = Instant::now();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(PASSWORD.as_bytes(), salt, &mut out).context("argon2")?;
        Ok((out, began.elapsed().as_secs_f64() * 1e3))
    };
    // The first one finds its memory; the second tells the time.
    hash(4)?;
    let (_, four) = hash(4)?;
    let passes = (2..=16).min_by(|a, b| {
        let far = |n: u32| (four / 4.0 * f64::from(n) - LOGIN_MS).abs();
        far(*a).total_cmp(&far(*b))
    });
    let passes = passes.context("there are passes to choose from")?;
    let (made, _) = hash(passes)?;
    let (salt, made) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(made));
    Ok(format!("$argon2id$v=19$m={MEMORY},t={passes},p=1${salt}${made}"))
}
