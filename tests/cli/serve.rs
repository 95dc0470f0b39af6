//! `ficha serve`, as far as its command line and configuration go.

use std::{net::TcpListener, process::Command};

use ficha_tests::{Config, Server, ficha, program, run, secrets};

#[test]
fn without_a_file_it_ends_with_2_and_names_dev() {
    let folder = tempfile::tempdir().unwrap();
    let said = ficha(folder.path(), ["serve"]).expect(2);
    assert!(said.stderr.contains("ficha dev"), "{}", said.stderr);
    let said = ficha(folder.path(), ["serve", "--config", "absent.toml"]).expect(2);
    assert!(said.stderr.contains("absent.toml"), "{}", said.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn everything_wrong_in_the_configuration_is_told_at_once_with_its_place() {
    let config =
        Config::new().with("listen", "dran_s = 3").with("limits", "body_bytes = \"1kb\"").with("stroe", "data = \"x\"");
    let path = config.write();
    let text = std::fs::read_to_string(&path).unwrap();
    let line = |word: &str| text.lines().position(|l| l.contains(word)).unwrap() + 1;
    let path = path.display().to_string();
    let said = ficha(config.dir(), ["serve", "--config", &path]).expect(2);
    for word in [
        format!("{path}:{}: [listen] dran_s: unknown key", line("dran_s")),
        "drain_s".to_owned(),
        format!("{path}:{}: [limits] body_bytes: expected", line("body_bytes")),
        format!("{path}:{}: ", line("[stroe]")),
    ] {
        assert!(said.stderr.contains(&word), "{word}: {}", said.stderr);
    }
    assert!(!config.data().exists(), "nothing was made");
}

#[test]
fn every_option_may_come_from_the_environment() {
    let config = Config::new();
    let path = config.write();
    let mut command = Command::new(program());
    command.args(["serve", "--config"]).arg(&path).env("FICHA_LIMITS__BODY_BYTES", "lots");
    let said = run(command).expect(2);
    assert!(said.stderr.contains("FICHA_LIMITS__BODY_BYTES"), "{}", said.stderr);
    let mut command = Command::new(program());
    command.args(["serve", "--config"]).arg(&path).env("FICHA_LIMITS__BODY_BITES", "1");
    let said = run(command).expect(2);
    assert!(said.stderr.contains("did you mean FICHA_LIMITS__BODY_BYTES"), "{}", said.stderr);
}

#[test]
fn a_missing_certificate_or_a_broken_one_stops_the_start() {
    let config = Config::new();
    let path = config.write().display().to_string();
    std::fs::write(config.dir().join("server.pem"), "nonsense").unwrap();
    let said = ficha(config.dir(), ["serve", "--config", &path]);
    assert!(said.code != 0 && said.stderr.contains("server.pem"), "{said:?}");
    std::fs::remove_file(config.dir().join("server.pem")).unwrap();
    let said = ficha(config.dir(), ["serve", "--config", &path]).expect(2);
    assert!(said.stderr.contains("server.pem"), "{said:?}");
    let (one, other) = (config.authority.issue(&["localhost"]), config.authority.issue(&["localhost"]));
    one.write(config.dir(), "server");
    std::fs::write(config.dir().join("server.key"), other.key).unwrap();
    let said = ficha(config.dir(), ["serve", "--config", &path]);
    assert!(said.code != 0 && said.stderr.contains("server.pem"), "the key of another certificate: {said:?}");
}

#[test]
fn an_address_that_is_taken_is_named() {
    let config = Config::new();
    let _taken = TcpListener::bind(config.places.https).unwrap();
    let path = config.write().display().to_string();
    let said = ficha(config.dir(), ["serve", "--config", &path]).expect(1);
    assert!(said.stderr.contains(&config.places.https.to_string()), "{}", said.stderr);
}

#[test]
fn the_data_folder_and_its_files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::serve(Config::new());
    let mode = |name: &str| std::fs::metadata(server.data.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for name in ["ficha.db", "ficha.db-wal", "admin.sock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_repeated() {
    let key = ficha_tests::master_key();
    assert!(secrets::is_noted(&key));
    let config = Config::new().with("keys", &format!("master_key = \"{key}\""));
    let path = config.write().display().to_string();
    let said = ficha(config.dir(), ["serve", "--config", &path]).expect(2);
    assert!(said.stderr.contains("[keys] master_key") && !said.stderr.contains(&key), "{}", said.stderr);
}
