//! The library for APIs: what a token costs at the first sight and at the second, and a million revoked ones.

use std::{fs, hint::black_box, time::SystemTime};

use anyhow::{Context, Result, ensure};
use ficha_jose::{JwkSet, SigningKey, jws};
use ficha_types::{Algorithm, UnixSeconds};
use ficha_verify::{Revocations, Verifier};
use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{
    crypto::Operation,
    options::Options,
    process::own_cpu,
    report::{
        Goal::{AtMost, Told},
        Report,
    },
};

const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "https://api.example.com";
const KID: &str = "oI169e8J0aQfY3mWb1Zx7";
/// Tokens that are revoked.
const MANY: u32 = 1_000_000;
/// Each token is seen so many times again in a round.
const AGAIN: usize = 50;

/// Measures all of it; no server takes part.
///
/// # Errors
/// A good token is refused, or the library can't sign.
pub(crate) fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let revoked = revoked(report)?;
    let rounds = options.rounds(31, 7);
    let number = options.pick(2000, 500);
    let times = u32::try_from(number)?;
    let now = i64::try_from(SystemTime::UNIX_EPOCH.elapsed()?.as_secs())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let alone = Operation::new(Algorithm::Rs256, times)?;
    let key = SigningKey::generate(Algorithm::Rs256, 2048)?.0;
    let jwk = key.public_jwk(KID).context("RSA keys have a public half")?;
    let other = Other::new(&serde_json::to_value(&jwk)?)?;
    let set = JwkSet::new(vec![jwk]);
    let mut figures: [Vec<f64>; 6] = Default::default();
    for round in 0..rounds {
        let tokens = tokens(&key, now, round, number)?;
        let verifier = Verifier::builder(ISSUER, AUDIENCE).keys(set.clone()).build()?;
        let knows = Verifier::builder(ISSUER, AUDIENCE).keys(set.clone()).revocations(revoked.clone()).build()?;
        let bare = alone.verify()?;
        let first = each(&tokens, 1, |token| see(&runtime, &verifier, token))?;
        let theirs = each(&tokens, 1, |token| other.see(token))?;
        let second = each(&tokens, AGAIN, |token| see(&runtime, &verifier, token))?;
        each(&tokens, 1, |token| see(&runtime, &knows, token))?;
        let second_of_many = each(&tokens, AGAIN, |token| see(&runtime, &knows, token))?;
        let ids: Vec<String> = (0..times).map(|n| jti(n * (MANY / times) * 2)).collect();
        let check = each(&ids, AGAIN, |id| {
            black_box(revoked.has_token(black_box(id)));
            Ok(())
        })?;
        for (figure, value) in
            figures.iter_mut().zip([first, first / bare, first / theirs, second, second_of_many, check])
        {
            figure.push(value);
        }
    }
    report.count(rounds * number * (3 + 2 * AGAIN), 0);
    let [first, of_bare, of_theirs, second, second_of_many, check] = figures;
    report.add("a token (RS256), first sight", "µs", first, Told);
    report.add("a token (RS256), first sight / verify", "×", of_bare, AtMost(1.5));
    report.add("a token (RS256), first sight / jsonwebtoken", "×", of_theirs, AtMost(1.0));
    report.add("a token, second sight", "µs", second, AtMost(2.0));
    report.add(&format!("a token, second sight, {MANY} revoked"), "µs", second_of_many, AtMost(2.0));
    report.add(&format!("whether one of {MANY} is the token"), "µs", check, AtMost(1.0));
    Ok(())
}

/// A million revoked tokens, and what they take.
fn revoked(report: &mut Report) -> Result<Revocations> {
    let before = resident()?;
    let known = Revocations::new();
    for n in 0..MANY {
        known.token(&jti(n), UnixSeconds(4_000_000_000))?;
    }
    report.add(&format!("{MANY} revoked tokens in a verifier"), "MiB", vec![resident()? - before], AtMost(64.0));
    Ok(known)
}

/// The id of a token: 22 characters, as ficha makes them.
fn jti(n: u32) -> String {
    format!("{n:022}")
}

/// Tokens that nobody has seen.
fn tokens(key: &SigningKey, now: i64, round: usize, number: usize) -> Result<Vec<String>> {
    let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": KID}).to_string();
    let token = |n: usize| {
        let claims = json!({
            "iss": ISSUER, "sub": "3LBFuOiEHrl4BailkRlsnIMmSctMLb7A", "aud": AUDIENCE,
            "client_id": "3LBFuOiEHrl4BailkRlsnIMmSctMLb7A", "iat": now, "exp": now + 3600,
            "jti": format!("r{round:010}{n:011}"), "scope": "arg:cards:get-card arg:cards:search-card arg:users:get-user",
        });
        Ok(jws::compact(header.as_bytes(), claims.to_string().as_bytes(), key)?)
    };
    (0..number).map(token).collect()
}

fn see(runtime: &Runtime, verifier: &Verifier, token: &str) -> Result<()> {
    black_box(runtime.block_on(verifier.verify(black_box(token)))?);
    Ok(())
}

/// CPU microseconds of one `operation`, done with each of `all`, and all of them so many `times`.
fn each(all: &[String], times: usize, operation: impl Fn(&str) -> Result<()>) -> Result<f64> {
    let before = own_cpu()?;
    for _ in 0..times {
        all.iter().try_for_each(|one| operation(one))?;
    }
    let spent = own_cpu()?.saturating_sub(before);
    Ok(spent.as_secs_f64() * 1e6 / (all.len() * times) as f64)
}

/// `jsonwebtoken`, set up to make the checks that we make: the key by its name, algorithm, issuer, audience, times, kind.
struct Other {
    key: DecodingKey,
    rules: Validation,
}

impl Other {
    fn new(jwk: &Value) -> Result<Self> {
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk.clone())?;
        let mut rules = Validation::new(jsonwebtoken::Algorithm::RS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["iss", "aud", "exp"]);
        rules.leeway = 30;
        rules.validate_nbf = true;
        Ok(Self { key: DecodingKey::from_jwk(&jwk)?, rules })
    }

    fn see(&self, token: &str) -> Result<()> {
        let header = jsonwebtoken::decode_header(token)?;
        ensure!(header.kid.as_deref() == Some(KID) && header.typ.as_deref() == Some("at+jwt"), "another token");
        let read = jsonwebtoken::decode::<serde_json::Map<String, Value>>(black_box(token), &self.key, &self.rules)?;
        ensure!(!read.claims.contains_key("token_use") && !read.claims.contains_key("cnf"), "no access token");
        let scopes: ficha_types::ScopeSet =
            read.claims.get("scope").and_then(Value::as_str).unwrap_or_default().parse()?;
        black_box((read, scopes));
        Ok(())
    }
}

/// MiB that this process holds in memory.
fn resident() -> Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
