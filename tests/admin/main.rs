//! Administration over the Unix socket, as the commands speak it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acts;
mod audit;
mod refusals;
mod socket;

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::Arc,
};

use ficha_tests::{Answer, Config, Server, Shared};
use serde_json::Value;

static SHARED: Shared<Server> = Shared::new();

/// A server with one issuer, `acme`, with one API, `cards`.
fn server() -> Arc<Server> {
    SHARED.get(own_server)
}

/// Such a server that nobody else administers.
fn own_server() -> Server {
    let server = Server::serve(Config::new());
    server.apply(
        "[[issuer]]\nname = \"acme\"\ndialect = \"standard\"\nbase_urls = [\"https://localhost:8443/acme\"]\n\
         [[issuer.api]]\nname = \"cards\"\naudience = \"https://cards.example\"\nscopes = [\"cards:read\"]\n",
    );
    server
}

/// The answer to a request over the socket, with a body where there is one.
fn ask(server: &Server, line: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(
        server,
        &format!(
            "{line} HTTP/1.1\r\nHost: ficha\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

fn send(server: &Server, request: &str) -> Answer {
    let mut socket = UnixStream::connect(server.data.join("admin.sock")).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        read.extend(byte);
    }
    let mut answer = Answer::of_head(std::str::from_utf8(&read).unwrap());
    answer.body = vec![0; answer.header("content-length").unwrap().parse().unwrap()];
    socket.read_exact(&mut answer.body).unwrap();
    answer
}
