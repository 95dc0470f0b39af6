//! The PostgreSQL of the tests does what it says.

use std::{path::PathBuf, process::Command};

use ficha_testkit::postgres::{Options, Server, shared};

#[test]
fn each_database_is_empty_and_apart() {
    let (one, two) = (shared().database(), shared().database());
    one.query("CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('ñ'), ('o')");
    assert_eq!(one.query("SELECT a FROM t ORDER BY a"), "ñ\no");
    assert_eq!(two.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
}

#[test]
fn what_was_committed_is_there_after_a_stop_and_after_a_kill() {
    let server = Server::start();
    let port = server.port();
    let database = server.database();
    database.query("CREATE TABLE t (a BIGINT)");
    for (n, end) in [Server::stop, Server::kill].into_iter().enumerate() {
        database.query(&format!("INSERT INTO t VALUES ({n})"));
        end(&server);
        assert_eq!(server.pid(), None);
        server.restart();
        assert_eq!((server.port(), database.query("SELECT count(*) FROM t")), (port, (n + 1).to_string()));
    }
}

#[test]
fn a_standby_has_what_was_committed_and_takes_over() {
    let primary = Server::with(&Options::default().set("synchronous_standby_names", "second"));
    let standby = primary.standby("second");
    let database = primary.database();
    // A commit waits until the standby has it.
    database.query("CREATE TABLE t (a BIGINT); INSERT INTO t VALUES (1)");
    primary.kill();
    standby.promote();
    assert_eq!(standby.query(database.name(), "INSERT INTO t VALUES (2); SELECT count(*) FROM t"), "2");
}

#[test]
fn a_server_goes_with_its_process_however_that_ends() {
    // A process of its own plays the test below.
    let own = std::env::current_exe().unwrap();
    let args = ["--exact", "starts_one_and_is_killed", "--nocapture", "--ignored"];
    let output = Command::new(own).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = said.lines().find_map(|line| line.strip_prefix("abandoned ")).unwrap().split(' ');
    let (pid, folder) = (words.next().unwrap(), PathBuf::from(words.next().unwrap()));
    // The watchdog removes the folder last.
    let gone = format!("for _ in $(seq 1200); do [ -e {} ] || exit 0; sleep 0.05; done; exit 1", folder.display());
    assert!(Command::new("sh").args(["-c", &gone]).status().unwrap().success(), "{folder:?} is still there");
    let there = Command::new("sh").args(["-c", &format!("ps -o stat= -p {pid} | grep -v Z")]).output().unwrap();
    assert!(there.stdout.is_empty(), "{pid} still runs");
}

#[test]
#[ignore = "a part of the test above, in a process of its own"]
fn starts_one_and_is_killed() {
    let server = Server::start();
    println!("abandoned {} {}", server.pid().unwrap(), server.folder().display());
    Command::new("sh").args(["-c", "kill -KILL $PPID"]).status().unwrap();
}
