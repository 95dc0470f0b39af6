//! Families of refresh tokens.

use ficha_core::ports::{Fact, FamilyUse, Standing, Trade};
use ficha_types::{ApiName, FamilyId, IssuerName, UnixSeconds};

use super::changes::{self, Change};
use crate::backend::{Failure, Query, Row, Session, Value, any, instant, text, text_or_empty, text_or_null};

/// What a family's `ended` says.
const REPLAYED: i64 = 2;

/// `keep_until` is rounded up to a whole hour, so that most uses leave its index alone.
const KEEP_STEP: i64 = 3600;

static BEGIN: Query = Query::new(
    "INSERT INTO families (issuer, family, client, sub, step, used_at, ended, keep_until, api) \
     VALUES ($1, $2, $3, $4, 1, $5, 0, $6, $7) ON CONFLICT (issuer, family) DO NOTHING RETURNING step",
);
static MOVE: Query = Query::new(
    "UPDATE families SET step = step + 1, used_at = $4 \
     WHERE issuer = $1 AND family = $2 AND step = $3 AND ended = 0 AND keep_until >= $5 RETURNING step",
);
static MOVE_AND_KEEP: Query = Query::new(
    "UPDATE families SET step = step + 1, used_at = $4, keep_until = $5 \
     WHERE issuer = $1 AND family = $2 AND step = $3 AND ended = 0 AND keep_until < $5 RETURNING step",
);
static STATE: Query = Query::new("SELECT step, used_at, ended FROM families WHERE issuer = $1 AND family = $2");
static REPLAY: Query =
    Query::new("UPDATE families SET ended = 2 WHERE issuer = $1 AND family = $2 AND ended = 0 RETURNING keep_until");
static REVOKE: Query = Query::new(
    "INSERT INTO families (issuer, family, client, sub, step, used_at, ended, keep_until, api) \
     VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8) ON CONFLICT (issuer, family) DO UPDATE SET \
     ended = CASE WHEN families.ended = 0 THEN 1 ELSE families.ended END, \
     keep_until = CASE WHEN families.keep_until < excluded.keep_until THEN excluded.keep_until ELSE families.keep_until END \
     WHERE families.ended = 0 OR families.keep_until < excluded.keep_until RETURNING keep_until",
);
static ENDED: Query = Query::new("SELECT 1 FROM families WHERE issuer = $1 AND family = $2 AND ended > 0");

struct State {
    step: i64,
    used_at: UnixSeconds,
    ended: i64,
}

/// Uses a rotating refresh token: in the usual case one statement that stands by itself.
pub(crate) async fn trade<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    used: &FamilyUse,
    now: UnixSeconds,
) -> Result<Trade, Failure> {
    if !used.only_repeat && moved(session, issuer, used, now).await? {
        return Ok(Trade::Done);
    }
    let Some(state) = session.first(&STATE, &[text(issuer), text(&used.family)], read).await? else {
        return Ok(Trade::Unknown);
    };
    let was_used = used.step < state.step;
    if state.ended != 0 {
        return Ok(if was_used && state.ended == REPLAYED { Trade::Replayed } else { Trade::Revoked });
    }
    if !was_used {
        return Ok(Trade::Unknown);
    }
    if used.only_repeat && used.step >= state.step {
        return Ok(Trade::Unknown);
    }
    if used.step == state.step - 1 && now <= state.used_at + used.retry_window {
        return Ok(Trade::Repeated { used_at: state.used_at });
    }
    session.whole().await?;
    let ended = session.first(&REPLAY, &[text(issuer), text(&used.family)], |row| instant(row, 0)).await?;
    if let Some(until) = ended {
        changes::add(session, issuer, &[change(used, until)], now).await?;
    }
    Ok(Trade::Replayed)
}

/// Whether the family stood at that step and is one further now.
async fn moved<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    used: &FamilyUse,
    now: UnixSeconds,
) -> Result<bool, Failure> {
    let (issuer, family) = (text(issuer), text(&used.family));
    let (now, keep) = (Value::Int(now.0), keep_until(used));
    if used.step == 0 {
        let (client, sub) = (text(&used.client), text_or_null(used.user.as_ref()));
        let values = [issuer, family, client, sub, now, keep, text(&used.api)];
        return any(session, &BEGIN, &values).await;
    }
    let values = [issuer, family, Value::Int(used.step), now, keep];
    Ok(any(session, &MOVE, &values).await? || any(session, &MOVE_AND_KEEP, &values).await?)
}

/// Revokes a family, used or not; the issuer's last change.
pub(crate) async fn revoke<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    used: &FamilyUse,
    now: UnixSeconds,
) -> Result<i64, Failure> {
    let values = [
        text(issuer),
        text(&used.family),
        text(&used.client),
        text_or_null(used.user.as_ref()),
        Value::Int(used.step),
        Value::Int(now.0),
        keep_until(used),
        text(&used.api),
    ];
    session.whole().await?;
    match session.first(&REVOKE, &values, |row| instant(row, 0)).await? {
        Some(until) => changes::add(session, issuer, &[change(used, until)], now).await,
        None => changes::last(session, issuer).await,
    }
}

/// Revokes a family within an administrator's act, who knows no more than its id; its change.
pub(crate) async fn end<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    (family, api): (&FamilyId, Option<&ApiName>),
    (keep_until, now): (UnixSeconds, UnixSeconds),
) -> Result<Change, Failure> {
    let (until, nobody) = (Value::Int(keep_until.0), Value::Text(""));
    let of = text_or_empty(api);
    let values = [text(issuer), text(family), nobody, Value::Null, Value::Int(0), Value::Int(now.0), until, of];
    let stands = session.first(&REVOKE, &values, |row| instant(row, 0)).await?.unwrap_or(keep_until);
    Ok(Change::of(Fact::Family { id: family.clone(), api: api.cloned(), until: stands }))
}

/// What the end of a family is in the feed.
fn change(used: &FamilyUse, until: UnixSeconds) -> Change {
    Change::of(Fact::Family { id: used.family.clone(), api: Some(used.api.clone()), until })
}

/// Whether a family was revoked.
pub(crate) async fn standing<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    family: &FamilyId,
) -> Result<Standing, Failure> {
    let ended = any(session, &ENDED, &[text(issuer), text(family)]).await?;
    Ok(if ended { Standing::Revoked } else { Standing::Good })
}

fn keep_until(used: &FamilyUse) -> Value<'static> {
    let at = used.keep_until.0;
    Value::Int(at.saturating_add((KEEP_STEP - at.rem_euclid(KEEP_STEP)) % KEEP_STEP))
}

fn read(row: &dyn Row) -> Result<State, Failure> {
    Ok(State { step: row.int(0)?, used_at: instant(row, 1)?, ended: row.int(2)? })
}
