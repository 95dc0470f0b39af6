//! Numbered facts that a cache or a verifier must learn.

use ficha_core::{
    ports::{ChangeRow, Fact},
    records::{Mark, Marked, SealingPurpose},
};
use ficha_types::{ApiName, ClientId, IssuerName, UnixSeconds};

use crate::backend::{Failure, Query, Row, Session, Value, any, instant, text, word};

/// A change that has no number yet.
pub(crate) struct Change {
    fact: Fact,
    /// Whether it is one of the declarations: what an administrator's next act builds on.
    declares: bool,
}

impl Change {
    /// Of what was given away or taken away.
    pub(crate) fn of(fact: Fact) -> Self {
        Self { fact, declares: false }
    }

    /// Of a declaration.
    pub(crate) fn declared(fact: Fact) -> Self {
        Self { fact, declares: true }
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
static ADD: Query = Query::new(
    "INSERT INTO changes (issuer, number, kind, subject, at, api, moment) VALUES ($1, $2, $3, $4, $5, $6, $7)",
);
static SINCE: Query = Query::new(
    "SELECT number, kind, subject, at, api, moment FROM changes \
     WHERE issuer = $1 AND number > $2 ORDER BY number LIMIT $3",
);
static LAST: Query = Query::new("SELECT change FROM counters WHERE issuer = $1");
static NOW: Query =
    Query::by_engine("SELECT $1", "SELECT 0 * $1::bigint + floor(extract(epoch FROM clock_timestamp()))::bigint");
/// After the issuer's own counter: whoever locks both locks them in this order.
static COUNT_DIRECTORY: Query =
    Query::new("UPDATE counters SET change = change + 1 WHERE issuer = '' RETURNING change");

/// Takes numbers for `changes` and for `audit` rows: the last ones.
pub(crate) async fn count<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    changes: &[Change],
    audit: usize,
) -> Result<Counted, Failure> {
    let declared = changes.iter().rev().position(|change| change.declares);
    let from_the_end = declared.map_or(-1, as_int);
    let values = [text(issuer), Value::Int(as_int(changes.len())), Value::Int(as_int(audit)), Value::Int(from_the_end)];
    let last = session.first(&COUNT, &values, |row| Ok(Counted { change: row.int(0)?, audit: row.int(1)? })).await?;
    let last = last.ok_or_else(|| Failure::Conflict(format!("there is no issuer {issuer}")))?;
    if !changes.is_empty() {
        session.announce();
    }
    let directory = changes.iter().any(|change| change.fact == Fact::Issuer);
    if directory && !any(session, &COUNT_DIRECTORY, &[]).await? {
        return Err(Failure::Damaged(
            "the counter of the directory is gone: restore the database from a backup".into(),
        ));
    }
    Ok(last)
}

/// Keeps `changes` under the numbers that end with `last`.
pub(crate) async fn keep<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    (changes, last): (&[Change], i64),
    at: UnixSeconds,
) -> Result<(), Failure> {
    let first = last - as_int(changes.len()) + 1;
    let written: Vec<_> = (first..).zip(changes).map(|(number, change)| (number, written(&change.fact))).collect();
    let rows: Vec<_> = written
        .iter()
        .map(|(number, Written { kind, subject, api, moment })| {
            [
                text(issuer),
                Value::Int(*number),
                Value::Text(kind),
                Value::Text(subject),
                Value::Int(at.0),
                Value::Text(api),
                Value::Int(*moment),
            ]
        })
        .collect();
    session.run_each(&ADD, &rows).await
}

/// Numbers and keeps `changes`: the last statements of a step. Answers the last number.
pub(crate) async fn add<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    changes: &[Change],
    at: UnixSeconds,
) -> Result<i64, Failure> {
    let last = count(session, issuer, changes, 0).await?;
    keep(session, issuer, (changes, last.change), at).await?;
    Ok(last.change)
}

/// The number of the issuer's last change.
pub(crate) async fn last<S: Session>(session: &mut S, issuer: &IssuerName) -> Result<i64, Failure> {
    Ok(session.first(&LAST, &[text(issuer)], |row| row.int(0)).await?.unwrap_or_default())
}

/// The clock of the database; one that has none of its own has the node's.
pub(crate) async fn now<S: Session>(session: &mut S, node: UnixSeconds) -> Result<UnixSeconds, Failure> {
    Ok(session.first(&NOW, &[Value::Int(node.0)], |row| instant(row, 0)).await?.unwrap_or(node))
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

/// A fact in columns.
struct Written<'f> {
    kind: &'static str,
    subject: String,
    api: &'f str,
    moment: i64,
}

