//! The use cases of administration, and its routes, on a store of their own.

mod applying;
mod keys;
mod routes;
mod secrets;
mod tokens;

use std::{path::Path, sync::Arc, time::Duration};

use ficha_core::{
    Limits, Rules, SecretUses,
    feed::Feed,
    guard::Guard,
    master::MasterKeys,
    operator::{Actor, Declaration, NoRoutes, Operator, OperatorError, Plan, Spares, Surroundings},
    passwords::Passwords,
    ports::OperatorStore,
    signer::Signer,
    token::{Caller, Credentials, GrantRequest, Introspected, Reading, Target, TokenAnswer, TokenRequest, exchange},
    views::{CacheSizes, Node, Place},
};
use ficha_oauth::dialect::DialectSet;
use ficha_store::{OpenOptions, SqliteStore};
use ficha_testkit::{TestClock, TestEntropy};
use ficha_types::{IssuerName, Secret, UnixSeconds};

const NOON: UnixSeconds = UnixSeconds(1_800_000_000);

/// SHA-256 of `hunter2`.
const HUNTER2: &str = "f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7";

/// An operator with a store, a clock to turn, and nobody else.
struct Bench {
    operator: Operator,
    clock: Arc<TestClock>,
    _data: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&data.path().join("ficha.db"), &OpenOptions::default()).unwrap());
        let (clock, masters) = (Arc::new(TestClock::at(NOON)), Arc::new(MasterKeys::new(&[1; 32], None)));
        let rules = Rules {
            clock: clock.clone(),
            chance: Arc::new(TestEntropy::seeded(1)),
            clients: store.clone(),
            node: Arc::new(Node::new(store.clone(), masters.clone(), CacheSizes { clients: 100, users: 100 })),
            tokens: store.clone(),
            operator: store.clone(),
            upkeep: store.clone(),
            feed: Feed::alone(store.clone(), clock.clone(), "here".parse().unwrap()),
            standing: store,
            dialects: Arc::new(DialectSet::load(None).unwrap()),
            signer: Signer::new(1, 16),
            passwords: Passwords::new(1, 16),
            guard: Guard::new(100),
            secret_uses: SecretUses::default(),
            introspected: Introspected::new(100),
            outage: ficha_core::Outage::default(),
            limits: Limits::default(),
        };
        let operator = Operator {
            rules: Arc::new(rules),
            masters,
            spares: Spares::none(),
            routes: Arc::new(NoRoutes),
            backups: None,
            surroundings: Surroundings::default(),
        };
        Self { operator, clock, _data: data }
    }

    /// One with an issuer `acme` in `dialect`: an API `cards`, a client `app` whose secret is `hunter2`.
    async fn with(dialect: &str) -> Self {
        let bench = Self::new();
        bench.apply(&acme(dialect)).await.unwrap();
        bench
    }

    async fn apply(&self, text: &str) -> Result<Plan, OperatorError> {
        self.operator.apply(&root(), &declared(text), true).await
    }

    fn rules(&self) -> &Rules {
        &self.operator.rules
    }

    fn store(&self) -> &dyn OperatorStore {
        &*self.operator.rules.operator
    }

    /// The issuer `acme` as a request finds it.
    async fn place(&self) -> Place {
        let slot = self.rules().node.slot(&issuer());
        let entered = self.rules().enter(&slot).await.unwrap().unwrap();
        let dialect = self.rules().dialects.dialect(&entered.issuer.issuer.dialect).unwrap();
        entered.at(slot, dialect)
    }

    /// A token for `app` by its secret.
    async fn token(&self, secret: &str) -> Result<TokenAnswer, ficha_core::Refusal> {
        let place = self.place().await;
        let who = Credentials::Secret {
            method: place.dialect.profile().auth_methods[0],
            readings: vec![Reading { id: "app".into(), secret: Secret::new(secret.into()) }],
        };
        let target = Target { audience: Some("https://cards.example.com".into()), resources: Vec::new() };
        let grant = GrantRequest::ClientCredentials { scope: None, target };
        let caller = Caller { address: [127, 0, 0, 1].into(), arrived: Duration::ZERO };
        exchange(self.rules(), &place, &caller, TokenRequest { who, grant }).await
    }

    /// What stands against a token.
    async fn against(&self, answer: &TokenAnswer) -> Vec<String> {
        self.operator.token_inspect(None, &answer.access_token.0).await.unwrap().against
    }
}

fn issuer() -> IssuerName {
    "acme".parse().unwrap()
}

fn root() -> Actor {
    Actor::uid(0)
}

fn acme(dialect: &str) -> String {
    format!(
        r#"
[[issuer]]
name = "acme"
dialect = "{dialect}"
base_urls = ["https://auth.example.com"]

[[issuer.api]]
name = "cards"
audience = "https://cards.example.com"
scopes = ["cards:read", "cards:write"]

[[issuer.client]]
id = "app"
secrets = ["sha256:{HUNTER2}"]
grants = ["client_credentials"]
scopes = {{ cards = ["cards:read", "cards:write"] }}
properties = {{ client_id_claim = "00" }}
"#
    )
}

/// A declaration out of a text; a file that it names holds its own name.
fn declared(text: &str) -> Declaration {
    let open = |path: &Path| Ok(Secret::new(path.display().to_string()));
    ficha_admin::declaration::read(&[("a.toml".into(), text.into())], &open).unwrap()
}
