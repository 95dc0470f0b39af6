//! The suite on PostgreSQL, and what is PostgreSQL's own.
#![expect(clippy::unwrap_used, reason = "all of it is tests, their helpers too")]

mod suite;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ficha_core::ports::{ClientStore, FeedStore, OperatorStore, Standing, StoreError, TokenStore, Trade};
use ficha_store::{PostgresError, PostgresFailure, PostgresOptions, PostgresStore};
use ficha_testkit::{
    postgres::{self, Database, Options, Server},
    store_suite::samples::{NOON, advanced, app, cards, client, founded, last_change, revocation, token, used, word},
};
use ficha_types::UnixMillis;
use futures_util::future::join_all;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Long enough for a machine that does much else, so that nothing but a test of a bound runs into one.
const LONG: Duration = Duration::from_mins(1);

fn patient(url: &str) -> PostgresOptions {
    PostgresOptions { pool: 16, wait: LONG, statement: LONG, lock: LONG, ..PostgresOptions::new(url) }
}

async fn empty_postgres() -> (PostgresStore, Database<'static>) {
    let database = postgres::shared().database();
    (PostgresStore::open(&patient(&database.url())).await.unwrap(), database)
}

whole_suite!(empty_postgres);

/// Why a database is not taken into use.
async fn refusal(options: &PostgresOptions) -> PostgresError {
    PostgresStore::open(options).await.map(drop).unwrap_err()
}

fn is_unreachable<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unreachable(_)))
}

fn is_unknown<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::OutcomeUnknown(_)))
}

#[tokio::test]
async fn of_many_nodes_that_start_at_once_one_makes_the_tables_and_all_serve() {
    let database = postgres::shared().database();
    let options = PostgresOptions { pool: 2, ..patient(&database.url()) };
    let stores = join_all((0..8).map(|_| PostgresStore::open(&options))).await;
    for store in stores {
        store.unwrap().beat(&word("node"), UnixMillis(0)).await.unwrap();
    }
    assert_eq!(database.query("SELECT count(*) = max(number) FROM migrations"), "t");
}

#[tokio::test]
async fn what_one_node_writes_the_others_see() {
    let (one, database) = empty_postgres().await;
    let two = PostgresStore::open(&patient(&database.url())).await.unwrap();
    let issuer = founded(&one, "acme").await;
    assert_eq!(two.client(&issuer, &app()).await.unwrap().unwrap().client, client("app"));
    two.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
    assert_eq!(one.standing(&issuer, &token(1), None, &cards()).await.unwrap(), Standing::Revoked);
}

#[tokio::test]
async fn a_change_is_told_to_the_other_nodes() {
    let (one, database) = empty_postgres().await;
    let two = PostgresStore::open(&patient(&database.url())).await.unwrap();
    let issuer = founded(&one, "acme").await;
    for n in 0..3 {
        // What was told before is heard first.
        while tokio::time::timeout(Duration::from_secs(1), two.notified()).await.is_ok() {}
        one.revoke_token(&issuer, &revocation(n), NOON, 100).await.unwrap();
        tokio::time::timeout(LONG, two.notified()).await.unwrap();
    }
}

