//! The store of many nodes: PostgreSQL through a pool of connections.

mod address;
mod failure;
mod migrate;
mod open;
mod ports;
mod session;
mod tidings;

use std::{path::PathBuf, sync::Arc, time::Duration};

use deadpool_postgres::Pool;
use ficha_core::ports::{BoxFuture, StoreError};
use ficha_telemetry::metrics::{StoreOutcome, metrics};
use tokio::sync::{Semaphore, SemaphorePermit};

pub use self::failure::{PostgresError, PostgresFailure};
use self::{
    failure::Ended,
    session::{Manner, PgSession},
    tidings::Tidings,
};
use crate::backend::Failure;

/// How often a step that another one got in the way of is tried in all.
const ATTEMPTS: usize = 8;

/// Where the database is and how it is used.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host/database`. TLS with the server's name verified, unless the host is this one.
    pub url: String,
    /// The database past a pooler that lends a connection for a transaction only: for `LISTEN` and for migrations.
    pub direct_url: Option<String>,
    /// The authorities (PEM) that vouch for the server; the system's when absent.
    pub root_ca: Option<PathBuf>,
    /// The most connections.
    pub pool: usize,
    /// The most steps that wait for a connection; further ones are refused at once.
    pub queue: usize,
    /// Whether statements are prepared once in a connection. Not behind a pooler that lends it for a transaction only.
    pub prepared: bool,
    /// How long a step waits for a connection.
    pub wait: Duration,
    /// How long a statement may take until its connection is given up.
    pub statement: Duration,
    /// How long a statement waits for what another one holds.
    pub lock: Duration,
}

impl PostgresOptions {
    /// The defaults for a database.
    #[must_use]
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            direct_url: None,
            root_ca: None,
            pool: 12,
            queue: 8192,
            prepared: true,
            wait: Duration::from_secs(3),
            statement: Duration::from_secs(10),
            lock: Duration::from_secs(3),
        }
    }
}

/// The URL may hold a password.
impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresOptions").field("pool", &self.pool).field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// Every storage port on a PostgreSQL database that other nodes use too.
#[derive(Debug)]
pub struct PostgresStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Pool,
    manner: Manner,
    /// One for each connection and for each step that may wait for one.
    places: Semaphore,
    place: String,
    tidings: Tidings,
}

/// A step over what it is told.
type Step<A, T> = for<'s> fn(&'s A, &'s mut PgSession) -> BoxFuture<'s, Result<T, Failure>>;

impl PostgresStore {
    /// Reaches the database and brings its tables up to date.
    ///
    /// # Errors
    /// [`PostgresError`] says what is wrong and what to mend.
    pub async fn open(options: &PostgresOptions) -> Result<Self, PostgresError> {
        open::open(options).await.map(|inner| Self(Arc::new(inner)))
    }

    /// Host, port and name of the database, without user and password.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.0.place
    }

    /// Runs a step that writes nothing.
    fn read<'a, A: Send + Sync + 'a, T: Send + 'a>(
        &'a self,
        told: A,
        step: Step<A, T>,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move { self.0.attempts(false, &told, step).await })
    }

    /// Runs a step that writes. Whoever waits for it may go: it is brought to its end.
    fn write<A, T>(&self, told: A, step: Step<A, T>) -> BoxFuture<'_, Result<T, StoreError>>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        let inner = self.0.clone();
        Box::pin(async move {
            let done = tokio::spawn(async move { inner.attempts(true, &told, step).await }).await;
            let answer =
                done.unwrap_or_else(|_| Err(StoreError::OutcomeUnknown("the step has ended early".to_owned())));
            let counted = match &answer {
                Ok(_) | Err(StoreError::Conflict(_)) => StoreOutcome::Ok,
                Err(StoreError::Unreachable(_)) => StoreOutcome::Unreachable,
                Err(StoreError::OutcomeUnknown(_)) => StoreOutcome::Unknown,
            };
            metrics().store_jobs.add(counted, 1);
            answer
        })
    }
}

impl Inner {
    async fn attempts<A: Sync, T: Send>(&self, writes: bool, told: &A, step: Step<A, T>) -> Result<T, StoreError> {
        let _place = self.place()?;
        let mut attempt = 1;
        loop {
            let connection = self.pool.get().await.map_err(|error| failure::no_connection(&error))?;
            let mut session = PgSession::new(connection, self.manner, writes);
            let answer = step(told, &mut session).await;
            match session.finish(answer).await {
                Ok((answer, announces)) => {
                    if announces {
                        self.tidings.tell();
                    }
                    return Ok(answer);
                }
                Err(Ended::Again(_)) if attempt < ATTEMPTS => attempt += 1,
                Err(Ended::Again(why) | Ended::Unreachable(why)) => return Err(StoreError::Unreachable(why)),
                Err(Ended::Unknown(why)) => return Err(StoreError::OutcomeUnknown(why)),
                Err(Ended::Conflict(why)) => return Err(StoreError::Conflict(why)),
            }
        }
    }

    /// A place among those that have a connection or wait for one.
    fn place(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        let place = self.places.try_acquire();
        place.map_err(|_| StoreError::Unreachable("too many steps wait for a connection".to_owned()))
    }
}
