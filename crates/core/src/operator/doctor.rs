//! `ficha doctor`: what is advised against and why it is there all the same, what is unsafe, what will not work; each with the way
//! out.

mod surroundings;

use ficha_types::{Algorithm, GrantKind, IssuerName};
use serde::{Deserialize, Serialize};

pub use surroundings::{Certificate, Certificates, Listening, Surroundings};

use super::{
    Operator, OperatorError,
    slots::{dialects, slots},
};
use crate::{
    passwords::is_outdated,
    ports::{IssuerRows, Page, StoreError},
    profile::RefreshMode,
    records::{Client, SecretOrigin, Status, User},
};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something does not work, or is open to others.
    Error,
    /// Advised against: works, and should be left behind.
    Warning,
    /// Good to know.
    Note,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Of which issuer; `None`: of the server.
    pub issuer: Option<String>,
    /// What was found.
    pub what: String,
    /// Why it matters, with the document that says so.
    pub why: String,
    /// The way out.
    pub way_out: String,
}

/// Names that are written out in one finding; of more only the number is told.
const NAMED: usize = 5;
/// Rows read at a time.
const PAGE: u32 = 1000;

/// Findings as they come together.
struct Findings {
    issuer: Option<String>,
    all: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, severity: Severity, what: String, (why, way_out): (&str, &str)) {
        let (issuer, why, way_out) = (self.issuer.clone(), why.to_owned(), way_out.to_owned());
        self.all.push(Finding { severity, issuer, what, why, way_out });
    }

    /// One finding for all of `names`, none when there is none.
    fn for_all(&mut self, severity: Severity, (noun, names): (&str, &[String]), rest: &str, texts: (&str, &str)) {
        if names.is_empty() {
            return;
        }
        let some = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = names.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        self.add(severity, format!("{noun} {some}{more} {rest}").trim_end().to_owned(), texts);
    }

    /// One for rows that can't be read.
    fn unreadable(&mut self, what: &str, error: &StoreError) {
        let texts = ("whoever needs them is answered 503", "restore a backup (`ficha restore`), or declare them anew");
        self.add(Severity::Error, format!("{what} can't be read: {error}"), texts);
    }
}

/// After a page that can't be read: goes on row by row, so that all before the bad one is looked at; `false` at that one.
fn narrowed(page: &mut Page) -> bool {
    std::mem::replace(&mut page.limit, 1) > 1
}

/// What there is after a name, in words.
fn all_after(noun: &str, page: &Page) -> String {
    if page.after.is_empty() { noun.to_owned() } else { format!("{noun} after {}", page.after) }
}

impl Operator {
    /// Everything that was found, the worst first. Rows that can't be read are a finding too.
    ///
    /// # Errors
    /// [`OperatorError::Store`].
    pub async fn doctor(&self) -> Result<Vec<Finding>, OperatorError> {
        let dev = self.surroundings.dev || self.rules.operator.note("made_by").await?.as_deref() == Some("dev");
        let mut findings = Findings { issuer: None, all: Vec::new() };
        let certificates = if dev { None } else { self.certificates(&mut findings).await };
        let known = certificates.as_deref();
        self.surroundings.findings(&mut findings, known.unwrap_or_default(), self.rules.clock.now());
        let mut page = Page { after: String::new(), limit: PAGE };
        let mut none = true;
        loop {
            let issuers = match self.rules.clients.issuers(page.clone()).await {
                Ok(issuers) => issuers,
                Err(_) if narrowed(&mut page) => continue,
                Err(error) => {
                    (findings.issuer, none) = (None, false);
                    findings.unreadable(&all_after("issuers", &page), &error);
                    break;
                }
            };
            let Some(last) = issuers.last() else { break };
            (page.after, none) = (last.name.to_string(), false);
            for issuer in issuers {
                findings.issuer = Some(issuer.name.to_string());
                if let (Some(listening), false) = (&self.surroundings.listening, dev) {
                    listening.of_base_urls(&mut findings, &issuer, known);
                }
                match self.rules.clients.issuer(&issuer.name).await {
                    Ok(Some(rows)) => {
                        self.of_an_issuer(&mut findings, &rows, dev);
                        self.of_clients(&mut findings, &rows).await;
                    }
                    Ok(None) => {}
                    Err(error) => findings.unreadable("its APIs and keys", &error),
                }
                self.of_users(&mut findings, &issuer.name).await;
            }
        }
        if none {
            findings.issuer = None;
            let texts = ("nobody can get a token", "declare one in a file and `ficha apply` it");
            findings.add(Severity::Note, "there is no issuer".into(), texts);
        }
        findings.all.sort_by_key(|f| f.severity);
        Ok(findings.all)
    }

