//! The rules on a store and with the built-in dialects, a clock to turn and races that a test decides.

mod aliases;
mod changes;
mod gone;
mod guarding;
mod live;
mod nodes;
mod outage;
mod places;
mod revocation_feed;

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use ficha_core::{
    Limits, Refusal, Rules, SecretUses,
    feed::Feed,
    guard::Guard,
    master::MasterKeys,
    operator::{Actor, NoRoutes, Operator, Spares, Surroundings},
    passwords::Passwords,
    ports::Clock,
    signer::Signer,
    token::{Caller, Credentials, GrantRequest, Introspected, Reading, Target, TokenAnswer, TokenRequest, exchange},
    views::{CacheSizes, Node, Place},
};
use ficha_oauth::dialect::DialectSet;
use ficha_store::{OpenOptions, SqliteStore};
use ficha_testkit::{Faulty, TestClock, TestEntropy};
use ficha_types::{AuthMethod, ClientId, IssuerName, Seconds, Secret, UnixSeconds};

const NOON: UnixSeconds = UnixSeconds(1_800_000_000);
const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

/// A node: an operator with its way to a store, and a clock.
struct Bench {
    operator: Operator,
    clock: Arc<TestClock>,
    faults: Arc<Faulty>,
    /// What all nodes share.
    store: Arc<SqliteStore>,
    _data: Arc<tempfile::TempDir>,
}

/// What a node is among others.
enum Company {
    /// The only one.
    Alone,
    /// One of many, of this name.
    Many(&'static str),
}

impl Bench {
    /// One with the issuer `acme` in `dialect`: an API `cards`, a client `app` whose secret is `hunter2`.
    async fn with(dialect: &str) -> Self {
        Self::of(&acme(dialect)).await
    }

    /// One with what `text` declares.
    async fn of(text: &str) -> Self {
        let bench = Self::speaking(None);
        bench.apply(text).await;
        bench
    }

    /// One that declares nothing, with the dialects of a folder too.
    fn speaking(folder: Option<&Path>) -> Self {
        let data = tempfile::tempdir().unwrap();
        // With one reader what is asked first is answered first.
        let options = OpenOptions { readers: 1, ..OpenOptions::default() };
        let store = Arc::new(SqliteStore::open(&data.path().join("ficha.db"), &options).unwrap());
        let clock = Arc::new(TestClock::at(NOON));
        Self::on((store, Arc::new(data)), clock, &Company::Alone, folder)
    }

