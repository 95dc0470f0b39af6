//! Real clients against `ficha dev`: `curl` as it prints it, and Python's Authlib and requests.
#![expect(clippy::disallowed_methods, reason = "which Python to take stands in the environment")]

mod python;

use std::{process::Command, sync::Arc};

use ficha_tests::{Addresses, Output, Server, Shared, run, secrets};

static DEV: Shared<Server> = Shared::new();

fn dev() -> Arc<Server> {
    DEV.get(|| Server::dev(Addresses::Localhost))
}

/// What was printed for pasting.
fn printed(server: &Server) -> String {
    let said = server.said("out");
    said.strip_suffix("ficha is ready\n").unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn paste(server: &Server, commands: &str) -> Output {
    let mut bash = Command::new("bash");
    bash.args(["-e", "-o", "pipefail", "-c", commands]).current_dir(server.dir());
    run(bash)
}

#[test]
fn the_printed_commands_work_as_printed() {
    // One of their own: they revoke what another program may be using.
    let server = Server::dev(Addresses::Localhost);
    let commands = printed(&server);
    let calls = commands.lines().filter(|line| line.starts_with("curl ")).count();
    assert!(calls >= 6, "{commands}");
    let output = paste(&server, &commands).done();
    let tokens: Vec<_> =
        output.stdout.split("\"access_token\":\"").skip(1).map(|t| t.split('"').next().unwrap()).collect();
    for token in &tokens {
        secrets::note("an access token", token);
    }
    let refresh = output.stdout.split("\"refresh_token\":\"").skip(1).map(|t| t.split('"').next().unwrap());
    refresh.for_each(|token| secrets::note("a refresh token", token));
    assert_eq!(
        tokens.len(),
        calls - 2,
        "every call but that of the API and the revocation answers a token: {}",
        output.stdout
    );
    let (accepted, refused) = (r#""id":"crd-1""#, r#""code":"revoked""#);
    let at = |what: &str| output.stdout.find(what).unwrap_or_else(|| panic!("no {what}: {}", output.stdout));
    assert!(at(accepted) < at(refused), "the token is refused once it was revoked: {}", output.stdout);
    assert_eq!(output.stdout.matches("\"error\":").count(), 1, "and nothing else is: {}", output.stdout);
}

#[test]
fn the_printed_commands_verify_the_server_by_the_development_ca() {
    let server = dev();
    let commands = printed(&server);
    let first: Vec<_> = commands.lines().skip_while(|l| !l.starts_with("curl ")).take(2).collect();
    let first = first.join(
        "
",
    );
    let without = first.replace("--cacert", "--output /dev/null --cacert /dev/null #");
    assert_eq!(paste(&server, &first).code, 0, "{first}");
    assert_ne!(paste(&server, &without).code, 0, "another CA is not enough");
}