    /// The certificates as they are now; none where they can't be read, which is a finding.
    async fn certificates(&self, findings: &mut Findings) -> Option<Vec<Certificate>> {
        let listening = self.surroundings.listening.as_ref().filter(|listening| !listening.https.is_empty())?;
        let certificates = listening.certificates.clone();
        match tokio::task::spawn_blocking(move || certificates.look()).await.ok()? {
            Ok(certificates) => Some(certificates),
            Err(problem) => {
                let texts =
                    ("the next start is refused; a server that runs goes on with those at hand", "mend the file");
                findings.add(Severity::Error, format!("the certificates can't be loaded: {problem}"), texts);
                None
            }
        }
    }

    fn of_an_issuer(&self, findings: &mut Findings, rows: &IssuerRows, dev: bool) {
        let issuer = &rows.issuer;
        for name in issuer.dialects() {
            if self.rules.dialects.dialect(name).is_none() {
                let texts = ("requests there are refused", "put its file into the folder of dialects and start again");
                findings.add(Severity::Error, format!("the dialect {name} is not loaded"), texts);
            }
        }
        if issuer.allow_loopback_http && !dev {
            let texts = (
                "credentials cross the loopback in the clear (RFC 6749 §3.2 asks for TLS; RFC 9700 §2.6)",
                "take allow_loopback_http out, and the http:// base URLs",
            );
            findings.add(Severity::Warning, "plain HTTP is accepted from the loopback".into(), texts);
        }
        let now = self.rules.clock.now();
        let dialects = dialects(&self.rules, issuer);
        for slot in slots(&rows.apis, &dialects).into_iter().filter(|slot| slot.signer(&rows.keys, now).is_none()) {
            let texts = ("tokens can't be issued for want of it", "`ficha key rotate` makes it, and it signs at once");
            findings.add(Severity::Error, format!("there is no key that signs: {slot}"), texts);
        }
        for dialect in &dialects {
            let kept = dialect.profile().refresh.as_ref().is_some_and(|r| r.mode == RefreshMode::Keep);
            if kept {
                let texts = (
                    "a stolen one works until it expires, and nobody notices (RFC 9700 §2.2.2 and §4.14: rotate, or bind to the sender)",
                    "move its clients to a dialect that rotates; until then keep lifetimes short and revoke when in doubt",
                );
                findings.add(
                    Severity::Warning,
                    format!("the dialect {} keeps refresh tokens unrotated", dialect.name()),
                    texts,
                );
            }
        }
        of_apis(findings, rows);
    }

    async fn of_clients(&self, findings: &mut Findings, rows: &IssuerRows) {
        let mut of = Clients::default();
        let mut page = Page { after: String::new(), limit: PAGE };
        loop {
            let clients = match self.rules.operator.clients(&rows.issuer.name, page.clone()).await {
                Ok(clients) => clients,
                Err(_) if narrowed(&mut page) => continue,
                Err(error) => {
                    findings.unreadable(&all_after("clients", &page), &error);
                    break;
                }
            };
            let Some(last) = clients.last() else { break };
            page.after = last.id.to_string();
            for client in clients.iter().filter(|c| c.status == Status::Enabled) {
                of.note(client, rows);
            }
        }
        of.tell(findings);
    }

    async fn of_users(&self, findings: &mut Findings, issuer: &IssuerName) {
        let mut imported = Vec::new();
        let mut page = Page { after: String::new(), limit: PAGE };
        loop {
            let users = match self.rules.operator.users(issuer, page.clone()).await {
                Ok(users) => users,
                Err(_) if narrowed(&mut page) => continue,
                Err(error) => {
                    findings.unreadable(&all_after("users", &page), &error);
                    break;
                }
            };
            let Some(last) = users.last() else { break };
            page.after = last.name.to_string();
            let old = |user: &&User| is_outdated(&user.password);
            imported.extend(users.iter().filter(old).map(|user| user.name.to_string()));
        }
        findings.for_all(
            Severity::Note,
            ("user", &imported),
            "has a password hash of an older kind, or a cheap one",
            (
                "whoever gets hold of it finds the password sooner than by ficha's own",
                "it is replaced by Argon2id of 19 MiB at the person's next login",
            ),
        );
    }
}

