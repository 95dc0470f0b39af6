//! Live tokens.

use ficha_core::ports::{Fact, Kept, LiveKey, LiveOffer, LiveRow, MAX_LIVE};
use ficha_types::{ApiName, ClientId, IssuerName, Kid, UnixSeconds};

use super::changes::{self, Change};
use crate::backend::{Failure, Query, Row, Session, Value, instant, text, word};

static LIVE: Query = Query::new(
    "SELECT id, sealed, issued_at, expires_at, kid FROM live_tokens \
     WHERE issuer = $1 AND client = $2 AND api = $3 AND fingerprint = $4",
);
static KEEP: Query = Query::new(
    "INSERT INTO live_tokens (issuer, client, api, fingerprint, id, sealed, issued_at, expires_at, kid, renewals) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0) ON CONFLICT (issuer, client, api, fingerprint) DO UPDATE SET \
     id = excluded.id, sealed = excluded.sealed, issued_at = excluded.issued_at, expires_at = excluded.expires_at, \
     kid = excluded.kid, renewals = live_tokens.renewals + 1 \
     WHERE live_tokens.id <> excluded.id AND (live_tokens.expires_at <= $10 OR live_tokens.issued_at <= $11) \
     RETURNING renewals",
);
static COUNT_OTHERS: Query = Query::new(
    "SELECT count(*) FROM live_tokens \
     WHERE issuer = $1 AND client = $2 AND api = $3 AND fingerprint <> $4 AND expires_at > $5",
);
static END_OF_ISSUER: Query = Query::new("DELETE FROM live_tokens WHERE issuer = $1 AND issued_at <= $2");
static END_OF_CLIENT: Query =
    Query::new("DELETE FROM live_tokens WHERE issuer = $1 AND client = $2 AND issued_at <= $3");
static END_OF_CLIENT_AT_API: Query =
    Query::new("DELETE FROM live_tokens WHERE issuer = $1 AND client = $2 AND api = $3 AND issued_at <= $4");
static END_OF_API: Query = Query::new("DELETE FROM live_tokens WHERE issuer = $1 AND api = $2");
static END_OF_KEY: Query = Query::new("DELETE FROM live_tokens WHERE issuer = $1 AND kid = $2");
static END_ONE: Query = Query::new("DELETE FROM live_tokens WHERE issuer = $1 AND id = $2 AND ($3 = '' OR api = $3)");

/// The live token that is kept under `key`.
pub(crate) async fn live<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    key: &LiveKey,
) -> Result<Option<LiveRow>, Failure> {
    session.first(&LIVE, &place(issuer, key), read).await
}

/// Keeps an offered live token, or answers the one that is there.
pub(crate) async fn keep<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    key: &LiveKey,
    offer: &LiveOffer,
) -> Result<Kept, Failure> {
    let [a, b, c, d] = place(issuer, key);
    let row = &offer.row;
    session.whole().await?;
    // Nobody else may count the same and take the last place too.
    session.lock(issuer, &["live", key.client.as_str(), key.api.as_str()]).await?;
    let before = live(session, issuer, key).await?;
    let others = session.first(&COUNT_OTHERS, &[a, b, c, d, Value::Int(offer.now.0)], |row| row.int(0)).await?;
    if others.is_some_and(|n| n >= MAX_LIVE) {
        return Ok(Kept::Full);
    }
    let values = [
        a,
        b,
        c,
        d,
        text(&row.id),
        Value::Bytes(&row.sealed),
        Value::Int(row.issued_at.0),
        Value::Int(row.expires_at.0),
        text(&row.kid),
        Value::Int(offer.fresh_after.0),
        Value::Int(offer.not_before.0),
    ];
    let Some(renewals) = session.first(&KEEP, &values, |row| row.int(0)).await? else {
        return Ok(match live(session, issuer, key).await? {
            // The same offer again, as after an unknown outcome.
            Some(there) if there.id == row.id => Kept::Mine,
            Some(there) => Kept::Other(there),
            None => Kept::Full,
        });
    };
    if renewals > 0
        && let Some(LiveRow { id, .. }) = before
    {
        let (client, api) = (key.client.clone(), key.api.clone());
        changes::add(session, issuer, &[Change::of(Fact::LiveToken { id, client, api })], offer.now).await?;
    }
    Ok(Kept::Mine)
}

/// Whose live tokens end.
pub(crate) enum Ends<'a> {
    Issuer,
    Client(&'a ClientId),
    ClientAtApi(&'a ClientId, &'a ApiName),
}

/// Ends those that were issued until `at`, inclusive.
pub(crate) async fn end<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    whose: Ends<'_>,
    at: UnixSeconds,
) -> Result<(), Failure> {
    let (issuer, at) = (text(issuer), Value::Int(at.0));
    match whose {
        Ends::Issuer => session.run(&END_OF_ISSUER, &[issuer, at]).await?,
        Ends::Client(client) => session.run(&END_OF_CLIENT, &[issuer, text(client), at]).await?,
        Ends::ClientAtApi(client, api) => {
            session.run(&END_OF_CLIENT_AT_API, &[issuer, text(client), text(api), at]).await?
        }
    };
    Ok(())
}

/// Ends every one of an API.
pub(crate) async fn end_of_api<S: Session>(session: &mut S, issuer: &IssuerName, api: &ApiName) -> Result<(), Failure> {
    session.run(&END_OF_API, &[text(issuer), text(api)]).await.map(drop)
}

/// Ends every one that a key signed.
pub(crate) async fn end_of_key<S: Session>(session: &mut S, issuer: &IssuerName, kid: &Kid) -> Result<(), Failure> {
    session.run(&END_OF_KEY, &[text(issuer), text(kid)]).await.map(drop)
}

/// Ends one by its `jti`; at one API alone where `api` is not empty.
pub(crate) async fn end_one<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    id: Value<'_>,
    api: Value<'_>,
) -> Result<(), Failure> {
    session.run(&END_ONE, &[text(issuer), id, api]).await.map(drop)
}

fn place<'a>(issuer: &'a IssuerName, key: &'a LiveKey) -> [Value<'a>; 4] {
    [text(issuer), text(&key.client), text(&key.api), Value::Bytes(&key.fingerprint)]
}

fn read(row: &dyn Row) -> Result<LiveRow, Failure> {
    Ok(LiveRow {
        id: word(row, 0)?,
        sealed: row.bytes(1)?.to_vec(),
        issued_at: instant(row, 2)?,
        expires_at: instant(row, 3)?,
        kid: row.text(4)?.to_owned(),
    })
}