#[tokio::test]
async fn a_node_that_listens_hears_again_after_its_connection_was_lost() {
    let (one, database) = empty_postgres().await;
    let issuer = founded(&one, "acme").await;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query = 'LISTEN ficha' AND datname = \
               current_database()";
    let listens = async || {
        let ask = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN ficha' AND datname = current_database()";
        while database.query(ask) != "1" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    listens().await;
    while tokio::time::timeout(Duration::from_secs(1), one.notified()).await.is_ok() {}
    assert_eq!(database.query(cut), "1");
    // It asks itself at once what it may have missed; and hears again once it listens.
    tokio::time::timeout(LONG, one.notified()).await.unwrap();
    listens().await;
    while tokio::time::timeout(Duration::from_secs(1), one.notified()).await.is_ok() {}
    one.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
    tokio::time::timeout(LONG, one.notified()).await.unwrap();
}

#[tokio::test]
async fn an_older_program_runs_on_tables_that_the_next_release_has_extended() {
    let (store, database) = empty_postgres().await;
    let issuer = founded(&store, "acme").await;
    database.query(
        "ALTER TABLE clients ADD COLUMN region TEXT NOT NULL DEFAULT ''; CREATE TABLE regions (issuer TEXT); \
         INSERT INTO migrations SELECT max(number) + 1, 'regions', 'c', max(number) FROM migrations",
    );
    // One that was running, and one that starts now.
    let started = PostgresStore::open(&patient(&database.url())).await.unwrap();
    for store in [&store, &started] {
        assert_eq!(store.client(&issuer, &app()).await.unwrap().unwrap().client, client("app"));
        store.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
    }
}

#[tokio::test]
async fn tables_that_are_too_new_or_another_builds_or_another_programs_are_refused() {
    let (store, database) = empty_postgres().await;
    drop(store);
    let options = patient(&database.url());
    database.query("INSERT INTO migrations SELECT 4711, 'regions', 'c', 4711 FROM migrations LIMIT 1");
    let refused = refusal(&options).await;
    assert!(matches!(refused.why, PostgresFailure::Newer { found: 4711, known: 1.. }), "{refused}");
    database.query("DELETE FROM migrations WHERE number = 4711; UPDATE migrations SET checksum = 'c' WHERE number = 1");
    let refused = refusal(&options).await;
    assert!(matches!(refused.why, PostgresFailure::OtherTables { number: 1 }), "{refused}");
    database.query("DROP TABLE migrations");
    let refused = refusal(&options).await;
    assert!(matches!(refused.why, PostgresFailure::NotOurs), "{refused}");
    database.query("CREATE TABLE migrations (id INT)");
    let refused = refusal(&options).await;
    assert!(matches!(refused.why, PostgresFailure::NotOurs), "{refused}");
}

#[tokio::test]
async fn a_server_that_would_lose_what_was_answered_is_refused() {
    let database = postgres::shared().database();
    database.query(&format!("ALTER DATABASE {} SET synchronous_commit = off", database.name()));
    let refused = refusal(&patient(&database.url())).await;
    assert!(matches!(refused.why, PostgresFailure::Unfit(_)), "{refused}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_refused_and_one_that_does_not_answer_is_unreachable() {
    let server = postgres::shared();
    let refused = refusal(&patient(&server.url("nowhere"))).await;
    assert!(matches!(refused.why, PostgresFailure::Refused(_)), "{refused}");
    assert!(refused.to_string().contains("nowhere"), "{refused}");
    let nobody = format!("postgres://ana:secret@127.0.0.1:{}/ficha", postgres::free_port());
    let refused = refusal(&patient(&nobody)).await;
    assert!(matches!(refused.why, PostgresFailure::Unreachable(_)), "{refused}");
    assert!(!refused.to_string().contains("secret"), "{refused}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_the_right_one_is_good_over_the_loopback() {
    let server = postgres::shared();
    let database = server.database();
    database.query("CREATE ROLE ana LOGIN PASSWORD 'right'; GRANT ALL ON SCHEMA public TO ana");
    let url = |password| format!("postgres://ana:{password}@127.0.0.1:{}/{}", server.port(), database.name());
    let refused = refusal(&patient(&url("wrong"))).await;
    assert!(matches!(refused.why, PostgresFailure::Refused(_)), "{refused}");
    let store = PostgresStore::open(&patient(&url("right"))).await.unwrap();
    founded(&store, "acme").await;
    drop(store);
    database.query("DROP OWNED BY ana; DROP ROLE ana");
}

#[tokio::test]
async fn the_servers_socket_is_as_good_as_its_port() {
    let server = postgres::shared();
    let database = server.database();
    let store = PostgresStore::open(&patient(&server.socket_url(database.name()))).await.unwrap();
    founded(&store, "acme").await;
}

#[tokio::test]
async fn a_server_that_stops_is_unreachable_and_good_again_by_itself_when_it_is_back() {
    let server = Server::start();
    let database = server.database();
    let store = PostgresStore::open(&patient(&database.url())).await.unwrap();
    let issuer = founded(&store, "acme").await;
    for end in [Server::stop, Server::kill] {
        end(&server);
        let answer = store.client(&issuer, &app()).await;
        assert!(is_unreachable(&answer), "{answer:?}");
        let answer = store.trade_refresh(&issuer, &used(1, 0), NOON).await;
        assert!(is_unreachable(&answer), "{answer:?}");
        server.restart();
        assert!(store.client(&issuer, &app()).await.unwrap().is_some());
    }
    // Nothing of what was refused was done.
    assert_eq!(store.trade_refresh(&issuer, &used(1, 0), NOON).await.unwrap(), Trade::Done);
}

#[tokio::test]
async fn a_server_that_only_reads_takes_no_part_until_it_is_promoted() {
    let primary = Server::start();
    let database = primary.database();
    let store = PostgresStore::open(&patient(&database.url())).await.unwrap();
    let issuer = founded(&store, "acme").await;
    let standby = primary.standby("second");
    let follower = patient(&standby.url(database.name()));
    let refused = refusal(&follower).await;
    assert!(matches!(refused.why, PostgresFailure::Unreachable(_)), "{refused}");
    primary.stop();
    standby.promote();
    let after = PostgresStore::open(&follower).await.unwrap();
    after.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let server = Server::start();
    let database = server.database();
    let short = Duration::from_millis(500);
    let options = PostgresOptions { statement: short, wait: short, ..patient(&database.url()) };
    let store = PostgresStore::open(&patient(&database.url())).await.unwrap();
    let issuer = founded(&store, "acme").await;
    let hasty = PostgresStore::open(&options).await.unwrap();
    // On a busy machine even a server that answers may take longer than that.
    let has_a_connection = async { while hasty.beat(&word("node"), UnixMillis(0)).await.is_err() {} };
    tokio::time::timeout(LONG, has_a_connection).await.unwrap();
    server.pause();
    let answers = tokio::time::timeout(LONG, async {
        (hasty.client(&issuer, &app()).await, hasty.trade_refresh(&issuer, &used(1, 0), NOON).await)
    });
    let (read, written) = answers.await.unwrap();
    server.resume();
    assert!(is_unreachable(&read), "{read:?}");
    // It was sent, or there was no connection to send it on.
    assert!(is_unknown(&written) || is_unreachable(&written), "{written:?}");
    assert!(store.client(&issuer, &app()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_step_that_waits_too_long_for_what_another_holds_writes_nothing() {
    let (store, database) = empty_postgres().await;
    let issuer = founded(&store, "acme").await;
    let hasty = PostgresOptions { lock: Duration::from_millis(200), ..patient(&database.url()) };
    for options in [hasty.clone(), PostgresOptions { prepared: false, ..hasty }] {
        let hasty = PostgresStore::open(&options).await.unwrap();
        let held = hold(&database, "LOCK TABLE counters IN EXCLUSIVE MODE").await;
        let answer = hasty.revoke_token(&issuer, &revocation(1), NOON, 100).await;
        assert!(is_unreachable(&answer), "{answer:?}");
        drop(held);
        assert_eq!(store.standing(&issuer, &token(1), None, &cards()).await.unwrap(), Standing::Good);
    }
    store.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
}

/// A connection past the store's back whose transaction holds something until it is dropped.
async fn hold(database: &Database<'_>, sql: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(&format!("BEGIN; {sql}")).await.unwrap();
    client
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_does_what_it_took() {
    let (_, database) = empty_postgres().await;
    let small = PostgresOptions { pool: 2, queue: 3, ..patient(&database.url()) };
    let store = PostgresStore::open(&small).await.unwrap();
    let issuer = founded(&store, "acme").await;
    let held = hold(&database, "LOCK TABLE families IN EXCLUSIVE MODE").await;
    let uses: Vec<_> = (0..20).map(|n| used(n, 0)).collect();
    let steps = join_all(uses.iter().map(|used| store.trade_refresh(&issuer, used, NOON)));
    let (answers, ()) = tokio::join!(steps, async { drop(held) });
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(Trade::Done))).count(), 5, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| is_unreachable(answer)).count(), 15, "{answers:?}");
}

#[tokio::test]
async fn a_step_whose_caller_has_gone_is_done_whole_and_holds_nobody_up() {
    let (store, database) = empty_postgres().await;
    let issuer = founded(&store, "acme").await;
    let held = hold(&database, "LOCK TABLE counters IN EXCLUSIVE MODE").await;
    let revocations: Vec<_> = (0..16).map(revocation).collect();
    for one in &revocations {
        let mut left = store.revoke_token(&issuer, one, NOON, 100);
        assert!(futures_util::poll!(left.as_mut()).is_pending());
        // Far enough to have begun.
        let _ = tokio::time::timeout(Duration::from_millis(20), left).await;
    }
    drop(held);
    let mut all = false;
    while !all {
        all = true;
        for one in &revocations {
            all &= store.standing(&issuer, &one.id, None, &cards()).await.unwrap() == Standing::Revoked;
        }
    }
    assert_eq!(last_change(&store, &issuer).await, 3 + 16);
}

/// What the proxy does to a connection whose client sends a message with a given text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cut {
    /// Ends it before the server gets the message.
    Before,
    /// Ends it when the server has done as it says: nobody learns it.
    After,
}

/// Carries what either side says to the other until one of them ends, or until the first message that holds `text`.
async fn carry(mut client: TcpStream, mut server: TcpStream, text: &[u8], cut: Cut, done: Arc<AtomicBool>) {
    let (mut said, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let carried = tokio::select! {
            n = server.read(&mut answered) => match n {
                Ok(n @ 1..) => client.write_all(answered.get(..n).unwrap()).await,
                _ => return,
            },
            n = client.read(&mut said) => match n {
                Ok(n @ 1..) => {
                    let message = said.get(..n).unwrap();
                    let hit = message.windows(text.len()).any(|window| window == text);
                    let cut = if hit && !done.swap(true, Ordering::SeqCst) { Some(cut) } else { None };
                    if cut == Some(Cut::Before) {
                        return;
                    }
                    let carried = server.write_all(message).await;
                    if cut == Some(Cut::After) {
                        // Its answer says that it has done so, and goes no further.
                        assert_ne!(server.read(&mut answered).await.unwrap(), 0);
                        return;
                    }
                    carried
                }
                _ => return,
            },
        };
        if carried.is_err() {
            return;
        }
    }
}

/// A way to the server that is cut at the first message that holds `text`; the connections after that one are whole.
async fn cut_at(database: &Database<'_>, text: &'static [u8], cut: Cut) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (server, port) = (("127.0.0.1", postgres::shared().port()), listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        let done = Arc::new(AtomicBool::new(false));
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let upstream = TcpStream::connect(server).await.unwrap();
            tokio::spawn(carry(client, upstream, text, cut, done.clone()));
        }
    });
    format!("postgres://{}@127.0.0.1:{port}/{}", postgres::SUPERUSER, database.name())
}

