//! Python's Authlib.

use std::{fs, process::Command};

use ficha_tests::run;

use super::{compare, program, root};

#[test]
fn authlib_agrees_but_for_what_the_page_lists() {
    let python = std::env::var("FICHA_TEST_PYTHON");
    let python = python.expect("FICHA_TEST_PYTHON names a Python with the packages of tests/clients/requirements.txt: run ./test, which installs them");
    let folder = tempfile::tempdir().unwrap();
    let program = program("python", ["class AccessTokens", "def dead_by"]);
    fs::write(folder.path().join("access_tokens.py"), program).unwrap();
    let mut command = Command::new(python);
    command.arg(root().join("tests/vectors/check.py")).arg(folder.path()).arg(root().join("vectors"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    compare(&run(command).done().stdout, 1);
}