fn written(fact: &Fact) -> Written<'_> {
    let plain = |kind, subject: &str| Written { kind, subject: subject.to_owned(), api: "", moment: 0 };
    match fact {
        Fact::Issuer => plain("issuer", ""),
        Fact::Api(name) => plain("api", name.as_str()),
        Fact::Client(id) => plain("client", id.as_str()),
        Fact::User(sub) => plain("user", sub.as_str()),
        Fact::Key(kid) => plain("key", kid.as_str()),
        Fact::KeyGone(kid) => plain("key_gone", kid.as_str()),
        Fact::SealingKey(purpose) => plain("sealing_key", purpose.as_str()),
        Fact::Mark(Mark { whose, at }) => {
            let set = match whose {
                Marked::Issuer => plain("mark_issuer", ""),
                Marked::Client(client) => plain("mark_client", client.as_str()),
                Marked::ClientAtApi(client, api) => {
                    Written { api: api.as_str(), ..plain("mark_client", client.as_str()) }
                }
                Marked::User(sub) => plain("mark_user", sub.as_str()),
            };
            Written { moment: at.0, ..set }
        }
        Fact::Token { id, client, api, until } => {
            // Neither holds a colon.
            let subject = client.as_ref().map_or_else(|| id.to_string(), |client| format!("{id}:{client}"));
            Written { kind: "token", subject, api: api.as_ref().map_or("", ApiName::as_str), moment: until.0 }
        }
        Fact::Family { id, api, until } => {
            let api = api.as_ref().map_or("", ApiName::as_str);
            Written { kind: "family", subject: id.to_string(), api, moment: until.0 }
        }
        Fact::LiveToken { id, client, api } => {
            Written { kind: "live_token", subject: format!("{id}:{client}"), api: api.as_str(), moment: 0 }
        }
        Fact::Other => plain("other", ""),
    }
}

fn read(row: &dyn Row) -> Result<ChangeRow, Failure> {
    // What can't be read is no reason to stop following: it is forgotten whole.
    let fact = read_fact(row).unwrap_or(Fact::Other);
    Ok(ChangeRow { number: row.int(0)?, fact, at: instant(row, 3)? })
}

fn read_fact(row: &dyn Row) -> Result<Fact, Failure> {
    let mark = |whose| Ok(Fact::Mark(Mark { whose, at: instant(row, 5)? }));
    let api = || if row.text(4)?.is_empty() { Ok(None) } else { word(row, 4).map(Some) };
    let holder = || -> Result<(&str, Option<ClientId>), Failure> {
        let subject = row.text(2)?;
        let Some((id, client)) = subject.split_once(':') else { return Ok((subject, None)) };
        Ok((id, Some(client.parse().map_err(|e: ficha_types::BadWord| Failure::damaged(&e))?)))
    };
    let parsed = |id: &str| id.parse().map_err(|e: ficha_types::BadWord| Failure::damaged(&e));
    match row.text(1)? {
        "issuer" => Ok(Fact::Issuer),
        "api" => word(row, 2).map(Fact::Api),
        "client" => word(row, 2).map(Fact::Client),
        "user" => word(row, 2).map(Fact::User),
        "key" => word(row, 2).map(Fact::Key),
        "key_gone" => word(row, 2).map(Fact::KeyGone),
        "sealing_key" => {
            let purpose = row.text(2)?;
            Ok(SealingPurpose::ALL.into_iter().find(|p| p.as_str() == purpose).map_or(Fact::Other, Fact::SealingKey))
        }
        "mark_issuer" => mark(Marked::Issuer),
        "mark_client" => {
            let client: ClientId = word(row, 2)?;
            mark(api()?.map_or_else(|| Marked::Client(client.clone()), |api| Marked::ClientAtApi(client.clone(), api)))
        }
        "mark_user" => mark(Marked::User(word(row, 2)?)),
        "token" => {
            let (id, client) = holder()?;
            Ok(Fact::Token { id: parsed(id)?, client, api: api()?, until: instant(row, 5)? })
        }
        "family" => Ok(Fact::Family { id: word(row, 2)?, api: api()?, until: instant(row, 5)? }),
        "live_token" => match holder()? {
            (id, Some(client)) => Ok(Fact::LiveToken { id: parsed(id)?, client, api: word(row, 4)? }),
            (_, None) => Ok(Fact::Other),
        },
        _ => Ok(Fact::Other),
    }
}

fn as_int(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