#[tokio::test]
async fn a_connection_that_is_cut_at_commit_leaves_the_outcome_open_and_the_step_is_safe_to_repeat() {
    for cut in [Cut::Before, Cut::After] {
        let (direct, database) = empty_postgres().await;
        let issuer = founded(&direct, "acme").await;
        let options =
            PostgresOptions { direct_url: Some(database.url()), ..patient(&cut_at(&database, b"COMMIT\0", cut).await) };
        let store = PostgresStore::open(&options).await.unwrap();
        let before = last_change(&direct, &issuer).await;
        let answer = store.revoke_token(&issuer, &revocation(1), NOON, 100).await;
        assert!(is_unknown(&answer), "{cut:?}: {answer:?}");
        let stands = direct.standing(&issuer, &token(1), None, &cards()).await.unwrap();
        assert_eq!(stands == Standing::Revoked, cut == Cut::After);
        store.revoke_token(&issuer, &revocation(1), NOON, 100).await.unwrap();
        assert_eq!(direct.standing(&issuer, &token(1), None, &cards()).await.unwrap(), Standing::Revoked);
        assert_eq!(last_change(&direct, &issuer).await, before + 1);
    }
}

#[tokio::test]
async fn a_use_whose_connection_is_cut_is_unknown_and_its_retry_gets_the_successor() {
    for cut in [Cut::Before, Cut::After] {
        let (direct, database) = empty_postgres().await;
        let issuer = founded(&direct, "acme").await;
        advanced(&direct, &issuer, 1, 0).await;
        let options = PostgresOptions {
            direct_url: Some(database.url()),
            // The statement itself is in the message.
            prepared: false,
            ..patient(&cut_at(&database, b"UPDATE families SET step", cut).await)
        };
        let store = PostgresStore::open(&options).await.unwrap();
        let answer = store.trade_refresh(&issuer, &used(1, 1), NOON).await;
        assert!(is_unknown(&answer), "{cut:?}: {answer:?}");
        let again = store.trade_refresh(&issuer, &used(1, 1), NOON).await.unwrap();
        let expected = if cut == Cut::After { Trade::Repeated { used_at: NOON } } else { Trade::Done };
        assert_eq!(again, expected);
    }
}

