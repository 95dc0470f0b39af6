//! One act of administration, its audit rows, and notes about the database.

use ficha_core::{
    ports::{Commit, Edit, Expect, Page, SecretUse},
    records::AuditEntry,
};
use ficha_types::IssuerName;

use super::{
    changes::{self, Change},
    clients, families, issuers, keys, marks, revocations, users,
};
use crate::backend::{Failure, Query, Session, Value, any, instant, json, record, text, word};

static FIRST_COUNTER: Query = Query::new(
    "INSERT INTO counters (issuer, change, configured, audit) VALUES ($1, 0, 0, 0) ON CONFLICT (issuer) DO NOTHING RETURNING change",
);
/// Only acts move it, and these come one after the other.
static AS_EXPECTED: Query = Query::new("SELECT change FROM counters WHERE issuer = $1 AND configured = $2");
static ADD_AUDIT: Query = Query::new("INSERT INTO audit (issuer, number, record) VALUES ($1, $2, $3)");
static AUDIT: Query = Query::new("SELECT record, issuer FROM audit WHERE issuer = $1 ORDER BY number DESC LIMIT $2");
static NOTE: Query = Query::new("SELECT value FROM notes WHERE name = $1");
static SET_NOTE: Query = Query::new(
    "INSERT INTO notes (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
);
static USED: Query = Query::new(
    "INSERT INTO secret_uses (issuer, owner, secret, at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (issuer, owner, secret) DO UPDATE SET at = excluded.at WHERE secret_uses.at < excluded.at",
);
static USES: Query =
    Query::new("SELECT issuer, owner, secret, at FROM secret_uses WHERE issuer = $1 AND owner = $2 ORDER BY secret");
static FORGET_USES: Query = Query::new("DELETE FROM secret_uses WHERE issuer = $1 AND owner = $2");
/// Does an act of administration; the issuer's last change number.
pub(crate) async fn commit<S: Session>(session: &mut S, commit: &Commit) -> Result<i64, Failure> {
    let issuer = &commit.issuer;
    session.whole().await?;
    // One act after the other, each before its first row: their rows are many, and they take them in any order.
    session.lock(issuer, &["acts"]).await?;
    expect(session, commit).await?;
    let mut facts = Vec::with_capacity(commit.edits.len());
    for edit in &commit.edits {
        apply(session, commit, edit, &mut facts).await?;
    }
    let last = changes::count(session, issuer, &facts, commit.audit.len()).await?;
    let audit = commit.audit.iter().map(json).collect::<Result<Vec<_>, _>>()?;
    let rows: Vec<_> = audit
        .iter()
        .rev()
        .zip(0_i64..)
        .map(|(entry, back)| [text(issuer), Value::Int(last.audit - back), Value::Text(entry)])
        .collect();
    session.run_each(&ADD_AUDIT, &rows).await?;
    changes::keep(session, issuer, (&facts, last.change), commit.now).await?;
    Ok(last.change)
}

/// Fails unless the issuer stands as the act expects it.
async fn expect<S: Session>(session: &mut S, commit: &Commit) -> Result<(), Failure> {
    let issuer = &commit.issuer;
    match commit.expect {
        // Without the issuer there is no counter, which is found at the end.
        Expect::Any => Ok(()),
        Expect::New => {
            if !commit.edits.iter().any(|edit| matches!(edit, Edit::PutIssuer(_))) {
                return Err(Failure::Conflict(format!("there is no issuer {issuer}: declare it first")));
            }
            let new = any(session, &FIRST_COUNTER, &[text(issuer)]).await?;
            new.then_some(()).ok_or_else(|| Failure::Conflict(format!("there is an issuer {issuer} already")))
        }
        Expect::At(change) => {
            let there = any(session, &AS_EXPECTED, &[text(issuer), Value::Int(change)]).await?;
            there.then_some(()).ok_or_else(|| {
                Failure::Conflict(format!(
                    "issuer {issuer} was changed meanwhile: look at it again and repeat the command"
                ))
            })
        }
    }
}