    fn on(
        (store, data): (Arc<SqliteStore>, Arc<tempfile::TempDir>),
        clock: Arc<TestClock>,
        company: &Company,
        folder: Option<&Path>,
    ) -> Self {
        let (faults, masters) = (Arc::new(Faulty::new(store.clone())), Arc::new(MasterKeys::new(&[1; 32], None)));
        let (feed, skew, seed) = match company {
            Company::Alone => (Feed::alone(faults.clone(), clock.clone(), "here".parse().unwrap()), Seconds(0), 1),
            Company::Many(name) => {
                let seed = name.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte));
                (Feed::of_many(faults.clone(), clock.clone(), name.parse().unwrap()), Seconds(2), seed)
            }
        };
        let rules = Rules {
            clock: clock.clone(),
            chance: Arc::new(TestEntropy::seeded(seed)),
            clients: faults.clone(),
            node: Arc::new(Node::new(faults.clone(), masters.clone(), CacheSizes { clients: 100, users: 100 })),
            tokens: faults.clone(),
            operator: faults.clone(),
            upkeep: faults.clone(),
            feed,
            standing: store.clone(),
            dialects: Arc::new(DialectSet::load(folder).unwrap()),
            signer: Signer::new(1, 16),
            passwords: Passwords::new(1, 16),
            guard: Guard::new(1000),
            secret_uses: SecretUses::default(),
            introspected: Introspected::new(100),
            outage: ficha_core::Outage::default(),
            limits: Limits { max_clock_skew: skew, ..Limits::default() },
        };
        let operator = Operator {
            rules: Arc::new(rules),
            masters,
            spares: Spares::none(),
            routes: Arc::new(NoRoutes),
            backups: None,
            surroundings: Surroundings::default(),
        };
        Self { operator, clock, faults, store, _data: data }
    }

    async fn apply(&self, text: &str) {
        let open = |path: &Path| Ok(Secret::new(path.display().to_string()));
        let declared = ficha_admin::declaration::read(&[("a.toml".into(), text.into())], &open).unwrap();
        self.operator.apply(&root(), &declared, true).await.unwrap();
    }

    fn rules(&self) -> &Arc<Rules> {
        &self.operator.rules
    }

    /// The issuer `acme` as a request finds it.
    async fn place(&self) -> Place {
        let slot = self.rules().node.slot(&issuer());
        let entered = self.rules().enter(&slot).await.unwrap().unwrap();
        let dialect = self.rules().dialects.dialect(&entered.issuer.issuer.dialect).unwrap();
        entered.at(slot, dialect)
    }

    /// A caller whose request came this moment.
    fn caller(&self) -> Caller {
        Caller { address: HOME, arrived: self.clock.monotonic() }
    }

    async fn ask(&self, who: Credentials, grant: GrantRequest) -> Result<TokenAnswer, Refusal> {
        let place = self.place().await;
        let who = match who {
            Credentials::Secret { readings, .. } => {
                Credentials::Secret { method: place.dialect.profile().auth_methods[0], readings }
            }
            other @ (Credentials::None | Credentials::Id(_)) => other,
        };
        exchange(self.rules(), &place, &self.caller(), TokenRequest { who, grant }).await
    }

    /// A token for `app` by its secret.
    async fn token(&self) -> Result<TokenAnswer, Refusal> {
        self.ask(app("hunter2"), client_credentials()).await
    }

    /// What stands against a token.
    async fn against(&self, answer: &TokenAnswer) -> Vec<String> {
        self.operator.token_inspect(None, &answer.access_token.0).await.unwrap().against
    }
}

fn issuer() -> IssuerName {
    "acme".parse().unwrap()
}

fn app_id() -> ClientId {
    "app".parse().unwrap()
}

fn root() -> Actor {
    Actor::uid(0)
}

fn secrets(readings: &[(&str, &str)]) -> Credentials {
    let reading = |(id, secret): &(&str, &str)| Reading { id: (*id).into(), secret: Secret::new((*secret).into()) };
    Credentials::Secret { method: AuthMethod::ClientSecretBasic, readings: readings.iter().map(reading).collect() }
}

fn app(secret: &str) -> Credentials {
    secrets(&[("app", secret)])
}

fn cards() -> Target {
    Target { audience: Some("https://cards.example.com".into()), resources: Vec::new() }
}

fn client_credentials() -> GrantRequest {
    GrantRequest::ClientCredentials { scope: None, target: cards() }
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
secrets = ["sha256:f52fbd32b2b3b86ff88ef6c490628285f482af15ddcb29541f94bcf526a3f6c7"]
grants = ["client_credentials"]
scopes = {{ cards = ["cards:read", "cards:write"] }}
"#
    )
}

/// [`acme`] with a user `ana` whose password is `old`, and the grant `password`.
fn people() -> String {
    let text = acme("deyel").replace("\"client_credentials\"", "\"password\", \"refresh_token\"");
    format!(
        r#"{text}
[[issuer.user]]
name = "ana"
password = {{ file = "old" }}
scopes = {{ cards = ["cards:read"] }}
"#
    )
}

fn login(password: &str) -> GrantRequest {
    GrantRequest::Password {
        username: "ana".parse().ok(),
        password: Secret::new(password.into()),
        scope: None,
        target: cards(),
    }
}