#[tokio::test]
async fn a_step_that_is_cut_before_it_commits_is_unreachable_and_wrote_nothing() {
    let (direct, database) = empty_postgres().await;
    let issuer = founded(&direct, "acme").await;
    let options = PostgresOptions {
        direct_url: Some(database.url()),
        prepared: false,
        ..patient(&cut_at(&database, b"UPDATE counters", Cut::After).await)
    };
    let store = PostgresStore::open(&options).await.unwrap();
    let answer = store.revoke_token(&issuer, &revocation(1), NOON, 100).await;
    assert!(is_unreachable(&answer), "{answer:?}");
    assert_eq!(direct.standing(&issuer, &token(1), None, &cards()).await.unwrap(), Standing::Good);
}

#[tokio::test]
async fn a_read_whose_connection_is_cut_is_read_on_another_one() {
    let (direct, database) = empty_postgres().await;
    let issuer = founded(&direct, "acme").await;
    let options = PostgresOptions {
        direct_url: Some(database.url()),
        prepared: false,
        ..patient(&cut_at(&database, b"FROM clients", Cut::After).await)
    };
    let store = PostgresStore::open(&options).await.unwrap();
    assert!(store.client(&issuer, &app()).await.unwrap().is_some());
}

/// A database server's certificate for `db.example`, its key, and the file of the authority that vouches for it.
fn certificate(folder: &std::path::Path) -> ((String, String), PathBuf) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["db.example".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let file = folder.join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    ((leaf.pem(), key.serialize_pem()), file)
}

