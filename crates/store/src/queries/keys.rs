//! Signing keys and symmetric keys, all of them sealed.

use ficha_core::{
    ports::Fact,
    records::{KeyRow, KeyState, SealedKey, SealingPurpose},
};
use ficha_types::{IssuerName, Kid};

use super::{changes::Change, tokens};
use crate::backend::{Failure, Query, Row, Session, Value, instant, optional, text, text_or_null, word};

static SIGNING: Query = Query::new(
    "SELECT kid, algorithm, api, state, sealed, created_at, since FROM signing_keys WHERE issuer = $1 ORDER BY kid",
);
static PUT_SIGNING: Query = Query::new(
    "INSERT INTO signing_keys (issuer, kid, algorithm, api, state, sealed, created_at, since) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (issuer, kid) DO UPDATE SET algorithm = excluded.algorithm, \
     api = excluded.api, state = excluded.state, sealed = excluded.sealed, created_at = excluded.created_at, \
     since = excluded.since",
);
static REMOVE_SIGNING: Query = Query::new("DELETE FROM signing_keys WHERE issuer = $1 AND kid = $2");
static SEALING: Query =
    Query::new("SELECT purpose, number, master, sealed FROM sealing_keys WHERE issuer = $1 ORDER BY purpose, number");
static ALL_SEALING: Query =
    Query::new("SELECT purpose, number, master, sealed, issuer FROM sealing_keys ORDER BY issuer, purpose, number");
static PUT_SEALING: Query = Query::new(
    "INSERT INTO sealing_keys (issuer, purpose, number, master, sealed) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (issuer, purpose, number) DO UPDATE SET master = excluded.master, sealed = excluded.sealed",
);

/// An issuer's signing keys, by `kid`.
pub(super) async fn signing<S: Session>(session: &mut S, issuer: &IssuerName) -> Result<Vec<KeyRow>, Failure> {
    session.all(&SIGNING, &[text(issuer)], read_signing).await
}

/// An issuer's symmetric keys.
pub(super) async fn sealing<S: Session>(session: &mut S, issuer: &IssuerName) -> Result<Vec<SealedKey>, Failure> {
    session.all(&SEALING, &[text(issuer)], read_sealing).await
}

/// Every issuer's symmetric keys.
pub(crate) async fn all_sealing<S: Session>(session: &mut S) -> Result<Vec<(IssuerName, SealedKey)>, Failure> {
    session.all(&ALL_SEALING, &[], |row| Ok((word(row, 4)?, read_sealing(row)?))).await
}

/// Makes or replaces a signing key.
pub(super) async fn put<S: Session>(session: &mut S, issuer: &IssuerName, key: &KeyRow) -> Result<Change, Failure> {
    let values = [
        text(issuer),
        text(&key.kid),
        text(key.algorithm.as_str()),
        text_or_null(key.api.as_ref()),
        text(state_word(key.state)),
        Value::Bytes(&key.sealed),
        Value::Int(key.created_at.0),
        Value::Int(key.since.0),
    ];
    session.run(&PUT_SIGNING, &values).await?;
    Ok(Change::declared(Fact::Key(key.kid.clone())))
}

/// Takes a signing key away, with the live tokens that it signed.
pub(super) async fn remove<S: Session>(session: &mut S, issuer: &IssuerName, kid: &Kid) -> Result<Change, Failure> {
    session.run(&REMOVE_SIGNING, &[text(issuer), text(kid)]).await?;
    // Live tokens name the published id: that of a refresh key (`k1/refresh`) is its neighbour's, and it signs none.
    tokens::end_of_key(session, issuer, kid).await?;
    Ok(Change::declared(Fact::KeyGone(kid.clone())))
}

/// Makes or replaces a symmetric key.
pub(super) async fn put_sealing<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    key: &SealedKey,
) -> Result<Change, Failure> {
    let values = [
        text(issuer),
        text(key.purpose.as_str()),
        Value::Int(key.number.into()),
        text(&key.master),
        Value::Bytes(&key.sealed),
    ];
    session.run(&PUT_SEALING, &values).await?;
    Ok(Change::declared(Fact::SealingKey(key.purpose)))
}

const STATES: [KeyState; 3] = [KeyState::Next, KeyState::Active, KeyState::Retiring];

const fn state_word(state: KeyState) -> &'static str {
    match state {
        KeyState::Next => "next",
        KeyState::Active => "active",
        KeyState::Retiring => "retiring",
    }
}

fn read_signing(row: &dyn Row) -> Result<KeyRow, Failure> {
    let state = row.text(3)?;
    Ok(KeyRow {
        kid: word(row, 0)?,
        algorithm: word(row, 1)?,
        api: optional(row, 2, word)?,
        state: STATES.into_iter().find(|s| state_word(*s) == state).ok_or_else(|| unknown("state", state))?,
        sealed: row.bytes(4)?.to_vec(),
        created_at: instant(row, 5)?,
        since: instant(row, 6)?,
    })
}

fn read_sealing(row: &dyn Row) -> Result<SealedKey, Failure> {
    let purpose = row.text(0)?;
    let number = row.int(1)?;
    Ok(SealedKey {
        purpose: SealingPurpose::ALL
            .into_iter()
            .find(|p| p.as_str() == purpose)
            .ok_or_else(|| unknown("purpose", purpose))?,
        number: u16::try_from(number).map_err(|e| Failure::damaged(&e))?,
        master: row.text(2)?.to_owned(),
        sealed: row.bytes(3)?.to_vec(),
    })
}

fn unknown(what: &str, word: &str) -> Failure {
    Failure::Damaged(format!("a key's {what} can't be read back: {word}"))
}
