//! Who gets at the socket.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use ficha_tests::{Config, Server};
use serde_json::Value;

use crate::{ask, server};

#[test]
fn it_is_for_the_servers_user_alone_and_goes_with_the_server() {
    let mut server = Server::serve(Config::new());
    let path = server.data.join("admin.sock");
    let about = std::fs::metadata(&path).unwrap();
    assert!(about.file_type().is_socket());
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
    assert_eq!(server.stop(), 0);
    assert!(!path.exists());
}

#[test]
fn no_port_of_the_server_administers() {
    let server = server();
    for door in [server.https(), server.http(), server.ops()] {
        for base in [door.base(""), door.base("/acme")] {
            let answer = base.get("/v1/issuers");
            assert!([404, 421].contains(&answer.status), "{}", answer.whole());
        }
    }
    ask(&server, "GET /v1/issuers", &Value::Null).expect(200);
}