fn of_apis(findings: &mut Findings, rows: &IssuerRows) {
    let named = |keep: &dyn Fn(&crate::records::Api) -> bool| -> Vec<String> {
        rows.apis.iter().filter(|api| keep(api)).map(|api| api.name.to_string()).collect()
    };
    let symmetric = named(&|api| api.algorithm == Algorithm::Hs256);
    findings.for_all(
        Severity::Warning,
        ("API", &symmetric),
        "verifies by HS256",
        (
            "whoever can verify its tokens can make them (RFC 9068 §2.1 recommends asymmetric keys)",
            "set algorithm = \"ES256\" (its tokens signed by HS256 until then are inactive from then on: programs get new ones), or let the API introspect and keep the secret here",
        ),
    );
    let blind = named(&|api| api.secrets.is_empty());
    findings.for_all(
        Severity::Note,
        ("API", &blind),
        "has no secret of its own",
        (
            "it can neither introspect nor follow the revocation feed: to it a token is good until it expires",
            "`ficha api secret add`, and have it follow the feed or introspect",
        ),
    );
    let chosen = named(&|api| api.secrets.iter().any(|s| s.origin == SecretOrigin::Chosen));
    findings.for_all(
        Severity::Warning,
        ("API", &chosen),
        "has a secret that somebody chose",
        ("chosen secrets can be guessed", "`ficha api secret add` makes one that can't; then remove the old one"),
    );
}

/// Clients with what can be said of them.
#[derive(Default)]
struct Clients {
    password: Vec<String>,
    without_secret: Vec<String>,
    chosen: Vec<String>,
    two_secrets: Vec<String>,
    no_secret: Vec<String>,
    no_api: Vec<String>,
    gone_scopes: Vec<String>,
}

impl Clients {
    fn note(&mut self, client: &Client, rows: &IssuerRows) {
        let gone = client.scopes.iter().any(|(name, set)| {
            let api = rows.apis.iter().find(|api| api.name == *name);
            api.is_none_or(|api| set.iter().any(|scope| !api.scopes.contains(scope)))
        });
        let facts = [
            (&mut self.password, client.grants.contains(&GrantKind::Password)),
            (&mut self.without_secret, client.refresh_without_secret),
            (&mut self.chosen, client.secrets.iter().any(|s| s.origin == SecretOrigin::Chosen)),
            (&mut self.two_secrets, client.secrets.len() > 1),
            (&mut self.no_secret, client.secrets.is_empty()),
            (&mut self.no_api, client.scopes.is_empty()),
            (&mut self.gone_scopes, gone),
        ];
        for (names, holds) in facts {
            if holds {
                names.push(client.id.to_string());
            }
        }
    }

    fn tell(&self, findings: &mut Findings) {
        findings.for_all(
            Severity::Warning,
            ("client", &self.password),
            "may use the grant password",
            (
                "the client sees people's passwords (RFC 9700 §2.4: it must not be used)",
                "take the grant from clients that can do without; for programs without people use client_credentials",
            ),
        );
        findings.for_all(
            Severity::Warning,
            ("client", &self.without_secret),
            "refreshes without a secret",
            (
                "whoever has the refresh token has all that it takes (RFC 6749 §6, RFC 9700 §2.2.2)",
                "let it send its secret and take refresh_without_secret out",
            ),
        );
        findings.for_all(
            Severity::Warning,
            ("client", &self.chosen),
            "has a secret that somebody chose",
            (
                "chosen secrets can be guessed (RFC 6749 §10.10)",
                "`ficha client secret add` makes one that can't; then remove the old one",
            ),
        );
        findings.for_all(
            Severity::Note,
            ("client", &self.two_secrets),
            "has two secrets",
            (
                "right during an exchange, needless afterwards",
                "remove the one that is no longer used (`ficha client secret list`)",
            ),
        );
        findings.for_all(
            Severity::Warning,
            ("client", &self.no_secret),
            "has no secret",
            ("it can't authenticate", "`ficha client secret add`"),
        );
        findings.for_all(
            Severity::Note,
            ("client", &self.no_api),
            "holds nothing at any API",
            ("it gets no token", "give it scopes, or disable it"),
        );
        findings.for_all(
            Severity::Note,
            ("client", &self.gone_scopes),
            "holds scopes that no API declares",
            ("they are not granted", "declare them at the API again, or take them from the client"),
        );
    }
}
