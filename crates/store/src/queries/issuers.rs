//! Issuers, where they answer, and their APIs.

use ficha_core::{
    ports::{Fact, IssuerRows},
    records::{Api, Issuer, Marked},
};
use ficha_types::{ApiName, BaseUrl, IssuerName, Port};

use super::{
    changes::Change,
    keys, marks,
    names::{self, Name},
    operator, tokens,
};
use crate::backend::{Failure, Query, Session, Value, any, json, record, text};

static ALL: Query = Query::new("SELECT record FROM issuers ORDER BY issuer");
static ONE: Query = Query::new(
    "SELECT i.record, c.change, c.configured FROM issuers i JOIN counters c ON c.issuer = i.issuer WHERE i.issuer = $1",
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
static URL_HOLDER: Query = Query::new("SELECT issuer FROM base_urls WHERE url = $1");
static APIS: Query = Query::new("SELECT record FROM apis WHERE issuer = $1 ORDER BY name");
static AUDIENCE_HOLDER: Query = Query::new("SELECT name FROM apis WHERE issuer = $1 AND audience = $2 AND name <> $3");
static PUT_API: Query = Query::new(
    "INSERT INTO apis (issuer, name, audience, record) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (issuer, name) DO UPDATE SET audience = excluded.audience, record = excluded.record",
);
static REMOVE_API: Query = Query::new("DELETE FROM apis WHERE issuer = $1 AND name = $2");

/// Every issuer's declaration, by name.
pub(crate) async fn all<S: Session>(session: &mut S) -> Result<Vec<Issuer>, Failure> {
    session.all(&ALL, &[], |row| record(row, 0)).await
}

/// An issuer with what a node needs to serve it, as of one moment.
pub(crate) async fn one<S: Session>(session: &mut S, name: &IssuerName) -> Result<Option<IssuerRows>, Failure> {
    session.one_moment().await?;
    let found = session.first(&ONE, &[text(name)], |row| Ok((record(row, 0)?, row.int(1)?, row.int(2)?))).await?;
    let Some((issuer, change, configured)) = found else { return Ok(None) };
    Ok(Some(IssuerRows {
        issuer,
        apis: session.all(&APIS, &[text(name)], |row| record(row, 0)).await?,
        keys: keys::signing(session, name).await?,
        sealing: keys::sealing(session, name).await?,
        mark: marks::standing(session, name, &Marked::Issuer).await?,
        change,
        configured,
    }))
}

/// Makes or replaces an issuer's declaration.
pub(super) async fn put<S: Session>(session: &mut S, name: &IssuerName, issuer: &Issuer) -> Result<Change, Failure> {
    if issuer.name != *name {
        return Err(Failure::Conflict(format!("the declaration of {} can't stand in issuer {name}", issuer.name)));
    }
    session.run(&PUT, &[text(name), text(&json(issuer)?)]).await?;
    session.run(&LEAVE_URLS, &[text(name)]).await?;
    for place in &issuer.places {
        let url = compared(&place.url);
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

/// A base URL as two are compared: the port always written.
fn compared(url: &BaseUrl) -> String {
    let scheme = if url.is_https() { "https" } else { "http" };
    let port = match url.port() {
        Port::Is(port) => port.to_string(),
        Port::Any => "*".to_owned(),
    };
    format!("{scheme}://{}:{port}{}", url.host(), url.prefix())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_the_same_with_its_port_written_or_not() {
        let url = |text: &str| compared(&text.parse().unwrap());
        assert_eq!(url("https://a.example/x"), url("https://A.example:443/x"));
        assert_ne!(url("https://a.example"), url("http://a.example"));
        assert_eq!(url("https://a.example:*"), "https://a.example:*");
    }
}
