//! Issuers, where they answer, and their APIs.

use ficha_core::{
    ports::{Fact, IssuerRows, PLACES, Page, PlaceRow},
    records::{Api, Issuer, Marked},
};
use ficha_types::{ApiName, IssuerName};

use super::{
    changes::Change,
    keys, marks,
    names::{self, Name},
    operator, tokens,
};
use crate::backend::{Failure, Query, Row, Session, Value, any, json, record, text};

static SOME: Query = Query::new("SELECT record, issuer FROM issuers WHERE issuer > $1 ORDER BY issuer LIMIT $2");
/// As many as [`PLACES`]: one statement, whatever is asked.
static AT: Query = Query::new(
    "SELECT b.url, i.record, i.issuer FROM base_urls b JOIN issuers i ON i.issuer = b.issuer WHERE b.url IN (\
     $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
     $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, \
     $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54)",
);
static OF_HOST: Query = Query::new(
    "SELECT b.url, i.record, i.issuer FROM base_urls b JOIN issuers i ON i.issuer = b.issuer \
     WHERE b.url > $1 AND b.url < $2 ORDER BY b.url LIMIT $3",
);
/// Behind a port stands nothing or `/`, and `0` comes after `/`.
static STANDS: Query = Query::new(
    "SELECT 1 FROM base_urls WHERE (url >= $1 AND url < $2) OR (url >= $3 AND url < $4) OR (url >= $5 AND url < $6) \
     OR (url >= $7 AND url < $8) OR (url >= $9 AND url < $10) OR (url >= $11 AND url < $12) LIMIT 1",
);
static ONE: Query = Query::new(
    "SELECT i.record, c.change, c.configured, i.issuer FROM issuers i JOIN counters c ON c.issuer = i.issuer WHERE i.issuer = $1",
);
static PUT: Query = Query::new(
    "INSERT INTO issuers (issuer, record) VALUES ($1, $2) \
     ON CONFLICT (issuer) DO UPDATE SET record = excluded.record",
);
static LEAVE_URLS: Query = Query::new("DELETE FROM base_urls WHERE issuer = $1");
static TAKE_URL: Query = Query::new(
    "INSERT INTO base_urls (issuer, url) VALUES ($1, $2) ON CONFLICT (url) \
     DO UPDATE SET issuer = excluded.issuer WHERE base_urls.issuer = excluded.issuer RETURNING url",
);
/// The ranges of [`STANDS`].
const ORIGINS: usize = 6;

static URL_HOLDER: Query = Query::new("SELECT issuer FROM base_urls WHERE url = $1");
static APIS: Query = Query::new("SELECT record, issuer, name FROM apis WHERE issuer = $1 ORDER BY name");
static AUDIENCE_HOLDER: Query = Query::new("SELECT name FROM apis WHERE issuer = $1 AND audience = $2 AND name <> $3");
static PUT_API: Query = Query::new(
    "INSERT INTO apis (issuer, name, audience, record) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (issuer, name) DO UPDATE SET audience = excluded.audience, record = excluded.record",
);
static REMOVE_API: Query = Query::new("DELETE FROM apis WHERE issuer = $1 AND name = $2");

/// Issuers' declarations by name, after one.
pub(crate) async fn some<S: Session>(session: &mut S, page: &Page) -> Result<Vec<Issuer>, Failure> {
    session.all(&SOME, &[text(&page.after), operator::limit(page)], |row| record(row, 0, ("issuers", &[1]))).await
}

/// Who has one of these base URLs: an indexed look-up for each, by one statement for every [`PLACES`].
pub(crate) async fn places<S: Session>(session: &mut S, urls: &[String]) -> Result<Vec<PlaceRow>, Failure> {
    let mut found = Vec::new();
    for urls in urls.chunks(PLACES) {
        // What is left over asks for a URL that nobody has.
        let mut values = [Value::Text(""); PLACES];
        for (value, url) in values.iter_mut().zip(urls) {
            *value = text(url);
        }
        found.extend(session.all(&AT, &values, read_place).await?);
    }
    Ok(found)
}

