//! Taking a database into use.

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio::sync::Semaphore;
use tokio_postgres::{Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Inner, PostgresError, PostgresFailure, PostgresOptions,
    address::{config, place, tls},
    migrate,
    session::Manner,
    tidings::Tidings,
};

impl PostgresOptions {
    /// A connection of one's own, past a pooler where there is one, with the future that drives it.
    pub(crate) async fn connect(
        &self,
    ) -> Result<(Client, impl Future<Output = Result<(), Error>> + Send + use<>), PostgresError> {
        let unread = |why| PostgresError { place: "in the URL".to_owned(), why };
        let pooled = config(&self.url).map_err(unread)?;
        let mut way = self.direct_url.as_ref().map(|url| config(url)).transpose().map_err(unread)?;
        if let Some(direct) = &mut way {
            same_user(direct, &pooled);
        }
        let way = way.unwrap_or(pooled);
        let failed = |why| PostgresError { place: place(&way), why };
        let tls = tls(self).map_err(failed)?;
        way.connect(tls).await.map_err(|e| failed(PostgresFailure::of(&e)))
    }
}

pub(super) async fn open(options: &PostgresOptions) -> Result<Inner, PostgresError> {
    let unread = |why| PostgresError { place: "in [store] url".to_owned(), why };
    let mut pooled = config(&options.url).map_err(unread)?;
    let mut direct = options.direct_url.as_ref().map(|url| config(url)).transpose().map_err(unread)?;
    if let Some(direct) = &mut direct {
        same_user(direct, &pooled);
    }
    let place = place(&pooled);
    let failed = |why| PostgresError { place: place.clone(), why };
    if options.prepared {
        bound(&mut pooled, options);
    }
    let tls = tls(options).map_err(failed)?;
    migrate::migrate(direct.as_ref().unwrap_or(&pooled), tls.clone()).await.map_err(failed)?;
    let pool = pool(pooled.clone(), tls.clone(), options).map_err(failed)?;
    let manner = Manner {
        prepared: options.prepared,
        patience: options.statement,
        lock_ms: (!options.prepared).then_some(options.lock.as_millis()),
    };
    let listened = direct.or_else(|| options.prepared.then_some(pooled));
    let tidings = Tidings::start(listened.map(|config| (config, tls)), pool.clone());
    let places = Semaphore::new(options.pool.saturating_add(options.queue).min(Semaphore::MAX_PERMITS));
    Ok(Inner { pool, manner, places, place, tidings })
}

/// What the direct way does not name is as on the way through the pooler.
fn same_user(direct: &mut Config, pooled: &Config) {
    if direct.get_user().is_none()
        && let Some(user) = pooled.get_user()
    {
        direct.user(user);
    }
    if direct.get_password().is_none()
        && let Some(password) = pooled.get_password()
    {
        direct.password(password);
    }
}

/// Tells each connection its bounds as it is made. A pooler would lend them on to others, or refuse them.
///
/// No `statement_timeout`: it would also end the wait for a standby, with a warning and as if all were well
/// (PostgreSQL 15, 20.5.3 `synchronous_commit`). A statement that takes too long loses its connection instead.
fn bound(config: &mut Config, options: &PostgresOptions) {
    let bounds = format!(
        "-c lock_timeout={} -c statement_timeout=0 -c idle_in_transaction_session_timeout={}",
        options.lock.as_millis(),
        options.statement.as_millis()
    );
    let whole = config.get_options().map_or_else(|| bounds.clone(), |own| format!("{bounds} {own}"));
    config.options(whole);
}

fn pool(config: Config, tls: MakeRustlsConnect, options: &PostgresOptions) -> Result<Pool, PostgresFailure> {
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, tls, recycling);
    let timeouts = Timeouts { wait: Some(options.wait), create: Some(options.wait), recycle: Some(options.wait) };
    let pool = Pool::builder(manager).max_size(options.pool).timeouts(timeouts).runtime(Runtime::Tokio1).build();
    pool.map_err(|e| PostgresFailure::Unreachable(e.to_string()))
}
