//! Putting the parts together: the store, the rules, the dialects. Time, chance and the environment are read here alone.

use std::{
    fs::{DirBuilder, File, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use axum::Router;
use ficha_config::{Config, GateConfig};
use ficha_core::{
    Limits, Outage, Rules, SecretUses,
    feed::Feed,
    guard::Guard,
    master::MasterKeys,
    operator::{Operator, Rivals, Routes, Spares, Surroundings},
    passwords::Passwords,
    ports::{BackupStore, ClientStore, Entropy, OperatorStore, StandingStore, TokenStore, UpkeepStore},
    records::Issuer,
    signer::Signer,
    token::Introspected,
    views::{CacheSizes, Node},
};
use ficha_oauth::dialect::DialectSet;
use ficha_store::{OpenOptions, PostgresFailure, PostgresOptions, PostgresStore, SqliteStore};
use ficha_types::{DialectName, NodeName, Seconds};

use crate::{
    clock::{SystemClock, SystemEntropy},
    surroundings,
};

/// The database's name in the data folder.
pub(crate) const DATABASE: &str = "ficha.db";
/// The note that names the command that made the database.
const MADE_BY: &str = "made_by";
/// The note that names the master key.
const MASTER: &str = "master";

/// Between two attempts to reach the database at the start.
const REACH_AGAIN: Duration = Duration::from_millis(500);

/// RSA keys on stock.
const SPARES: usize = 2;

/// Who opens a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opener {
    /// `ficha dev`: its own databases only.
    Dev,
    /// `ficha serve`: never one that `dev` made, whose secrets are public.
    Serve,
    /// An administrator's command with no server running.
    Command,
}

/// The bounds of queues and caches.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    pub(crate) caches: CacheSizes,
    pub(crate) introspections: usize,
    pub(crate) failures: usize,
    /// Threads, and places in the queue before them.
    pub(crate) signing: (usize, usize),
    pub(crate) hashing: (usize, usize),
    pub(crate) rules: Limits,
}

/// What is opened and how.
pub(crate) struct Opening {
    pub(crate) opener: Opener,
    pub(crate) data: PathBuf,
    pub(crate) masters: MasterKeys,
    pub(crate) dialects: Option<PathBuf>,
    pub(crate) sizes: Sizes,
    /// What others call this node.
    pub(crate) node: Option<String>,
    pub(crate) store: Engine,
}

/// Where everything is kept.
pub(crate) enum Engine {
    /// In a file of the data folder.
    Embedded(OpenOptions),
    /// In a PostgreSQL database.
    Postgres(PostgresOptions),
}

/// What runs.
pub(crate) struct Parts {
    pub(crate) rules: Arc<Rules>,
    pub(crate) dialects: Arc<DialectSet>,
    pub(crate) masters: Arc<MasterKeys>,
    backups: Option<Arc<dyn BackupStore>>,
    /// RSA keys on stock, so that an issuer is made at once.
    spares: usize,
    /// What keeps a second node out of the data folder, where the store does not.
    _folder: Option<File>,
}

/// Opens the store, the embedded one under its lock, and puts the rules on it.
pub(crate) async fn open(mut opening: Opening) -> Result<Parts> {
    match &opening.store {
        Engine::Embedded(options) => {
            let path = opening.data.join(DATABASE);
            let opened = tokio::task::spawn_blocking({
                let (path, options) = (path.clone(), options.clone());
                move || SqliteStore::open(&path, &options)
            });
            let store = Arc::new(opened.await??);
            let clock = Arc::new(SystemClock::new());
            // There is one clock.
            opening.sizes.rules.max_clock_skew = Seconds(0);
            let feed = Feed::alone(store.clone(), clock.clone(), node_name(opening.node.as_deref())?);
            let place = path.display().to_string();
            put_together(opening, Opened { backups: Some(store.clone()), store, place, folder: None, clock, feed })
                .await
        }
        Engine::Postgres(options) => {
            let folder = (opening.opener == Opener::Serve).then(|| take_folder(&opening.data)).transpose()?;
            let store = Arc::new(reach(options, opening.opener).await?);
            let place = store.place().to_owned();
            let clock = Arc::new(SystemClock::new());
            let feed = Feed::of_many(store.clone(), clock.clone(), node_name(opening.node.as_deref())?);
            put_together(opening, Opened { backups: None, store, place, folder, clock, feed }).await
        }
    }
}

