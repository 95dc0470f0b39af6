//! The one line per request.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
#[doc(hidden)]
pub use tracing;

/// Bytes of a path that are logged.
const LONGEST_PATH: usize = 256;

/// What the line of every request tells. [`crate::access!`] writes it, with what the endpoint adds.
#[derive(Debug, Clone, Copy)]
pub struct AccessLine<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The request's path without its query, which may hold what nobody should read.
    pub path: &'a str,
    /// The status of the answer.
    pub status: StatusCode,
    /// Who asked, behind trusted proxies.
    pub client: IpAddr,
    /// When the request arrived ([`crate::Arrival::at`]).
    pub since: Instant,
}

impl AccessLine<'_> {
    /// The beginning of the path.
    #[must_use]
    pub fn short_path(&self) -> &str {
        self.path.get(..self.path.floor_char_boundary(LONGEST_PATH)).unwrap_or_default()
    }

    /// Time since the request arrived.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.since.elapsed()
    }

    /// The same in microseconds.
    #[must_use]
    pub fn micros(&self) -> u64 {
        u64::try_from(self.duration().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Writes the one line of a request: `access!(line)`, or `access!(line, grant = "password", client.id = id)` with fields as in
/// `tracing`'s macros. Costs nothing where access lines are switched off.
#[macro_export]
macro_rules! access {
    ($line:expr $(, $($field:tt)+)?) => {{
        let line: &$crate::access_log::AccessLine<'_> = &$line;
        $crate::access_log::tracing::info!(
            target: "access",
            method = line.method.as_str(),
            path = line.short_path(),
            status = line.status.as_u16(),
            duration_us = line.micros(),
            peer = %line.client,
            $($($field)+,)?
            "answered"
        );
    }};
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
        time::UNIX_EPOCH,
    };

    use ficha_telemetry::{LogOptions, logging};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_line_tells_what_every_request_tells_and_what_the_endpoint_adds() {
        let page = Page::default();
        let options = LogOptions { out: Some(Box::new(page.clone())), ..LogOptions::new(|| UNIX_EPOCH) };
        let (subscriber, guard) = logging::subscriber(options).unwrap();
        let path = format!("/oauth/token{}", "x".repeat(1_000));
        let line = AccessLine {
            method: &Method::POST,
            path: &path,
            status: StatusCode::UNAUTHORIZED,
            client: "192.0.2.1".parse().unwrap(),
            since: Instant::now(),
        };
        tracing::subscriber::with_default(subscriber, || {
            crate::access!(line);
            crate::access!(line, grant = "password", client.id = "a");
        });
        drop(guard);
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let [first, second] = text.lines().collect::<Vec<_>>()[..] else { panic!("two lines:\n{text}") };
        assert!(
            first.contains(r#""target":"access","message":"answered","method":"POST","path":"/oauth/token"#),
            "{first}"
        );
        assert!(
            first.contains(r#""status":401,"duration_us":"#) && first.contains(r#""peer":"192.0.2.1"}"#),
            "{first}"
        );
        assert!(first.len() < 500, "the path is cut: {first}");
        assert!(second.ends_with(r#""peer":"192.0.2.1","grant":"password","client.id":"a"}"#), "{second}");
    }
}
