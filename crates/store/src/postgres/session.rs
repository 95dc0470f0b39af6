//! A connection as steps see it: each statement by itself, or a transaction from where the step asks for one.

use std::{error::Error as StdError, pin::pin, time::Duration};

use bytes::BytesMut;
use deadpool_postgres::Object;
use ficha_jose::sha256;
use ficha_types::IssuerName;
use futures_util::{TryStreamExt, future::try_join_all};
use tokio_postgres::{
    Error, Statement,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};

use super::failure::{Cause, Ended, whole};
use crate::backend::{Failure, Query, Read, Row, Session, Value};

/// The most statements of one kind that are on their way together.
const TOGETHER: usize = 256;

static BOUND: Query =
    Query::new("SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', '0', true)");
static LOCK: Query = Query::new("SELECT pg_advisory_xact_lock($1)");

/// How statements are sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Whether each is prepared once in a connection.
    pub(super) prepared: bool,
    /// How long one may take until its connection is given up.
    pub(super) patience: Duration,
    /// Milliseconds that one waits for what another holds, said in each transaction where the connection itself can't be told.
    pub(super) lock_ms: Option<u128>,
}

/// How far a step has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Each statement stands by itself, and none is on its way.
    Single,
    /// One that stands by itself is on its way: it may be done already.
    Sent,
    /// The next statement opens a transaction.
    Due(&'static str),
    /// A transaction is open.
    Open,
}

/// A connection that is lent to one step.
pub(super) struct PgSession {
    /// Absent once it was given up.
    connection: Option<Object>,
    manner: Manner,
    writes: bool,
    stage: Stage,
    /// What the last error meant.
    cause: Option<Cause>,
    /// Whether other nodes are to be told when it is committed.
    announces: bool,
}

impl PgSession {
    pub(super) const fn new(connection: Object, manner: Manner, writes: bool) -> Self {
        Self { connection: Some(connection), manner, writes, stage: Stage::Single, cause: None, announces: false }
    }

    /// Commits what the step has written, or takes it back. Whether other nodes are to be told of it.
    pub(super) async fn finish<T>(mut self, answer: Result<T, Failure>) -> Result<(T, bool), Ended> {
        let failure = match answer {
            Ok(answer) => return self.commit().await.map(|()| (answer, self.announces)),
            Err(failure) => failure,
        };
        let lost = self.cause == Some(Cause::Lost);
        let may_be_done = lost && self.writes && self.stage == Stage::Sent;
        self.take_back(lost).await;
        Err(match failure {
            Failure::Conflict(why) => Ended::Conflict(why),
            Failure::Engine { why, .. } if may_be_done => Ended::Unknown(why),
            // A connection may have been dead since long: reading is tried on another one.
            Failure::Engine { why, .. } if self.cause == Some(Cause::Again) || (lost && !self.writes) => {
                Ended::Again(why)
            }
            Failure::Engine { why, .. } | Failure::Damaged(why) => Ended::Unreachable(why),
        })
    }

    async fn commit(&mut self) -> Result<(), Ended> {
        if self.stage != Stage::Open {
            return Ok(());
        }
        let Some(connection) = &self.connection else {
            return Err(Ended::Unreachable("the connection is gone".into()));
        };
        let committed = tokio::time::timeout(self.manner.patience, connection.batch_execute("COMMIT")).await;
        let (cause, why) = match committed {
            Ok(Ok(())) => {
                self.stage = Stage::Single;
                return Ok(());
            }
            Ok(Err(error)) => (Cause::of(&error), whole(&error)),
            Err(_) => (Cause::Lost, "no answer to COMMIT".to_owned()),
        };
        self.take_back(cause == Cause::Lost).await;
        Err(match cause {
            // Also when the server goes down while it waits for a standby: it is written here, and perhaps nowhere else.
            Cause::Lost if self.writes => Ended::Unknown(why),
            Cause::Again => Ended::Again(why),
            Cause::Lost | Cause::Conflict | Cause::Stays => Ended::Unreachable(why),
        })
    }

