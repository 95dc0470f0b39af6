//! Users.

use ficha_core::{
    ports::{Fact, Page, UserRow},
    records::{PasswordHash, User},
};
use ficha_types::{IssuerName, Subject, Username};

use super::{
    changes::Change,
    names::{self, Name},
    operator,
};
use crate::backend::{Failure, Query, Row, Session, any, instant, json, optional, record, text, word};

static BY_NAME: Query = Query::new(
    "SELECT u.record, m.at, u.issuer, u.name FROM users u \
     LEFT JOIN marks m ON m.issuer = u.issuer AND m.kind = 'user' AND m.owner = u.sub AND m.api = '' \
     WHERE u.issuer = $1 AND u.name = $2",
);
static BY_SUB: Query = Query::new(
    "SELECT u.record, m.at, u.issuer, u.name FROM users u \
     LEFT JOIN marks m ON m.issuer = u.issuer AND m.kind = 'user' AND m.owner = u.sub AND m.api = '' \
     WHERE u.issuer = $1 AND u.sub = $2",
);
static SOME: Query =
    Query::new("SELECT record, issuer, name FROM users WHERE issuer = $1 AND name > $2 ORDER BY name LIMIT $3");
static SUB: Query = Query::new("SELECT sub FROM users WHERE issuer = $1 AND name = $2");
static PUT: Query = Query::new(
    "INSERT INTO users (issuer, name, sub, record) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (issuer, name) DO UPDATE SET sub = excluded.sub, record = excluded.record",
);
static RECORD: Query = Query::new("SELECT record FROM users WHERE issuer = $1 AND name = $2");
/// Only while the row is the one that was read.
static REPLACE: Query =
    Query::new("UPDATE users SET record = $4 WHERE issuer = $1 AND name = $2 AND record = $3 RETURNING name");
static REMOVE: Query = Query::new("DELETE FROM users WHERE issuer = $1 AND name = $2");

/// A user by the name that is typed, by one statement: as of one moment.
pub(crate) async fn by_name<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    name: &Username,
) -> Result<Option<UserRow>, Failure> {
    session.first(&BY_NAME, &[text(issuer), text(name)], read).await
}

/// A user by `sub`, likewise.
pub(crate) async fn by_subject<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    sub: &Subject,
) -> Result<Option<UserRow>, Failure> {
    session.first(&BY_SUB, &[text(issuer), text(sub)], read).await
}

/// Users by name, after one.
pub(crate) async fn some<S: Session>(session: &mut S, issuer: &IssuerName, page: &Page) -> Result<Vec<User>, Failure> {
    session
        .all(&SOME, &[text(issuer), text(&page.after), operator::limit(page)], |row| record(row, 0, ("users", &[1, 2])))
        .await
}

/// Makes or replaces a user.
pub(super) async fn put<S: Session>(session: &mut S, issuer: &IssuerName, user: &User) -> Result<Vec<Change>, Failure> {
    let sub = user.sub.as_str();
    let mut changes = vec![Change::declared(Fact::User(user.sub.clone()))];
    if let Some(before) = sub_of(session, issuer, &user.name).await?
        && before != user.sub
    {
        names::leave(session, issuer, before.as_str(), "user").await?;
        changes.push(Change::declared(Fact::User(before)));
    }
    names::take(session, issuer, Name { text: sub, kind: "user", owner: user.name.as_str() }).await?;
    let record = json(user)?;
    session.run(&PUT, &[text(issuer), text(&user.name), text(sub), text(&record)]).await?;
    Ok(changes)
}

/// Replaces a password's hash by another one of the same password. No new declaration: the person may go on as before.
pub(super) async fn upgrade<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    name: &Username,
    (from, to): (&PasswordHash, &PasswordHash),
) -> Result<Option<Change>, Failure> {
    let place = [text(issuer), text(name)];
    let Some(before) = session.first(&RECORD, &place, |row| Ok(row.text(0)?.to_owned())).await? else {
        return Ok(None);
    };
    let mut user: User = serde_json::from_str(&before)
        .map_err(|e| Failure::unreadable("users", &[issuer.as_str(), name.as_str()], &e))?;
    if user.password != *from {
        return Ok(None);
    }
    user.password = to.clone();
    let [a, b] = place;
    let replaced = any(session, &REPLACE, &[a, b, text(&before), text(&json(&user)?)]).await?;
    Ok(replaced.then(|| Change::of(Fact::User(user.sub.clone()))))
}

/// Takes a user away. The mark stays: it outlives the person's record for the tokens' sake.
pub(super) async fn remove<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    name: &Username,
) -> Result<Option<Change>, Failure> {
    let Some(sub) = sub_of(session, issuer, name).await? else { return Ok(None) };
    names::leave(session, issuer, sub.as_str(), "user").await?;
    session.run(&REMOVE, &[text(issuer), text(name)]).await?;
    Ok(Some(Change::declared(Fact::User(sub))))
}

async fn sub_of<S: Session>(session: &mut S, issuer: &IssuerName, name: &Username) -> Result<Option<Subject>, Failure> {
    session.first(&SUB, &[text(issuer), text(name)], |row| word(row, 0)).await
}

fn read(row: &dyn Row) -> Result<UserRow, Failure> {
    Ok(UserRow { user: record(row, 0, ("users", &[2, 3]))?, mark: optional(row, 1, instant)? })
}
