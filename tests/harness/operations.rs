//! What an operator asks a server: over its Unix socket, and at its operations port.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
};

use serde_json::Value;

use super::{Answer, Server};

impl Server {
    /// The answer to a request of administration, as the commands make them, with a body where there is one.
    pub fn administer(&self, line: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.at_socket(&format!(
            "{line} HTTP/1.1\r\nHost: ficha\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// The answer to these bytes over its socket.
    pub fn at_socket(&self, request: &str) -> Answer {
        let mut socket = UnixStream::connect(self.data.join("admin.sock")).unwrap();
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

    /// Its metrics as they stand now.
    pub fn metrics(&self) -> String {
        self.ops().base("").get("/metrics").expect(200).text().to_owned()
    }
}

/// The sum of a metric's values under these labels.
pub fn sum(metrics: &str, name: &str, labels: &[&str]) -> f64 {
    let of = |line: &&str| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "));
    let lines = metrics.lines().filter(of).filter(|line| labels.iter().all(|label| line.contains(label)));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