/// Opens a database that other nodes use too. A server waits for one that does not answer yet: the node starts beside it, or
/// while it fails over.
async fn reach(options: &PostgresOptions, opener: Opener) -> Result<PostgresStore> {
    let mut told = false;
    loop {
        match PostgresStore::open(options).await {
            Ok(store) => return Ok(store),
            Err(error) if opener == Opener::Serve && matches!(error.why, PostgresFailure::Unreachable(_)) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::error!(%error, "waiting for the database");
                }
                tokio::time::sleep(REACH_AGAIN).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Makes a node's folder, and takes the lock that keeps a second node out: each has a socket for administration of its own.
fn take_folder(data: &Path) -> Result<File> {
    let failed = || format!("the data folder {}", data.display());
    DirBuilder::new().recursive(true).mode(0o700).create(data).with_context(failed)?;
    let path = data.join("node.lock");
    let lock = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path).with_context(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!(
            "another node uses the data folder {} (the lock: {}): give this one a folder of its own",
            data.display(),
            path.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(failed),
    }
}

/// A store that was opened, and what goes with its kind.
struct Opened<S> {
    store: Arc<S>,
    /// Where it is, for people.
    place: String,
    /// The lock of the node's folder, where the store has none.
    folder: Option<File>,
    /// The embedded store's own backups.
    backups: Option<Arc<dyn BackupStore>>,
    clock: Arc<SystemClock>,
    feed: Feed,
}

async fn put_together<S>(opening: Opening, opened: Opened<S>) -> Result<Parts>
where
    S: ClientStore + TokenStore + OperatorStore + UpkeepStore + StandingStore + 'static,
{
    let Opened { store, place, folder, backups, clock, feed } = opened;
    let dialects = Arc::new(load_dialects(opening.dialects.as_deref())?);
    let masters = Arc::new(opening.masters);
    claim(&*store, (opening.opener, &place)).await?;
    settle_master(&*store, &masters).await.with_context(|| format!("the database {place}"))?;
    let sizes = opening.sizes;
    let rules = Rules {
        clock,
        chance: Arc::new(SystemEntropy),
        clients: store.clone(),
        node: Arc::new(Node::new(store.clone(), masters.clone(), sizes.caches)),
        tokens: store.clone(),
        operator: store.clone(),
        upkeep: store.clone(),
        feed,
        standing: store.clone(),
        dialects: dialects.clone(),
        signer: Signer::new(sizes.signing.0, sizes.signing.1),
        passwords: Passwords::new(sizes.hashing.0, sizes.hashing.1),
        guard: Guard::new(sizes.failures),
        secret_uses: SecretUses::default(),
        introspected: Introspected::new(sizes.introspections),
        outage: Outage::default(),
        limits: sizes.rules,
    };
    let spares = if opening.opener == Opener::Serve { SPARES } else { 0 };
    Ok(Parts { rules: Arc::new(rules), dialects, masters, backups, spares, _folder: folder })
}

/// The dialects: the built-in ones and those of `folder`.
pub(crate) fn load_dialects(folder: Option<&Path>) -> Result<DialectSet> {
    Ok(DialectSet::load(folder).map_err(|e| WrongUse(e.to_string()))?)
}

/// Whether the database is one for `opener`; a new one becomes its own.
async fn claim(store: &dyn OperatorStore, (opener, place): (Opener, &str)) -> Result<()> {
    let made_by = store.note(MADE_BY).await?;
    match (opener, made_by.as_deref()) {
        (Opener::Serve, Some("dev")) => bail!(
            "{place} was made by `ficha dev`: its clients and their secrets are public. Let `ficha serve` make one of its own in another data folder"
        ),
        (Opener::Dev, Some("serve")) => {
            bail!("{place} was made by `ficha serve`: `ficha dev` leaves it alone. Name another folder with --data")
        }
        (Opener::Dev, None) => Ok(store.set_note(MADE_BY, "dev").await?),
        (Opener::Serve | Opener::Command, None) => Ok(store.set_note(MADE_BY, "serve").await?),
        (_, Some(_)) => Ok(()),
    }
}

/// Whether `ficha dev` may use the folder `data`, before it puts anything there.
pub(crate) async fn check_dev(data: &Path) -> Result<()> {
    let path = data.join(DATABASE);
    if !path.exists() {
        return Ok(());
    }
    let place = path.display().to_string();
    let store = tokio::task::spawn_blocking(move || SqliteStore::open(&path, &OpenOptions::default())).await??;
    let checked = claim(&store, (Opener::Dev, &place)).await;
    // Its threads end and its lock goes before it is opened again.
    tokio::task::spawn_blocking(move || drop(store)).await?;
    checked
}

/// Checks that the master key fits the database. While it is being exchanged, every key that the old one sealed is sealed under
/// the new one; only these, so it takes one commit an issuer.
async fn settle_master(store: &dyn OperatorStore, masters: &MasterKeys) -> Result<()> {
    match store.note(MASTER).await? {
        None => {}
        Some(id) if id == masters.id() => return Ok(()),
        Some(id) if !masters.knows(&id) => bail!(
            "its keys are sealed under the master key {id}, but the loaded one is {}: load the right file, or name the old one as previous_master_key_file to exchange them",
            masters.id()
        ),
        Some(_) => reseal(store, masters).await?,
    }
    Ok(store.set_note(MASTER, masters.id()).await?)
}

async fn reseal(store: &dyn OperatorStore, masters: &MasterKeys) -> Result<()> {
    use ficha_core::{
        ports::{Commit, Edit, Expect},
        records::AuditEntry,
    };
    let now = ficha_core::ports::Clock::now(&SystemClock::new());
    let mut by_issuer = std::collections::BTreeMap::<_, Vec<Edit>>::new();
    for (issuer, key) in store.sealing_keys().await? {
        if let Some(key) = masters.reseal(&issuer, &key, &SystemEntropy)? {
            by_issuer.entry(issuer).or_default().push(Edit::PutSealing(key));
        }
    }
    for (issuer, edits) in by_issuer {
        let audit = AuditEntry {
            at: now,
            actor: "ficha".into(),
            action: "master.exchange".into(),
            subject: issuer.to_string(),
            detail: format!("{} keys were sealed under the master key {}", edits.len(), masters.id()),
        };
        store.commit(Commit { issuer, edits, expect: Expect::Any, audit: vec![audit], now }).await?;
    }
    Ok(())
}

/// What others call this process: the name that was chosen, or the machine's, and chance, so that no two starts share one.
pub(crate) fn node_name(chosen: Option<&str>) -> Result<NodeName> {
    let machine = match chosen {
        Some(name) => name.to_owned(),
        None => std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "node".to_owned()),
    };
    let fits = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let machine: String = machine.chars().filter(fits).take(100).collect();
    let mut chance = [0; 4];
    SystemEntropy.fill(&mut chance);
    Ok(format!("{machine}-{:08x}", u32::from_be_bytes(chance)).parse()?)
}

/// Administration on `parts`.
pub(crate) fn operator(parts: &Parts, surroundings: Surroundings) -> Arc<Operator> {
    Arc::new(Operator {
        rules: parts.rules.clone(),
        masters: parts.masters.clone(),
        spares: if parts.spares == 0 { Spares::none() } else { Spares::start(parts.spares) },
        routes: Arc::new(BaseUrls(parts.dialects.clone())),
        backups: parts.backups.clone(),
        surroundings,
    })
}

/// The check of base URLs. The face looks them up anew by itself when an issuer was changed.
struct BaseUrls(Arc<DialectSet>);

impl Routes for BaseUrls {
    fn rivals(&self, issuers: &[Issuer]) -> Rivals {
        ficha_oauth::rivals_of_base_urls(issuers, &self.0)
    }
    fn check(&self, issuers: &[Issuer], others: &[Issuer]) -> Result<(), String> {
        ficha_oauth::check_base_urls(issuers, others, &self.0).map_err(|clash| clash.to_string())
    }
    fn nearest_dialect(&self, name: &DialectName) -> Option<String> {
        let names: Vec<_> = self.0.list().map(|summary| summary.name.to_string()).collect();
        ficha_config::nearest(name.as_str(), names.iter().map(String::as_str)).map(str::to_owned)
    }
}

/// A wrong use or configuration: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUse(pub(crate) String);

impl WrongUse {
    /// Several problems, a line each.
    pub(crate) fn of<P: std::fmt::Display>(problems: &[P]) -> Self {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Self(lines.join("\n"))
    }
}

/// The configuration at `path`, with the environment above it.
pub(crate) fn load_config(path: &Path) -> Result<Config, WrongUse> {
    ficha_config::load(path, std::env::vars_os()).map_err(|problems| WrongUse::of(&problems))
}

/// The configuration of `ficha gate` at `path`, where there is one, with the environment and `given` above it.
pub(crate) fn load_gate_config(path: Option<&Path>, given: &[(&str, String)]) -> Result<GateConfig, WrongUse> {
    let is_given = |name: &std::ffi::OsStr| given.iter().any(|(own, _)| name == *own);
    let env = std::env::vars_os().filter(|(name, _)| !is_given(name));
    let all: Vec<_> = given.iter().map(|(name, value)| (name.into(), value.into())).chain(env).collect();
    if path.is_none() && !all.iter().any(|(name, _)| name == "FICHA_GATE__RULES") {
        return Err(WrongUse("rules are needed: ficha gate --rules rules.toml, or --config gate.toml".into()));
    }
    let read = match path {
        Some(path) => ficha_config::load_gate(path, all),
        None => ficha_config::read_gate("ficha gate", "", all),
    };
    read.map_err(|problems| WrongUse::of(&problems))
}

/// The store of `data` opened by an administrator's command, because no server runs there; the routes for administrators on it.
pub(crate) async fn open_local(data: &Path, config: Option<&Path>) -> Result<Router> {
    let config = match config {
        Some(path) => load_config(path)?,
        None => dev_config(data)?,
    };
    let surroundings = surroundings::of(&config);
    let parts = open(crate::serve::opening(&config, Opener::Command)?).await?;
    Ok(ficha_admin::router(operator(&parts, surroundings)))
}

/// The configuration of a data folder that stands for itself, as `ficha dev` makes one: the master key beside the database, and
/// every default.
pub(crate) fn dev_config(data: &Path) -> Result<Config, WrongUse> {
    let quoted = |path: &Path| toml::Value::String(path.display().to_string()).to_string();
    let text = format!(
        "[listen]\nhttps = []\nhttp = [\"127.0.0.1:0\"]\n[store]\ndata = {}\n[keys]\nmaster_key_file = {}\n",
        quoted(data),
        quoted(&data.join("master.key"))
    );
    ficha_config::read("ficha dev", &text, std::iter::empty::<(String, String)>())
        .map_err(|problems| WrongUse::of(&problems))
}