    /// Rolls an open transaction back; a connection of which that is not known is given up.
    async fn take_back(&mut self, lost: bool) {
        let open = self.stage == Stage::Open;
        if lost {
            self.give_up();
        } else if open && let Some(connection) = &self.connection {
            let rolled_back = tokio::time::timeout(self.manner.patience, connection.batch_execute("ROLLBACK")).await;
            if matches!(rolled_back, Ok(Ok(()))) {
                self.stage = Stage::Single;
            } else {
                self.give_up();
            }
        }
    }

    /// Closes the connection instead of lending it on.
    fn give_up(&mut self) {
        self.connection.take().map(Object::take);
    }

    /// Sends `query` once for each of `rows`, and waits for every answer: the rows of the last one.
    async fn ask(&mut self, query: &Query, rows: &[&[Value<'_>]]) -> Result<Answer, Failure> {
        let (stage, begin) = match self.stage {
            Stage::Single | Stage::Sent => (Stage::Sent, None),
            Stage::Due(begin) => (Stage::Open, Some(begin)),
            Stage::Open => (Stage::Open, None),
        };
        self.stage = stage;
        let Some(connection) = &self.connection else {
            return Err(Failure::Engine { lost: true, why: "the connection is gone".to_owned() });
        };
        let statements = send(connection, (self.manner.prepared, query), rows);
        let sent = async {
            // On its way at once, so that opening a transaction is no journey of its own.
            match begin {
                Some(begin) => tokio::try_join!(connection.batch_execute(begin), statements).map(|((), answer)| answer),
                None => statements.await,
            }
        };
        let (cause, why) = match tokio::time::timeout(self.manner.patience, sent).await {
            Ok(Ok(answer)) => {
                if self.stage == Stage::Sent {
                    self.stage = Stage::Single;
                }
                return Ok(answer);
            }
            Ok(Err(error)) => (Cause::of(&error), whole(&error)),
            Err(_) => (Cause::Lost, "no answer to a statement in time".to_owned()),
        };
        self.cause = Some(cause);
        Err(match cause {
            Cause::Conflict => Failure::Conflict(format!("what was to be written contradicts what is there: {why}")),
            Cause::Again | Cause::Lost | Cause::Stays => Failure::Engine { lost: cause == Cause::Lost, why },
        })
    }

    fn due(&mut self, begin: &'static str) {
        if self.stage == Stage::Single {
            self.stage = Stage::Due(begin);
        }
    }
}

/// A step that was dropped in its middle leaves no open transaction to the next one.
impl Drop for PgSession {
    fn drop(&mut self) {
        if self.stage == Stage::Open {
            self.give_up();
        }
    }
}

/// What a statement has answered.
#[derive(Default)]
struct Answer {
    rows: Vec<tokio_postgres::Row>,
    touched: u64,
}

async fn send(connection: &Object, (prepared, query): (bool, &Query), rows: &[&[Value<'_>]]) -> Result<Answer, Error> {
    let mut last = Answer::default();
    let Some(types) = rows.first().map(|values| values.iter().map(Value::sql_type).collect::<Vec<_>>()) else {
        return Ok(last);
    };
    let statement = if prepared { Some(connection.prepare_typed_cached(query.dollars(), &types).await?) } else { None };
    for chunk in rows.chunks(TOGETHER) {
        let sent = chunk.iter().map(|values| one(connection, (statement.as_ref(), query), values));
        last = try_join_all(sent).await?.pop().unwrap_or_default();
    }
    Ok(last)
}

async fn one(
    connection: &Object,
    (statement, query): (Option<&Statement>, &Query),
    values: &[Value<'_>],
) -> Result<Answer, Error> {
    let mut answers = pin!(match statement {
        Some(statement) => connection.query_raw(statement, values.iter().map(|v| v as &(dyn ToSql + Sync))).await?,
        None => {
            let typed = values.iter().map(|value| (value as &(dyn ToSql + Sync), value.sql_type()));
            connection.query_typed_raw(query.dollars(), typed).await?
        }
    });
    let mut rows = Vec::new();
    while let Some(row) = answers.try_next().await? {
        rows.push(row);
    }
    let touched = answers.rows_affected().unwrap_or_default();
    Ok(Answer { rows, touched })
}

impl Session for PgSession {
    async fn whole(&mut self) -> Result<(), Failure> {
        self.due("BEGIN ISOLATION LEVEL READ COMMITTED");
        let Some(ms) = self.manner.lock_ms else { return Ok(()) };
        self.ask(&BOUND, &[&[Value::Text(&ms.to_string())]]).await.map(drop)
    }

    async fn one_moment(&mut self) -> Result<(), Failure> {
        self.due("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        Ok(())
    }

    async fn lock(&mut self, issuer: &IssuerName, name: &[&str]) -> Result<(), Failure> {
        self.ask(&LOCK, &[&[Value::Int(lock_number(issuer, name))]]).await.map(drop)
    }

    fn announce(&mut self) {
        self.announces = true;
    }

    async fn first<T: Send>(
        &mut self,
        query: &'static Query,
        values: &[Value<'_>],
        read: Read<T>,
    ) -> Result<Option<T>, Failure> {
        let answer = self.ask(query, &[values]).await?;
        answer.rows.first().map(|row| read(&PgRow(row))).transpose()
    }

    async fn all<T: Send>(
        &mut self,
        query: &'static Query,
        values: &[Value<'_>],
        read: Read<T>,
    ) -> Result<Vec<T>, Failure> {
        let answer = self.ask(query, &[values]).await?;
        answer.rows.iter().map(|row| read(&PgRow(row))).collect()
    }

    async fn run(&mut self, query: &'static Query, values: &[Value<'_>]) -> Result<u64, Failure> {
        Ok(self.ask(query, &[values]).await?.touched)
    }

    async fn run_each<const N: usize>(
        &mut self,
        query: &'static Query,
        rows: &[[Value<'_>; N]],
    ) -> Result<(), Failure> {
        if rows.is_empty() {
            return Ok(());
        }
        let rows: Vec<&[Value<'_>]> = rows.iter().map(|row| &row[..]).collect();
        self.ask(query, &rows).await.map(drop)
    }
}

/// The number of a lock: two that have the same by chance wait for each other, and that is all.
fn lock_number(issuer: &IssuerName, name: &[&str]) -> i64 {
    let mut whole = b"ficha".to_vec();
    for word in std::iter::once(issuer.as_str()).chain(name.iter().copied()) {
        // No word holds a NUL.
        whole.push(0);
        whole.extend_from_slice(word.as_bytes());
    }
    let digest = sha256(&whole);
    digest.iter().take(8).fold(0_i64, |number, byte| (number << 8) | i64::from(*byte))
}

impl Value<'_> {
    /// The type that the server is told.
    const fn sql_type(&self) -> Type {
        match self {
            Self::Null | Self::Text(_) => Type::TEXT,
            Self::Int(_) => Type::INT8,
            Self::Bytes(_) => Type::BYTEA,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(n) => n.to_sql(ty, out),
            Self::Text(s) => s.to_sql(ty, out),
            Self::Bytes(b) => b.to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        [Type::TEXT, Type::INT8, Type::BYTEA].contains(ty)
    }

    to_sql_checked!();
}

/// Whatever stands in a column that is not NULL.
struct Present;

impl FromSql<'_> for Present {
    fn from_sql(_: &Type, _: &[u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

struct PgRow<'a>(&'a tokio_postgres::Row);

impl PgRow<'_> {
    fn get<'r, T: FromSql<'r>>(&'r self, column: usize) -> Result<T, Failure> {
        self.0.try_get(column).map_err(|e| Failure::damaged(&e))
    }
}

impl Row for PgRow<'_> {
    fn int(&self, column: usize) -> Result<i64, Failure> {
        self.get(column)
    }
    fn text(&self, column: usize) -> Result<&str, Failure> {
        self.get(column)
    }
    fn bytes(&self, column: usize) -> Result<&[u8], Failure> {
        self.get(column)
    }
    fn is_null(&self, column: usize) -> Result<bool, Failure> {
        Ok(self.get::<Option<Present>>(column)?.is_none())
    }
}
