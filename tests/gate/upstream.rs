//! An API that tells what has reached it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

/// An API that answers every request with its line, headers and body, with the status that `X-Answer` asks for.
pub(crate) struct Upstream {
    heads: Heads,
}

/// The heads of all requests that have reached it.
type Heads = Arc<Mutex<Vec<String>>>;

impl Upstream {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let heads = Heads::default();
        let kept = heads.clone();
        // It ends with the process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                thread::spawn(move || answer(stream, &kept));
            }
        });
        Self { heads }
    }

    /// How many requests have reached it whose head holds `mark`.
    pub(crate) fn reached(&self, mark: &str) -> usize {
        self.heads.lock().unwrap().iter().filter(|head| head.contains(mark)).count()
    }
}

fn answer(stream: TcpStream, heads: &Heads) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        match reader.read_until(b'\n', &mut line) {
            Ok(read) if read > 0 => {}
            _ => return,
        }
        let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    heads.lock().unwrap().push(lines.join("\n"));
    let headers: Vec<Value> =
        lines.iter().skip(1).filter_map(|l| l.split_once(':')).map(|(n, v)| json!([n, v.trim()])).collect();
    let length =
        |l: &String| l.to_ascii_lowercase().strip_prefix("content-length:").map(|v| v.trim().parse::<usize>().unwrap());
    let mut body = vec![0; lines.iter().find_map(length).unwrap_or(0)];
    if reader.read_exact(&mut body).is_err() {
        return;
    }
    let told = json!({"line": lines[0], "headers": headers, "body": String::from_utf8_lossy(&body)}).to_string();
    let status = lines.iter().find_map(|l| l.strip_prefix("X-Answer: ")).unwrap_or("200 OK");
    let text = if lines[0].starts_with("HEAD ") { "" } else { &told };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/x-echo\r\nConnection: close\r\nContent-Length");
    // Who has gone needs no answer.
    let _ = reader.into_inner().write_all(format!("{head}: {}\r\n\r\n{text}", told.len()).as_bytes());
}
