//! `ficha user`.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use ficha_tests::{program, secrets};

use crate::site::site;

const SCOPE: &str = "cards=cards:read";

#[test]
fn a_user_is_added_logs_in_and_is_disabled() {
    let site = site();
    let (client, name, password) = (site.client("cards"), site.name("ana"), secrets::fresh("a password"));
    let client = (client.0.as_str(), client.1.as_str());
    let file = site.server.file("ana.password", &format!("{password}\n"));
    let added = site.json(&format!("user add {name} --password-file {file} --scope {SCOPE}"));
    assert!(added["sub"].as_str().unwrap().starts_with("usr_"), "{added}");
    let token = site.login(client, (&name, &password)).expect(200).access_token();
    assert_eq!(ficha_tests::claims(&token)["sub"], added["sub"]);
    let listed = site.json("user list");
    assert!(listed.as_array().unwrap().contains(&added), "{listed}");
    assert!(site.run("user list").done().stdout.lines().any(|l| l.starts_with(&name) && l.contains("enabled")));

    assert!(site.run(&format!("user disable {name}")).done().stdout.contains("is disabled"));
    assert_eq!(site.login(client, (&name, &password)).status, 400);
    assert!(!site.is_active("cards", &token));
    site.run(&format!("user enable {name}")).done();
    site.login(client, (&name, &password)).expect(200);
    assert!(!site.is_active("cards", &token), "enabling does not undo it");
    assert_eq!(site.run(&format!("user add {name} --password-file {file}")).code, 1, "it is there already");
    site.run("user disable nobody").expect(1);
}

#[test]
fn a_new_password_replaces_the_old_one() {
    let site = site();
    let (client, name) = (site.client("cards"), site.name("ana"));
    let client = (client.0.as_str(), client.1.as_str());
    let (old, new) = (secrets::fresh("a password"), secrets::fresh("a password"));
    let (old_file, new_file) =
        (site.server.file(&format!("{name}.old"), &old), site.server.file(&format!("{name}.new"), &new));
    site.run(&format!("user add {name} --password-file {old_file} --scope {SCOPE}")).done();
    let token = site.login(client, (&name, &old)).expect(200).access_token();
    site.run(&format!("user password {name} --password-file {new_file}")).done();
    assert_eq!(site.login(client, (&name, &old)).status, 400);
    assert!(!site.is_active("cards", &token), "what was issued with the old one is dead");
    site.login(client, (&name, &new)).expect(200);
}

#[test]
fn a_password_may_come_by_a_pipe_and_never_on_the_command_line() {
    let site = site();
    let (client, name, password) = (site.client("cards"), site.name("ana"), secrets::fresh("a password"));
    let mut command = Command::new(program());
    command.args(["user", "add", &name, "--scope", SCOPE, "--config"]).arg(site.server.config().path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains(&password));
    site.login((&client.0, &client.1), (&name, &password)).expect(200);
    assert_eq!(site.run(&format!("user add x --password {password}")).code, 2);
}

#[test]
fn a_hash_may_be_imported_and_a_bad_one_is_refused() {
    let site = site();
    let (client, name) = (site.client("cards"), site.name("ana"));
    let file = site.server.file("hash", &bcrypt::hash("imported-password", 4).unwrap());
    site.run(&format!("user add {name} --hash-file {file} --scope {SCOPE}")).done();
    site.login((&client.0, &client.1), (&name, "imported-password")).expect(200);
    for bad in ["no hash", "$1$abc$def", "$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA"] {
        let file = site.server.file("bad-hash", bad);
        let said = site.run(&format!("user add bad --hash-file {file}"));
        assert!(said.code != 0 && !said.stderr.contains(bad), "{said:?}");
    }
    let empty = site.server.file("empty", "");
    assert_eq!(site.run(&format!("user add bad --password-file {empty}")).code, 2);
}
