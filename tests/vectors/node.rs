//! JavaScript's jose.

use std::{fs, os::unix::fs::symlink, process::Command};

use ficha_tests::run;

use super::{compare, program, root};

#[test]
fn jose_agrees_but_for_what_the_page_lists() {
    let modules = std::env::var("FICHA_TEST_NODE_MODULES");
    let modules = modules.expect("FICHA_TEST_NODE_MODULES names a folder with the packages of tests/clients/package.json: run ./test, which installs them");
    let folder = tempfile::tempdir().unwrap();
    let program = program("js", ["export function accessTokens", "export function deadBy"]);
    fs::write(folder.path().join("access_tokens.mjs"), program).unwrap();
    fs::copy(root().join("tests/vectors/check.mjs"), folder.path().join("check.mjs")).unwrap();
    symlink(modules, folder.path().join("node_modules")).unwrap();
    let mut command = Command::new("node");
    command.arg(folder.path().join("check.mjs")).arg(root().join("vectors"));
    compare(&run(command).done().stdout, 2);
}