/// Does one edit, and adds what it changed to `facts`.
async fn apply<S: Session>(
    session: &mut S,
    Commit { issuer, now, .. }: &Commit,
    edit: &Edit,
    facts: &mut Vec<Change>,
) -> Result<(), Failure> {
    let fact = match edit {
        Edit::PutIssuer(declaration) => issuers::put(session, issuer, declaration).await?,
        Edit::PutApi(api) => issuers::put_api(session, issuer, api).await?,
        Edit::RemoveApi(name) => issuers::remove_api(session, issuer, name).await?,
        Edit::PutClient(client) => clients::put(session, issuer, client).await?,
        Edit::RemoveClient(id) => clients::remove(session, issuer, id).await?,
        Edit::PutUser(user) => {
            facts.extend(users::put(session, issuer, user).await?);
            return Ok(());
        }
        Edit::RemoveUser(name) => {
            facts.extend(users::remove(session, issuer, name).await?);
            return Ok(());
        }
        Edit::UpgradePassword { name, from, to } => {
            facts.extend(users::upgrade(session, issuer, name, (from, to)).await?);
            return Ok(());
        }
        Edit::PutKey(key) => keys::put(session, issuer, key).await?,
        Edit::RemoveKey(kid) => keys::remove(session, issuer, kid).await?,
        Edit::PutSealing(key) => keys::put_sealing(session, issuer, key).await?,
        Edit::Revoke(revocation) => revocations::put(session, issuer, revocation).await?,
        Edit::EndFamily { family, api, keep_until } => {
            families::end(session, issuer, (family, api.as_ref()), (*keep_until, *now)).await?
        }
        Edit::PutMark(mark) => {
            let at = marks::set(session, issuer, mark, *now).await?.at;
            marks::change(&mark.whose, at)
        }
    };
    facts.push(fact);
    Ok(())
}

/// The newest audit rows of an issuer, newest first.
pub(crate) async fn audit<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    limit: u32,
) -> Result<Vec<AuditEntry>, Failure> {
    session.all(&AUDIT, &[text(issuer), Value::Int(limit.into())], |row| record(row, 0, ("audit", &[1]))).await
}

/// A note about the database.
pub(crate) async fn note<S: Session>(session: &mut S, name: &str) -> Result<Option<String>, Failure> {
    session.first(&NOTE, &[text(name)], |row| Ok(row.text(0)?.to_owned())).await
}

/// Makes a note about the database.
pub(crate) async fn set_note<S: Session>(session: &mut S, name: &str, value: &str) -> Result<(), Failure> {
    session.run(&SET_NOTE, &[text(name), text(value)]).await.map(drop)
}

/// Keeps last uses of secrets; none moves back.
pub(crate) async fn note_secret_uses<S: Session>(session: &mut S, uses: &[SecretUse]) -> Result<(), Failure> {
    // In one order everywhere: two nodes that keep uses of the same secrets wait for each other, not both at once.
    let mut sorted: Vec<_> = uses.iter().collect();
    sorted.sort_unstable_by_key(|used| (&used.issuer, &used.owner, &used.secret));
    let rows: Vec<_> = sorted
        .iter()
        .map(|SecretUse { issuer, owner, secret, at }| [text(issuer), text(owner), text(secret), Value::Int(at.0)])
        .collect();
    session.whole().await?;
    session.run_each(&USED, &rows).await
}

/// The last uses of the secrets of one client or API.
pub(crate) async fn secret_uses<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    owner: &str,
) -> Result<Vec<SecretUse>, Failure> {
    session
        .all(&USES, &[text(issuer), text(owner)], |row| {
            Ok(SecretUse {
                issuer: word(row, 0)?,
                owner: row.text(1)?.to_owned(),
                secret: row.text(2)?.to_owned(),
                at: instant(row, 3)?,
            })
        })
        .await
}

/// Forgets the uses of secrets whose owner is gone.
pub(super) async fn forget_secret_uses<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    owner: Value<'_>,
) -> Result<(), Failure> {
    session.run(&FORGET_USES, &[text(issuer), owner]).await.map(drop)
}

/// The rows of a page: 1 to 1000.
pub(super) fn limit(page: &Page) -> Value<'static> {
    Value::Int(page.limit.clamp(1, 1000).into())
}
