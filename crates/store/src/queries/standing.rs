//! What stands against tokens, page by page: for an API that begins to follow the feed.

use ficha_core::ports::{Against, StandingPage, StandingPlace, Standings};
use ficha_types::IssuerName;

use crate::backend::{Failure, Query, Row, Session, Value, instant, text, word};

static MARKS: Query = Query::new(
    "SELECT kind, owner, api, at FROM marks WHERE issuer = $1 AND (api = '' OR api = $2) AND at > $3 \
     AND (kind, owner, api) > ($4, $5, $6) ORDER BY kind, owner, api LIMIT $7",
);
static TOKENS: Query = Query::new(
    "SELECT id, api, until FROM revocations WHERE issuer = $1 AND (api = '' OR api = $2) AND until > $3 \
     AND (id, api) > ($4, $5) ORDER BY id, api LIMIT $6",
);
static FAMILIES: Query = Query::new(
    "SELECT family, keep_until FROM families WHERE issuer = $1 AND ended > 0 AND (api = '' OR api = $2) \
     AND keep_until > $3 AND family > $4 ORDER BY family LIMIT $5",
);
static KEYS: Query = Query::new(
    "SELECT number, subject FROM changes WHERE issuer = $1 AND kind = 'key_gone' AND number > $2 \
     ORDER BY number LIMIT $3",
);
static COUNT: Query = Query::new(
    "SELECT (SELECT count(*) FROM marks WHERE issuer = $1 AND (api = '' OR api = $2) AND at > $4) \
     + (SELECT count(*) FROM revocations WHERE issuer = $1 AND (api = '' OR api = $2) AND until > $3) \
     + (SELECT count(*) FROM families WHERE issuer = $1 AND ended > 0 AND (api = '' OR api = $2) AND keep_until > $3) \
     + (SELECT count(*) FROM changes WHERE issuer = $1 AND kind = 'key_gone')",
);

/// A page of facts, of one kind each.
pub(crate) async fn page<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    wanted: &Standings,
    (place, limit): (&StandingPlace, u32),
) -> Result<StandingPage, Failure> {
    match place {
        StandingPlace::Start => marks(session, issuer, wanted, (["", "", ""], limit)).await,
        StandingPlace::AfterMark(kind, owner, api) => {
            marks(session, issuer, wanted, ([kind.as_str(), owner.as_str(), api.as_str()], limit)).await
        }
        StandingPlace::AfterToken(id, api) => {
            tokens(session, issuer, wanted, ([id.as_str(), api.as_str()], limit)).await
        }
        StandingPlace::AfterFamily(family) => families(session, issuer, wanted, (family.as_str(), limit)).await,
        StandingPlace::AfterKey(number) => keys(session, issuer, (*number, limit)).await,
    }
}

/// How many facts there are.
pub(crate) async fn count<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    wanted: &Standings,
) -> Result<u64, Failure> {
    let values = [text(issuer), text(&wanted.api), Value::Int(wanted.now.0), Value::Int(wanted.marks_after.0)];
    let count = session.first(&COUNT, &values, |row| row.int(0)).await?;
    Ok(count.and_then(|n| u64::try_from(n).ok()).unwrap_or_default())
}

async fn marks<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    wanted: &Standings,
    ([kind, owner, api], limit): ([&str; 3], u32),
) -> Result<StandingPage, Failure> {
    let values = [
        text(issuer),
        text(&wanted.api),
        Value::Int(wanted.marks_after.0),
        text(kind),
        text(owner),
        text(api),
        Value::Int(limit.into()),
    ];
    let rows = session.all(&MARKS, &values, mark).await?;
    Ok(told(rows, limit, StandingPlace::AfterToken(String::new(), String::new())))
}

async fn tokens<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    wanted: &Standings,
    ([id, api], limit): ([&str; 2], u32),
) -> Result<StandingPage, Failure> {
    let now = Value::Int(wanted.now.0);
    let values = [text(issuer), text(&wanted.api), now, text(id), text(api), Value::Int(limit.into())];
    let read = |row: &dyn Row| {
        let place = StandingPlace::AfterToken(row.text(0)?.to_owned(), row.text(1)?.to_owned());
        Ok((Against::Token(word(row, 0)?, instant(row, 2)?), place))
    };
    let rows = session.all(&TOKENS, &values, read).await?;
    Ok(told(rows, limit, StandingPlace::AfterFamily(String::new())))
}

async fn families<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    wanted: &Standings,
    (family, limit): (&str, u32),
) -> Result<StandingPage, Failure> {
    let values = [text(issuer), text(&wanted.api), Value::Int(wanted.now.0), text(family), Value::Int(limit.into())];
    let read = |row: &dyn Row| {
        let place = StandingPlace::AfterFamily(row.text(0)?.to_owned());
        Ok((Against::Family(word(row, 0)?, instant(row, 1)?), place))
    };
    let rows = session.all(&FAMILIES, &values, read).await?;
    Ok(told(rows, limit, StandingPlace::AfterKey(0)))
}

async fn keys<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    (number, limit): (i64, u32),
) -> Result<StandingPage, Failure> {
    let values = [text(issuer), Value::Int(number), Value::Int(limit.into())];
    let read = |row: &dyn Row| Ok((Against::Key(word(row, 1)?), StandingPlace::AfterKey(row.int(0)?)));
    let rows = session.all(&KEYS, &values, read).await?;
    let mut page = told(rows, limit, StandingPlace::Start);
    // It was the last kind.
    page.next = page.next.filter(|next| *next != StandingPlace::Start);
    Ok(page)
}

/// The page of `rows`: when it is full there may be more of its kind, else `then` is next.
fn told(rows: Vec<(Against, StandingPlace)>, limit: u32, then: StandingPlace) -> StandingPage {
    let full = u32::try_from(rows.len()).is_ok_and(|n| n >= limit);
    let last = rows.last().map(|(_, place)| place.clone()).filter(|_| full);
    StandingPage { facts: rows.into_iter().map(|(against, _)| against).collect(), next: Some(last.unwrap_or(then)) }
}

fn mark(row: &dyn Row) -> Result<(Against, StandingPlace), Failure> {
    let (kind, at) = (row.text(0)?, instant(row, 3)?);
    let place = StandingPlace::AfterMark(kind.to_owned(), row.text(1)?.to_owned(), row.text(2)?.to_owned());
    let against = match kind {
        "issuer" => Against::Issuer(at),
        "client" => Against::Client(word(row, 1)?, at),
        "user" => Against::User(word(row, 1)?, at),
        other => return Err(Failure::Damaged(format!("a mark's kind can't be read back: {other}"))),
    };
    Ok((against, place))
}