#[tokio::test]
async fn another_machine_must_prove_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (own, authority) = certificate(folder.path());
    let server = Server::with(&Options { tls: Some(own), ..Options::default() });
    let database = server.database();
    // By its name another machine; its address is given beside it.
    let at = |host: &str| {
        let (user, port, name) = (postgres::SUPERUSER, server.port(), database.name());
        format!("postgres://{user}@{host}:{port}/{name}?hostaddr=127.0.0.1")
    };
    let vouched = |url: &str| PostgresOptions { root_ca: Some(authority.clone()), ..patient(url) };
    let store = PostgresStore::open(&vouched(&at("db.example"))).await.unwrap();
    founded(&store, "acme").await;
    assert_eq!(
        database.query(
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'ficha'"
        ),
        "t"
    );
    for refused in [refusal(&vouched(&at("other.example"))).await, refusal(&patient(&at("db.example"))).await] {
        assert!(refused.to_string().contains("certificate"), "{refused}");
    }
    // One that speaks no TLS gets nothing in the clear.
    let plain = postgres::shared();
    let url = format!("postgres://u:secret@db.example:{}/postgres?hostaddr=127.0.0.1", plain.port());
    let refused = refusal(&vouched(&url)).await;
    assert!(refused.to_string().contains("TLS"), "{refused}");
}

#[tokio::test]
async fn names_are_in_the_order_of_their_bytes_whatever_the_databases_locale() {
    let (store, _database) = empty_postgres().await;
    let issuer = founded(&store, "acme").await;
    let names = ["Zebra", "a-b", "aB", "ab", "b"];
    let edits = names.map(|name| ficha_core::ports::Edit::PutClient(client(name))).to_vec();
    store.commit(ficha_testkit::store_suite::samples::act(&issuer, edits)).await.unwrap();
    let listed = store.clients(&issuer, ficha_core::ports::Page { after: String::new(), limit: 10 }).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|client| client.id.as_str()).collect();
    assert_eq!(listed, ["Zebra", "a-b", "aB", "ab", "app", "b"]);
}
