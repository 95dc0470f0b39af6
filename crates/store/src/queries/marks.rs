//! Not-before marks.

use ficha_core::{
    ports::{Fact, MarkSet},
    records::{Mark, Marked},
};
use ficha_types::{IssuerName, Seconds, UnixSeconds};

use super::{
    changes::{self, Change},
    tokens::{self, Ends},
};
use crate::backend::{Failure, Query, Session, Value, instant, text};

static SET: Query = Query::new(
    "INSERT INTO marks (issuer, kind, owner, api, at) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (issuer, kind, owner, api) DO UPDATE SET at = excluded.at WHERE marks.at < excluded.at RETURNING at",
);
static AT: Query = Query::new("SELECT at FROM marks WHERE issuer = $1 AND kind = $2 AND owner = $3 AND api = $4");

/// What stands after a mark was set.
pub(crate) struct Set {
    pub(crate) at: UnixSeconds,
    pub(crate) moved: bool,
}

/// Sets a mark, never moving one back, and ends the live tokens that the standing one covers. No change yet. One that reaches
/// up to `now` or beyond reaches as far beyond the clock of the database, when that is ahead.
pub(crate) async fn set<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    mark: &Mark,
    now: UnixSeconds,
) -> Result<Set, Failure> {
    let [kind, owner, api] = place(&mark.whose);
    let ahead = mark.at - now;
    let asked = if ahead >= Seconds(0) { mark.at.max(changes::now(session, now).await? + ahead) } else { mark.at };
    let moved =
        session.first(&SET, &[text(issuer), kind, owner, api, Value::Int(asked.0)], |row| instant(row, 0)).await?;
    let at = match moved {
        Some(at) => at,
        None => standing(session, issuer, &mark.whose).await?.unwrap_or(asked),
    };
    match &mark.whose {
        Marked::Issuer => tokens::end(session, issuer, Ends::Issuer, at).await?,
        Marked::Client(client) => tokens::end(session, issuer, Ends::Client(client), at).await?,
        Marked::ClientAtApi(client, api) => tokens::end(session, issuer, Ends::ClientAtApi(client, api), at).await?,
        // A live token is a client's own: no user stands behind it.
        Marked::User(_) => {}
    }
    Ok(Set { at, moved: moved.is_some() })
}

/// Sets a mark as a step of its own.
pub(crate) async fn step<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    mark: &Mark,
    now: UnixSeconds,
) -> Result<MarkSet, Failure> {
    session.whole().await?;
    let set = set(session, issuer, mark, now).await?;
    let change = if set.moved {
        changes::add(session, issuer, &[change(&mark.whose, set.at)], now).await?
    } else {
        changes::last(session, issuer).await?
    };
    Ok(MarkSet { at: set.at, change })
}

/// The mark that stands.
pub(crate) async fn standing<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    whose: &Marked,
) -> Result<Option<UnixSeconds>, Failure> {
    let [kind, owner, api] = place(whose);
    session.first(&AT, &[text(issuer), kind, owner, api], |row| instant(row, 0)).await
}

/// What the mark that stands at `at` is in the feed.
pub(crate) fn change(whose: &Marked, at: UnixSeconds) -> Change {
    Change::of(Fact::Mark(Mark { whose: whose.clone(), at }))
}

fn place(whose: &Marked) -> [Value<'_>; 3] {
    match whose {
        Marked::Issuer => [text("issuer"), text(""), text("")],
        Marked::Client(client) => [text("client"), text(client), text("")],
        Marked::ClientAtApi(client, api) => [text("client"), text(client), text(api)],
        Marked::User(sub) => [text("user"), text(sub), text("")],
    }
}
