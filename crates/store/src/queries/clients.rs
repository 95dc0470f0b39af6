//! Clients.

use ficha_core::{
    ports::{ClientRow, Fact, Page},
    records::Client,
};
use ficha_types::{ApiName, ClientId, IssuerName, UnixSeconds};

use super::{
    changes::Change,
    names::{self, Name},
    operator,
    tokens::{self, Ends},
};
use crate::backend::{Failure, Query, Session, Value, instant, json, optional, record, text};

/// A row for each of the client's marks, and one if there is none; the record stands in the first only.
static ONE: Query = Query::new(
    "SELECT c.record, m.api, m.at FROM clients c \
     LEFT JOIN marks m ON m.issuer = c.issuer AND m.kind = 'client' AND m.owner = c.id \
     WHERE c.issuer = $1 AND c.id = $2",
);
static SOME: Query =
    Query::new("SELECT record, issuer, id FROM clients WHERE issuer = $1 AND id > $2 ORDER BY id LIMIT $3");
static POLICY: Query = Query::new("SELECT policy FROM clients WHERE issuer = $1 AND id = $2");
static PUT: Query = Query::new(
    "INSERT INTO clients (issuer, id, policy, record) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (issuer, id) DO UPDATE SET policy = excluded.policy, record = excluded.record",
);
static REMOVE: Query = Query::new("DELETE FROM clients WHERE issuer = $1 AND id = $2");

/// "Until the end of time": every live token.
const EVER: UnixSeconds = UnixSeconds(i64::MAX);

/// A client with its marks, by one statement: as of one moment.
pub(crate) async fn one<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    id: &ClientId,
) -> Result<Option<ClientRow>, Failure> {
    let rows = session
        .all(&ONE, &[text(issuer), text(id)], |row| {
            let mark = match optional(row, 1, |row, column| Ok(row.text(column)?.to_owned()))? {
                Some(api) => Some((api, instant(row, 2)?)),
                None => None,
            };
            Ok((row.text(0)?.to_owned(), mark))
        })
        .await?;
    let Some((json, _)) = rows.first() else { return Ok(None) };
    let client =
        serde_json::from_str(json).map_err(|e| Failure::unreadable("clients", &[issuer.as_str(), id.as_str()], &e))?;
    let mut found = ClientRow { client, mark: None, api_marks: Vec::new() };
    for (api, at) in rows.into_iter().filter_map(|(_, mark)| mark) {
        if api.is_empty() {
            found.mark = Some(at);
        } else {
            found.api_marks.push((api.parse::<ApiName>().map_err(|e| Failure::damaged(&e))?, at));
        }
    }
    Ok(Some(found))
}

/// Clients by id, after one.
pub(crate) async fn some<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    page: &Page,
) -> Result<Vec<Client>, Failure> {
    session
        .all(&SOME, &[text(issuer), text(&page.after), operator::limit(page)], |row| {
            record(row, 0, ("clients", &[1, 2]))
        })
        .await
}

/// Makes or replaces a client; with another policy its live tokens end.
pub(super) async fn put<S: Session>(session: &mut S, issuer: &IssuerName, client: &Client) -> Result<Change, Failure> {
    let name = client.id.as_str();
    names::take(session, issuer, Name { text: name, kind: "client", owner: name }).await?;
    let before = session.first(&POLICY, &[text(issuer), text(&client.id)], |row| row.int(0)).await?;
    if before.is_some_and(|policy| policy != client.policy) {
        tokens::end(session, issuer, Ends::Client(&client.id), EVER).await?;
    }
    let record = json(client)?;
    let values = [text(issuer), text(&client.id), Value::Int(client.policy), text(&record)];
    session.run(&PUT, &values).await?;
    Ok(Change::declared(Fact::Client(client.id.clone())))
}

/// Takes a client away, with its live tokens. Its marks stay: they outlive it for its tokens' sake.
pub(super) async fn remove<S: Session>(session: &mut S, issuer: &IssuerName, id: &ClientId) -> Result<Change, Failure> {
    session.run(&REMOVE, &[text(issuer), text(id)]).await?;
    names::leave(session, issuer, id.as_str(), "client").await?;
    operator::forget_secret_uses(session, issuer, Value::Text(id.as_str())).await?;
    tokens::end(session, issuer, Ends::Client(id), EVER).await?;
    Ok(Change::declared(Fact::Client(id.clone())))
}
