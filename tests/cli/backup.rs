//! `ficha backup` and `ficha restore`.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use ficha_tests::{Config, Output, Server, ficha};

use crate::site::Site;

/// A site with a client that has a token, and a backup that was made of it while it served.
struct BackedUp {
    site: Site,
    id: String,
    secret: String,
    token: String,
    backup: String,
}

impl BackedUp {
    fn new() -> Self {
        let site = Site::new(Config::new());
        let (id, secret) = site.client("cards");
        let token = site.token((&id, &secret)).expect(200).access_token();
        let backup = site.server.dir().join("b.db").display().to_string();
        site.run(&format!("backup {backup}")).done();
        Self { site, id, secret, token, backup }
    }

    fn token(&self) -> ficha_tests::Answer {
        self.site.token((&self.id, &self.secret))
    }

    fn restore(&self, how: &str) -> Output {
        self.site.run(format!("restore {} {how}", self.backup).trim_end())
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_backup_is_made_while_it_serves_for_its_owner_alone_and_says_what_is_not_in_it() {
    let made = BackedUp::new();
    let file = Path::new(&made.backup);
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(&fs::read(file).unwrap()[..15], b"SQLite format 3");
    let again = made.site.run(&format!("backup {}", made.backup)).expect(1);
    assert!(again.stderr.contains("is there already"), "{}", again.stderr);
    let other = format!("{}.2", made.backup);
    let said = made.site.run(&format!("backup {other}")).done();
    assert!(said.stdout.contains("The master key is not in it"), "{}", said.stdout);
    let json = made.site.json(&format!("backup {other}.3"));
    assert_eq!(json["file"], format!("{other}.3"));
    assert_eq!(json["bytes"], fs::metadata(format!("{other}.3")).unwrap().len());
    let said = made.site.run("backup /nowhere/b.db").expect(1);
    assert!(said.stderr.contains("/nowhere/b.db"), "{}", said.stderr);
    let master = fs::read_to_string(made.site.server.config().dir().join("master.key")).unwrap();
    assert!(!String::from_utf8_lossy(&fs::read(file).unwrap()).contains(master.trim()));
    assert!(names(made.site.server.dir()).iter().all(|name| !name.contains(".part")));
    made.token().expect(200);
}

#[test]
fn what_was_restored_goes_on_and_everything_that_was_issued_before_is_dead() {
    let mut made = BackedUp::new();
    let later = made.token().expect(200).access_token();
    made.site.run("client add gone --api cards").done();
    let refused = made.restore("--replace").expect(1);
    assert!(refused.stderr.contains("stop it first"), "{}", refused.stderr);
    assert_eq!(made.site.server.stop(), 0);
    let refused = made.restore("").expect(1);
    assert!(refused.stderr.contains("--replace"), "{}", refused.stderr);
    let said = made.restore("--replace").done();
    assert!(said.stdout.contains("is dead"), "{}", said.stdout);
    made.site.server.start();
    for token in [&made.token, &later] {
        assert!(!made.site.is_active("cards", token));
    }
    let fresh = made.token().expect(200).access_token();
    assert!(made.site.is_active("cards", &fresh));
    made.site.run("client show gone").expect(1);
    let kept = names(&made.site.server.data);
    assert_eq!(kept.iter().filter(|name| name.starts_with("ficha.db.before-")).count(), 1, "{kept:?}");
    assert!(kept.iter().all(|name| !name.contains("restoring")), "{kept:?}");
}

#[test]
fn keeping_tokens_tells_what_comes_back_to_life() {
    let mut made = BackedUp::new();
    made.site.run(&format!("token revoke --client {}", made.id)).done();
    assert!(!made.site.is_active("cards", &made.token));
    assert_eq!(made.site.server.stop(), 0);
    let said = made.restore("--replace --keep-tokens --json").done().json();
    assert_eq!(said["comes_back"]["lost"], serde_json::json!({"revocations": 0, "families": 0, "marks": 1}));
    assert!(said["comes_back"]["age_s"].as_i64().unwrap() >= 0);
    assert_eq!(said["not_before"], serde_json::Value::Null);
    made.site.server.start();
    assert!(made.site.is_active("cards", &made.token), "it was good when the backup was made");
    made.token().expect(200);
    assert_eq!(made.site.server.stop(), 0);
    // The numbers of changes have made a leap at the first one, which is no figure for anybody.
    let said = made.restore("--replace --keep-tokens").done().stdout;
    assert!(said.contains("had 0 revocations, 0 ended families and 0 not-before marks"), "{said}");
    assert!(!said.contains("changes"), "{said}");
}

#[test]
fn a_backup_is_restored_on_another_machine_with_its_master_key_and_no_other() {
    let made = BackedUp::new();
    let config = Config::new();
    let path = config.write().display().to_string();
    let restore = || ficha(config.dir(), ["restore", &made.backup, "--config", &path]);
    let refused = restore().expect(1);
    assert!(refused.stderr.contains("master key"), "{}", refused.stderr);
    let own = fs::read_to_string(made.site.server.config().dir().join("master.key")).unwrap();
    config.write_master("master.key", &own);
    restore().done();
    let mut server = Server::serve(config);
    let call = server.https().base("/acme").post("/oauth/token").basic(&made.id, &made.secret);
    call.form(&[("grant_type", "client_credentials")]).send().expect(200);
    assert_eq!(server.stop(), 0);
}

#[test]
fn what_is_no_whole_backup_is_refused_and_the_database_stays() {
    let mut made = BackedUp::new();
    assert_eq!(made.site.server.stop(), 0);
    let whole = fs::read(&made.backup).unwrap();
    let mut damaged = whole.clone();
    for byte in damaged.iter_mut().skip(20 * 4096).take(3 * 4096) {
        *byte = 0x5a;
    }
    let with_trigger = {
        let copy = made.site.server.dir().join("trigger.db");
        fs::write(&copy, &whole).unwrap();
        let trigger = "CREATE TRIGGER t AFTER INSERT ON audit BEGIN DELETE FROM audit; END";
        rusqlite::Connection::open(&copy).unwrap().execute_batch(trigger).unwrap();
        fs::read(copy).unwrap()
    };
    for (bytes, why) in [
        (b"no database".to_vec(), "SQLite"),
        (whole[..whole.len() / 2].to_vec(), "damaged"),
        (damaged, "damaged"),
        (with_trigger, "the trigger t"),
    ] {
        fs::write(&made.backup, bytes).unwrap();
        let refused = made.restore("--replace").expect(1);
        assert!(refused.stderr.contains(why), "{why}: {}", refused.stderr);
    }
    made.site.server.start();
    assert!(made.site.is_active("cards", &made.token), "nothing was replaced");
}
