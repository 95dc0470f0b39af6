//! Revocations of single tokens, and their folding into a mark.

use ficha_core::{
    ports::{Fact, Revocation, Standing, TokenRevoked},
    records::{Mark, Marked},
};
use ficha_types::{ApiName, ClientId, FamilyId, IssuerName, TokenId, UnixSeconds};

use super::{
    changes::{self, Change},
    marks, tokens,
};
use crate::backend::{Failure, Query, Session, Value, any, instant, text, text_or_empty, text_or_null};

static ADD: Query = Query::new(
    "INSERT INTO revocations (issuer, id, api, client, issued_at, until) VALUES ($1, $2, $3, $4, $5, $6) \
     ON CONFLICT (issuer, id, api) DO NOTHING RETURNING id",
);
static LENGTHEN: Query = Query::new(
    "UPDATE revocations SET until = $4 WHERE issuer = $1 AND id = $2 AND api = $3 AND until < $4 RETURNING id",
);
static ONE_MORE: Query = Query::new(
    "INSERT INTO revocation_counts (issuer, client, standing) VALUES ($1, $2, 1) \
     ON CONFLICT (issuer, client) DO UPDATE SET standing = revocation_counts.standing + 1 RETURNING standing",
);
static LESS: Query =
    Query::new("UPDATE revocation_counts SET standing = standing - $3 WHERE issuer = $1 AND client = $2");
static NONE_LEFT: Query =
    Query::new("DELETE FROM revocation_counts WHERE issuer = $1 AND client = $2 AND standing <= 0");
static DROP_EXPIRED: Query = Query::new("DELETE FROM revocations WHERE issuer = $1 AND client = $2 AND until <= $3");
static NTH_OLDEST: Query = Query::new(
    "SELECT issued_at FROM revocations WHERE issuer = $1 AND client = $2 ORDER BY issued_at LIMIT 1 OFFSET $3",
);
static DROP_COVERED: Query =
    Query::new("DELETE FROM revocations WHERE issuer = $1 AND client = $2 AND issued_at <= $3");
static STANDING: Query = Query::new(
    "SELECT 1 FROM revocations WHERE issuer = $1 AND id = $2 AND (api = '' OR api = $3) \
     UNION ALL SELECT 1 FROM families WHERE issuer = $1 AND family = $4 AND ended > 0 LIMIT 1",
);

static NAMES: Query = Query::new(
    "SELECT id FROM revocations WHERE issuer = $1 \
     UNION ALL SELECT family FROM families WHERE issuer = $1 AND ended > 0 LIMIT $2",
);

/// Revokes a token within an administrator's act; its change.
pub(crate) async fn put<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    revocation: &Revocation,
) -> Result<Change, Failure> {
    tokens::end_one(session, issuer, text(&revocation.id), text_or_empty(revocation.api.as_ref())).await?;
    stand(session, issuer, revocation).await?;
    Ok(change(revocation))
}

/// Writes the row, or makes it stand longer: whether either was done.
async fn stand<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    revocation: &Revocation,
) -> Result<(bool, bool), Failure> {
    let (id, api) = (text(&revocation.id), text_or_empty(revocation.api.as_ref()));
    let client = text_or_null(revocation.client.as_ref());
    let until = Value::Int(revocation.until.0);
    let added = any(session, &ADD, &[text(issuer), id, api, client, Value::Int(revocation.issued_at.0), until]).await?;
    let lengthened = !added && any(session, &LENGTHEN, &[text(issuer), id, api, until]).await?;
    Ok((added, lengthened))
}