/// Whether a base URL stands at one of these schemes, hosts and ports.
pub(crate) async fn stands<S: Session>(session: &mut S, origins: &[String]) -> Result<bool, Failure> {
    for origins in origins.chunks(ORIGINS) {
        let after: Vec<_> = origins.iter().map(|origin| format!("{origin}0")).collect();
        // What is left over is a range with nothing in it.
        let mut values = [Value::Text(""); 2 * ORIGINS];
        for (pair, ends) in values.chunks_mut(2).zip(origins.iter().zip(&after)) {
            pair.copy_from_slice(&[text(ends.0), text(ends.1)]);
        }
        if any(session, &STANDS, &values).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The base URLs of one scheme and host, whatever their ports, by URL, after one.
pub(crate) async fn of_host<S: Session>(session: &mut S, host: &str, page: &Page) -> Result<Vec<PlaceRow>, Failure> {
    // Before a port stands `:`, and `;` comes after it.
    let (first, end) = (format!("{host}:"), format!("{host};"));
    let after = if page.after.is_empty() { &first } else { &page.after };
    session.all(&OF_HOST, &[text(after), text(&end), operator::limit(page)], read_place).await
}

/// An issuer with what a node needs to serve it, as of one moment.
pub(crate) async fn one<S: Session>(session: &mut S, name: &IssuerName) -> Result<Option<IssuerRows>, Failure> {
    session.one_moment().await?;
    let found = session
        .first(&ONE, &[text(name)], |row| Ok((record(row, 0, ("issuers", &[3]))?, row.int(1)?, row.int(2)?)))
        .await?;
    let Some((issuer, change, configured)) = found else { return Ok(None) };
    Ok(Some(IssuerRows {
        issuer,
        apis: session.all(&APIS, &[text(name)], |row| record(row, 0, ("apis", &[1, 2]))).await?,
        keys: keys::signing(session, name).await?,
        sealing: keys::sealing(session, name).await?,
        mark: marks::standing(session, name, &Marked::Issuer).await?,
        change,
        configured,
    }))
}

fn read_place(row: &dyn Row) -> Result<PlaceRow, Failure> {
    Ok(PlaceRow { url: row.text(0)?.to_owned(), issuer: record(row, 1, ("issuers", &[2]))? })
}

/// Makes or replaces an issuer's declaration.
pub(super) async fn put<S: Session>(session: &mut S, name: &IssuerName, issuer: &Issuer) -> Result<Change, Failure> {
    if issuer.name != *name {
        return Err(Failure::Conflict(format!("the declaration of {} can't stand in issuer {name}", issuer.name)));
    }
    session.run(&PUT, &[text(name), text(&json(issuer)?)]).await?;
    session.run(&LEAVE_URLS, &[text(name)]).await?;
    for place in &issuer.places {
        let url = place.url.written_out();
        if !any(session, &TAKE_URL, &[text(name), text(&url)]).await? {
            let holder = session.first(&URL_HOLDER, &[text(&url)], |row| Ok(row.text(0)?.to_owned())).await?;
            let holder = holder.unwrap_or_else(|| "another".to_owned());
            return Err(Failure::Conflict(format!("the base URL {} belongs to issuer {holder}", place.url)));
        }
    }
    Ok(Change::declared(Fact::Issuer))
}

/// Makes or replaces an API.
pub(super) async fn put_api<S: Session>(session: &mut S, issuer: &IssuerName, api: &Api) -> Result<Change, Failure> {
    let holder = session
        .first(&AUDIENCE_HOLDER, &[text(issuer), text(&api.audience), text(&api.name)], |row| {
            Ok(row.text(0)?.to_owned())
        })
        .await?;
    if let Some(holder) = holder {
        return Err(Failure::Conflict(format!("the audience {} belongs to the API {holder}", api.audience)));
    }
    let name = api.name.as_str();
    names::take(session, issuer, Name { text: name, kind: "api", owner: name }).await?;
    session.run(&PUT_API, &[text(issuer), text(&api.name), text(&api.audience), text(&json(api)?)]).await?;
    Ok(Change::declared(Fact::Api(api.name.clone())))
}

/// Takes an API away, with its live tokens.
pub(super) async fn remove_api<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    api: &ApiName,
) -> Result<Change, Failure> {
    session.run(&REMOVE_API, &[text(issuer), text(api)]).await?;
    names::leave(session, issuer, api.as_str(), "api").await?;
    operator::forget_secret_uses(session, issuer, Value::Text(api.as_str())).await?;
    tokens::end_of_api(session, issuer, api).await?;
    Ok(Change::declared(Fact::Api(api.clone())))
}
