//! Following the revocation feed.

use serde_json::Value;

use super::{Call, Connection, Parts};

/// A stream that is followed.
pub struct Feed {
    connection: Connection,
    read: String,
    /// The status, and the headers.
    pub answer: super::Answer,
}

/// What a stream says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// When to come back, in milliseconds.
    Retry(u64),
    /// An event: its `id`, its `event`, and its signed text.
    Event(String, String, String),
}

impl Feed {
    /// Asks for the stream.
    #[track_caller]
    pub fn open(call: &Call) -> Self {
        let mut connection = call.open();
        let answer = connection.read_head().unwrap();
        Self { connection, read: String::new(), answer }
    }

    /// The next thing that is said; none: the stream has ended in good order.
    #[track_caller]
    pub fn said(&mut self) -> Option<Said> {
        loop {
            if let Some((said, rest)) = self.read.split_once("\n\n") {
                let line = |name: &str| said.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "));
                let said = match line("retry") {
                    Some(ms) => Said::Retry(ms.parse().unwrap()),
                    None => {
                        let [id, event, data] = ["id", "event", "data"].map(|name| line(name).unwrap().to_owned());
                        Said::Event(id, event, data)
                    }
                };
                self.read = rest.to_owned();
                return Some(said);
            }
            let chunk = self.connection.read_chunk().unwrap();
            if chunk.is_empty() {
                assert_eq!(self.read, "", "it ended within an event");
                return None;
            }
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event: its signed text.
    #[track_caller]
    pub fn jws(&mut self) -> String {
        loop {
            match self.said().expect("the stream has ended") {
                Said::Retry(_) => {}
                Said::Event(_, _, jws) => return jws,
            }
        }
    }

    /// The payload of the next event.
    #[track_caller]
    pub fn event(&mut self) -> Value {
        serde_json::from_str(&Parts::of(&self.jws()).claims).unwrap()
    }

    /// The payload of the next event that is no heartbeat.
    #[track_caller]
    pub fn news(&mut self) -> Value {
        loop {
            let event = self.event();
            if event["kind"] != "heartbeat" {
                return event;
            }
        }
    }
}
