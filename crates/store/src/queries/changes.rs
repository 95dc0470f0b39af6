//! Numbered facts that a cache or a verifier must learn.

use std::borrow::Cow;

use ficha_types::{IssuerName, UnixSeconds};

use crate::backend::{Failure, Query, Row, Session, Value, instant, text};

/// A change as it is kept for a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its number in its issuer: without gaps, visible in order.
    pub number: i64,
    /// What changed: `issuer`, `api`, `client`, `user`, `key`, `sealing_key`, `mark_issuer`, `mark_client`, `mark_user`,
    /// `token`, `family` or `live_token`.
    pub kind: Box<str>,
    /// Which one. For a mark at one API `client:api`, for a live token that was replaced its client.
    pub subject: Box<str>,
    /// When, by the clock of the node that did it.
    pub at: UnixSeconds,
}

/// A change that has no number yet.
pub(crate) struct Change<'a> {
    kind: &'static str,
    subject: Cow<'a, str>,
    /// Whether it is one of the declarations: what an administrator's next act builds on.
    declares: bool,
}

impl<'a> Change<'a> {
    /// Of what was given away or taken away.
    pub(crate) fn of(kind: &'static str, subject: impl Into<Cow<'a, str>>) -> Self {
        Self { kind, subject: subject.into(), declares: false }
    }

    /// Of a declaration.
    pub(crate) fn declared(kind: &'static str, subject: &'a (impl AsRef<str> + ?Sized)) -> Self {
        Self { kind, subject: subject.as_ref().into(), declares: true }
    }
}

/// The last numbers that an issuer has given.
pub(crate) struct Counted {
    pub(crate) change: i64,
    pub(crate) audit: i64,
}

static COUNT: Query = Query::new(
    "UPDATE counters SET change = change + $2, audit = audit + $3, \
     configured = CASE WHEN $4 < 0 THEN configured ELSE change + $2 - $4 END \
     WHERE issuer = $1 RETURNING change, audit",
);
static ADD: Query = Query::new("INSERT INTO changes (issuer, number, kind, subject, at) VALUES ($1, $2, $3, $4, $5)");
static SINCE: Query = Query::new(
    "SELECT number, kind, subject, at FROM changes WHERE issuer = $1 AND number > $2 ORDER BY number LIMIT $3",
);

/// Takes numbers for `changes` and for `audit` rows: the last ones.
pub(crate) async fn count<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    changes: &[Change<'_>],
    audit: usize,
) -> Result<Counted, Failure> {
    let declared = changes.iter().rev().position(|change| change.declares);
    let from_the_end = declared.map_or(-1, as_int);
    let values = [text(issuer), Value::Int(as_int(changes.len())), Value::Int(as_int(audit)), Value::Int(from_the_end)];
    let last = session.first(&COUNT, &values, |row| Ok(Counted { change: row.int(0)?, audit: row.int(1)? })).await?;
    last.ok_or_else(|| Failure::Conflict(format!("there is no issuer {issuer}")))
}

/// Keeps `changes` under the numbers that end with `last`.
pub(crate) async fn keep<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    (changes, last): (&[Change<'_>], i64),
    at: UnixSeconds,
) -> Result<(), Failure> {
    let first = last - as_int(changes.len()) + 1;
    for (number, change) in (first..).zip(changes) {
        let subject = text(&change.subject);
        session.run(&ADD, &[text(issuer), Value::Int(number), text(change.kind), subject, Value::Int(at.0)]).await?;
    }
    Ok(())
}

/// Numbers and keeps `changes`: the last statements of a step.
pub(crate) async fn add<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    changes: &[Change<'_>],
    at: UnixSeconds,
) -> Result<(), Failure> {
    let last = count(session, issuer, changes, 0).await?;
    keep(session, issuer, (changes, last.change), at).await
}

/// At most `limit` changes after number `after`, in order.
pub(crate) async fn since<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    after: i64,
    limit: u32,
) -> Result<Vec<ChangeRow>, Failure> {
    session.all(&SINCE, &[text(issuer), Value::Int(after), Value::Int(limit.into())], read).await
}

fn read(row: &dyn Row) -> Result<ChangeRow, Failure> {
    Ok(ChangeRow { number: row.int(0)?, kind: row.text(1)?.into(), subject: row.text(2)?.into(), at: instant(row, 3)? })
}

fn as_int(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