/// Revokes one token.
pub(crate) async fn revoke<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    revocation: &Revocation,
    (now, fold_above): (UnixSeconds, u32),
) -> Result<TokenRevoked, Failure> {
    let (id, api) = (text(&revocation.id), text_or_empty(revocation.api.as_ref()));
    session.whole().await?;
    tokens::end_one(session, issuer, id, api).await?;
    let whose = revocation.client.clone().map(Marked::Client);
    if let Some(whose) = &whose {
        // What the client's mark covers is dead already: it may be one that was folded, sent again.
        if marks::standing(session, issuer, whose).await?.is_some_and(|mark| revocation.issued_at <= mark) {
            return Ok(TokenRevoked { folded: 0, change: changes::last(session, issuer).await? });
        }
    }
    let (added, lengthened) = stand(session, issuer, revocation).await?;
    if !added && !lengthened {
        return Ok(TokenRevoked { folded: 0, change: changes::last(session, issuer).await? });
    }
    let mut facts = vec![change(revocation)];
    let mut folded = 0;
    if added && let Some(client) = &revocation.client {
        let fold = fold(session, issuer, client, (now, fold_above)).await?;
        folded = fold.rows;
        facts.extend(fold.mark);
    }
    Ok(TokenRevoked { folded, change: changes::add(session, issuer, &facts, now).await? })
}

/// What a revocation is in the feed.
fn change(revocation: &Revocation) -> Change {
    let Revocation { id, client, api, issued_at: _, until } = revocation.clone();
    Change::of(Fact::Token { id, client, api, until })
}

/// What was folded.
#[derive(Default)]
struct Folded {
    rows: u64,
    mark: Option<Change>,
}

/// Counts one more revocation of the client, and folds the oldest when there are too many.
async fn fold<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    client: &ClientId,
    (now, above): (UnixSeconds, u32),
) -> Result<Folded, Failure> {
    let whose = [text(issuer), text(client)];
    let mut standing = session.first(&ONE_MORE, &whose, |row| row.int(0)).await?.unwrap_or_default();
    let above = i64::from(above);
    if standing <= above {
        return Ok(Folded::default());
    }
    let [a, b] = whose;
    let expired = session.run(&DROP_EXPIRED, &[a, b, Value::Int(now.0)]).await?;
    less(session, whose, expired).await?;
    standing -= i64::try_from(expired).unwrap_or(i64::MAX);
    if standing <= above {
        return Ok(Folded::default());
    }
    let last_to_go = Value::Int(standing - above - 1);
    let Some(at) = session.first(&NTH_OLDEST, &[a, b, last_to_go], |row| instant(row, 0)).await? else {
        return Ok(Folded::default());
    };
    let mark = Mark { whose: Marked::Client(client.clone()), at };
    let at = marks::set(session, issuer, &mark, now).await?.at;
    let folded = session.run(&DROP_COVERED, &[a, b, Value::Int(at.0)]).await?;
    less(session, whose, folded).await?;
    let moved = (folded > 0).then(|| marks::change(&mark.whose, at));
    Ok(Folded { rows: folded, mark: moved })
}

/// That many revocations of a client are gone.
pub(super) async fn less<S: Session>(session: &mut S, whose: [Value<'_>; 2], gone: u64) -> Result<(), Failure> {
    if gone > 0 {
        let [a, b] = whose;
        session.run(&LESS, &[a, b, Value::Int(i64::try_from(gone).unwrap_or(i64::MAX))]).await?;
        session.run(&NONE_LEFT, &[a, b]).await?;
    }
    Ok(())
}

/// What stands against a token or its family.
pub(crate) async fn standing<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    (id, family): (&TokenId, Option<&FamilyId>),
    api: &ApiName,
) -> Result<Standing, Failure> {
    let values = [text(issuer), text(id), text(api), text_or_empty(family)];
    Ok(if any(session, &STANDING, &values).await? { Standing::Revoked } else { Standing::Good })
}

/// The first names of what was revoked.
pub(crate) async fn names<S: Session>(session: &mut S, issuer: &IssuerName, most: u32) -> Result<Vec<String>, Failure> {
    session.all(&NAMES, &[text(issuer), Value::Int(most.into())], |row| Ok(row.text(0)?.to_owned())).await
}
