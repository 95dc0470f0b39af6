//! Checks beside the issuer, by its keys or by asking it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_config::Problem;
use ficha_types::{ScopeSet, Seconds, Secret, UnixSeconds};
use ficha_verify::{FeedOptions, Rejection, Verifier};
use futures_util::future::BoxFuture;

use crate::{
    Caller, Check, Rulebook,
    rules::{Api, Tokens, Who},
};

/// A secret that is longer is none.
const MOST_BYTES: u64 = 8 * 1024;

/// What all checks of a process have in common.
#[derive(Clone)]
pub struct VerifyingOptions {
    /// The time.
    pub clock: Arc<dyn Fn() -> UnixSeconds + Send + Sync>,
    /// By how much clocks may differ.
    pub leeway: Seconds,
    /// How long keys are kept beyond their life while the issuer is away.
    pub keys_kept_for: Seconds,
    /// How long one question to the issuer may take.
    pub timeout: Duration,
    /// How long tokens pass while a revocation feed is not fresh.
    pub feed_stale_for: Seconds,
    /// For how long an answer of an introspection stands.
    pub introspection_cache: Duration,
    /// Root certificates (PEM) trusted beside the system's.
    pub root_ca: Option<Vec<u8>>,
}

/// The tokens of one API.
pub struct Verifying {
    verifier: Verifier,
    stale_for: Seconds,
}

/// Whether tokens can be checked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checkable {
    /// They can.
    Yes,
    /// They can, but revocations come late: the feed is not fresh.
    Late,
    /// They can't: the issuer is away for longer than is allowed, or was never there.
    No,
}

impl Verifying {
    /// Whether tokens can be checked now; fetches what is needed when it is due.
    pub async fn look(&self) -> Checkable {
        match self.verifier.ready().await {
            Ok(()) => Checkable::Yes,
            Err(Rejection::RevocationsUnavailable) => {
                let stale = self.verifier.feed_status().map_or(Duration::MAX, |status| status.since);
                let allowed = u64::try_from(self.stale_for.0).unwrap_or_default();
                if stale <= Duration::from_secs(allowed) { Checkable::Late } else { Checkable::No }
            }
            Err(_) => Checkable::No,
        }
    }

    async fn ask(&self, token: &str, needed: &ScopeSet) -> Result<Caller, Rejection> {
        let claims = self.verifier.verify(token).await?;
        claims.require(needed)?;
        Ok(Caller::new(claims.client_id(), &claims.scopes().to_string(), claims.subject()))
    }
}

impl Check for Verifying {
    fn check<'a>(&'a self, token: &'a str, needed: &'a ScopeSet) -> BoxFuture<'a, Result<Caller, Rejection>> {
        Box::pin(self.ask(token, needed))
    }
}

/// A check for each API of `book` that has tokens, by its number; APIs that take the same tokens share one.
///
/// # Errors
/// Every API whose tokens can't be checked as it says, with its place.
pub fn verifying(book: &Rulebook, options: &VerifyingOptions) -> Result<Vec<Option<Arc<Verifying>>>, Vec<Problem>> {
    let mut made: Vec<(&Tokens, Arc<Verifying>)> = Vec::new();
    let mut problems = Vec::new();
    let mut checks = Vec::new();
    for api in book.apis() {
        let Some(tokens) = &api.tokens else {
            checks.push(None);
            continue;
        };
        if let Some((_, check)) = made.iter().find(|(known, _)| *known == tokens) {
            checks.push(Some(check.clone()));
            continue;
        }
        match verifier(api, tokens, options) {
            Ok(verifier) => {
                let check = Arc::new(Verifying { verifier, stale_for: options.feed_stale_for });
                made.push((tokens, check.clone()));
                checks.push(Some(check));
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(checks) } else { Err(problems) }
}

fn verifier(api: &Api, tokens: &Tokens, options: &VerifyingOptions) -> Result<Verifier, Problem> {
    let wrong = |key: &str, message: String| Problem {
        place: api.place.clone(),
        key: format!("[[api]] {key}").trim_end().to_owned(),
        message,
    };
    let means = &tokens.means;
    let clock = options.clock.clone();
    let mut builder = Verifier::builder(&tokens.issuer, &tokens.audience)
        .clock(move || clock())
        .leeway(options.leeway)
        .keys_kept_for(options.keys_kept_for)
        .timeout(options.timeout);
    if let Some(pem) = &options.root_ca {
        builder = builder.root_ca_pem(pem);
    }
    if let Some(allowed) = &means.algorithms {
        builder = builder.algorithms(allowed.iter().copied());
    }
    if let Some(url) = &means.jwks_url {
        builder = builder.jwks_url(url);
    }
    for path in &means.shared_secret_files {
        let secret = read_secret(path).map_err(|why| wrong("shared_secret_files", why))?;
        let bytes = URL_SAFE_NO_PAD.decode(secret.expose()).map_err(|_| {
            let why = "expected base64url, as `ficha key export` shows it";
            wrong("shared_secret_files", format!("{}: {why}", path.display()))
        })?;
        builder = builder.shared_secret(&bytes);
    }
    let secret = |who: &Who| read_secret(&who.secret_file).map_err(|why| wrong("secret_file", why));
    if let Some((url, who)) = &means.introspection {
        builder = builder.introspection(url, &who.name, secret(who)?);
        if !options.introspection_cache.is_zero() {
            builder = builder.introspection_cache(options.introspection_cache);
        }
    }
    if let Some(feed) = &means.feed {
        let followed = FeedOptions::with_secret(&feed.who.name, secret(&feed.who)?)
            .allow_stale_for(options.feed_stale_for)
            .refuse_at_once(feed.refuse_at_once.clone());
        builder = builder.follow(followed);
    }
    builder.build().map_err(|why| wrong("", why.to_string()))
}

/// The secret in the file at `path`, without the blanks around it.
fn read_secret(path: &Path) -> Result<Secret, String> {
    let told = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let file = fs::metadata(path).map_err(|e| told(&e))?;
    if !file.is_file() || file.len() > MOST_BYTES {
        return Err(told(&"expected a file with one secret in it"));
    }
    if file.permissions().mode() & 0o007 != 0 {
        return Err(told(&"everybody may read it: take that right away (chmod o= FILE)"));
    }
    let text = fs::read_to_string(path).map_err(|e| told(&e))?;
    let secret = text.trim();
    if secret.is_empty() { Err(told(&"it is empty")) } else { Ok(Secret::new(secret.to_owned())) }
}
