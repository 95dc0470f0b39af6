//! What an issuer's clients, APIs and users are called in tokens: one namespace.

use ficha_types::IssuerName;

use crate::backend::{Failure, Query, Session, any, text};

static TAKE: Query = Query::new(
    "INSERT INTO names (issuer, name, kind, owner) VALUES ($1, $2, $3, $4) ON CONFLICT (issuer, name) \
     DO UPDATE SET owner = excluded.owner WHERE names.kind = excluded.kind AND names.owner = excluded.owner \
     RETURNING name",
);
static HOLDER: Query = Query::new("SELECT kind, owner FROM names WHERE issuer = $1 AND name = $2");
static LEAVE: Query = Query::new("DELETE FROM names WHERE issuer = $1 AND name = $2 AND kind = $3");

/// A name and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) text: &'a str,
    /// `client`, `api` or `user`.
    pub(super) kind: &'static str,
    /// What the record is found by.
    pub(super) owner: &'a str,
}

/// Takes a name, unless another holds it.
pub(super) async fn take<S: Session>(session: &mut S, issuer: &IssuerName, name: Name<'_>) -> Result<(), Failure> {
    let Name { text: name, kind, owner } = name;
    if any(session, &TAKE, &[text(issuer), text(name), text(kind), text(owner)]).await? {
        return Ok(());
    }
    let holder = session
        .first(&HOLDER, &[text(issuer), text(name)], |row| {
            Ok(match row.text(0)? {
                "user" => format!("the sub of the user {}", row.text(1)?),
                "api" => "the name of an API".to_owned(),
                _ => "the id of a client".to_owned(),
            })
        })
        .await?
        .unwrap_or_else(|| "taken".to_owned());
    Err(Failure::Conflict(format!("{name} is already {holder} in issuer {issuer}: take another for the {kind}")))
}

/// Lets a name go.
pub(super) async fn leave<S: Session>(
    session: &mut S,
    issuer: &IssuerName,
    name: &str,
    kind: &'static str,
) -> Result<(), Failure> {
    session.run(&LEAVE, &[text(issuer), text(name), text(kind)]).await.map(drop)
}
