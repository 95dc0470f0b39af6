//! An answer, whole.

use std::fmt::Write;

use serde_json::Value;

/// What came back, as it came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The words behind it.
    pub reason: String,
    /// The headers, names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads the head of an answer; the body is still to come.
    pub fn of_head(head: &str) -> Self {
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap().splitn(3, ' ');
        let version = first.next().unwrap();
        assert!(version == "HTTP/1.1" || version == "HTTP/1.0", "no HTTP: {head}");
        let status = first.next().unwrap().parse().unwrap();
        let reason = first.next().unwrap_or_default().to_owned();
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        let headers = lines.filter(|l| !l.is_empty()).map(header).collect();
        Self { status, reason, headers, body: Vec::new() }
    }

    /// The one header of that name; two are a failure.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// A text of the JSON body, by JSON pointer or by the name of a member.
    pub fn member(&self, name: &str) -> String {
        let json = self.json();
        let value = if name.starts_with('/') { json.pointer(name) } else { json.get(name) };
        let value = value.unwrap_or_else(|| panic!("there is no {name}: {}", self.whole()));
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    }

    /// The access token.
    pub fn access_token(&self) -> String {
        self.member("access_token")
    }

    /// The refresh token.
    pub fn refresh_token(&self) -> String {
        self.member("refresh_token")
    }

    /// Fails unless the status is `status`; gives the answer back.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.whole());
        self
    }

    /// Status and `error`, or `status` alone where there is none: `401 invalid_client`.
    pub fn verdict(&self) -> String {
        let error = serde_json::from_slice::<Value>(&self.body).ok();
        match error.as_ref().and_then(|e| e.get("error")).and_then(Value::as_str) {
            Some(error) => format!("{} {error}", self.status),
            None => self.status.to_string(),
        }
    }

    /// The whole answer as text: status line, headers by name, an empty line, the body. `date` and `content-length`, which say
    /// nothing of ours, are checked and left out.
    pub fn whole(&self) -> String {
        let mut headers: Vec<_> = self.headers.iter().filter(|(n, _)| n != "date" && n != "content-length").collect();
        headers.sort();
        if let Some(length) = self.header("content-length") {
            assert!(self.body.is_empty() || length == self.body.len().to_string(), "{length}");
        }
        let mut out = format!("{} {}\n", self.status, self.reason);
        for (name, value) in headers {
            writeln!(out, "{name}: {value}").unwrap();
        }
        write!(out, "\n{}", String::from_utf8_lossy(&self.body)).unwrap();
        out
    }
}
