//! Programs of customers, in Python.

use std::{path::Path, process::Command};

use ficha_tests::{run, secrets};

use super::dev;

/// Runs a program of a customer.
fn python(script: &str) {
    let python = std::env::var("FICHA_TEST_PYTHON");
    let python = python.expect("FICHA_TEST_PYTHON names a Python with the packages of tests/clients/requirements.txt: run ./test, which installs them");
    let server = dev();
    let mut command = Command::new(python);
    let places = server.places;
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(script));
    command.env("REQUESTS_CA_BUNDLE", server.ca()).env("PYTHONDONTWRITEBYTECODE", "1");
    for (name, place) in [("FICHA_HTTPS", places.https), ("FICHA_HTTP", places.http), ("FICHA_API", places.api)] {
        command.env(name, place.port().to_string());
    }
    // Authlib refuses plain HTTP unless it is told; a customer of Deyel's embedded server has told it.
    command.env("AUTHLIB_INSECURE_TRANSPORT", "1");
    let output = run(command).done();
    for token in output.stdout.lines().filter_map(|line| line.strip_prefix("secret ")) {
        secrets::note("a token", token);
    }
    assert!(output.stdout.ends_with("done\n"), "{output:?}");
}

#[test]
fn authlib_gets_and_renews_tokens_of_leancore() {
    python("leancore.py");
}

#[test]
fn authlib_logs_in_at_deyel_and_renews() {
    python("deyel.py");
}

#[test]
fn a_program_of_a_customer_of_pomelo_gets_its_token_and_calls_the_api() {
    python("pomelo.py");
}
