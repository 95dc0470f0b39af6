//! The follower of `examples/feed-follower`.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
};

use ficha_tests::eventually;

use super::site::{AUDIENCE, Site};

/// Ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_hears_of_revocations_and_goes_on_after_a_restart_of_the_server() {
    let mut site = Site::new();
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let python = std::env::var("FICHA_TEST_PYTHON");
    let python = python.expect("FICHA_TEST_PYTHON names a Python with the packages of tests/clients/requirements.txt: run ./test, which installs them");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/feed-follower/follower.py");
    let mut command = Command::new(python);
    command.arg(script).args([site.url.as_str(), "orders", AUDIENCE]);
    command
        .env("FICHA_SECRET", &site.api_secret)
        .env("REQUESTS_CA_BUNDLE", site.server.ca())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command.stdin(Stdio::null()).stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    let mut running = Running(command.spawn().unwrap());
    let mut heard = |what: &str| {
        eventually(&format!("it says {what}: {}", std::fs::read_to_string(&err).unwrap()), || {
            assert!(running.0.try_wait().unwrap().is_none(), "{}", std::fs::read_to_string(&err).unwrap());
            std::fs::read_to_string(&out).unwrap().contains(what)
        });
    };
    heard("snapshot");
    let (one, jti) = site.token();
    site.revoke(&one);
    heard(&jti);
    let (two, missed) = site.token();
    site.server.restart();
    site.revoke(&two);
    heard(&missed);
    heard("heartbeat");
    let said = std::fs::read_to_string(&out).unwrap();
    assert_eq!(said.matches("snapshot").count(), 1, "it goes on where it was: {said}");
}
