//! The one line per request.

use std::{
    fmt::{self, Write},
    net::IpAddr,
    time::Duration,
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
    /// Time since the request arrived ([`crate::Arrival::at`]).
    pub took: Duration,
}

impl AccessLine<'_> {
    /// The beginning of the path.
    #[must_use]
    pub fn short_path(&self) -> &str {
        self.path.get(..self.path.floor_char_boundary(LONGEST_PATH)).unwrap_or_default()
    }

    /// [`AccessLine::took`] in microseconds.
    #[must_use]
    pub fn micros(&self) -> u64 {
        u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX)
    }
}

/// An address as a text that needs no allocation.
#[derive(Clone, Copy)]
pub struct AddressText {
    /// The longest is an IPv6 address with an IPv4 one in its end.
    bytes: [u8; 46],
    length: usize,
}

impl From<IpAddr> for AddressText {
    fn from(address: IpAddr) -> Self {
        let mut text = Self { bytes: [0; 46], length: 0 };
        // 46 bytes are enough for any.
        let _ = match address {
            IpAddr::V4(address) => text.dotted(address.octets()),
            IpAddr::V6(address) => write!(text, "{address}"),
        };
        text
    }
}

impl AddressText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    fn dotted(&mut self, octets: [u8; 4]) -> fmt::Result {
        for (n, octet) in octets.into_iter().enumerate() {
            if n > 0 {
                self.put(b".")?;
            }
            let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| b'0' + digit);
            let first = if octet > 99 { 0 } else { 2 - usize::from(octet > 9) };
            self.put(digits.get(first..).unwrap_or_default())?;
        }
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> fmt::Result {
        let end = self.length + bytes.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }
}

impl Write for AddressText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes())
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
            // A field and no trailing text, which would be formatted anew for each line.
            message = "answered",
            method = line.method.as_str(),
            path = line.short_path(),
            status = line.status.as_u16(),
            duration_us = line.micros(),
            peer = $crate::access_log::AddressText::from(line.client).as_str(),
            $($($field)+,)?
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
            took: Duration::from_micros(1_234),
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
        assert!(first.contains(r#""status":401,"duration_us":1234,"peer":"192.0.2.1"}"#), "{first}");
        assert!(first.len() < 500, "the path is cut: {first}");
        assert!(second.ends_with(r#""peer":"192.0.2.1","grant":"password","client.id":"a"}"#), "{second}");
    }

    #[test]
    fn an_address_is_written_as_the_standard_library_writes_it() {
        let longest = "1111:2222:3333:4444:5555:6666:255.255.255.255";
        for text in ["0.0.0.0", "255.255.255.255", "10.9.99.100", "::1", "2001:db8::ff", "::ffff:192.0.2.1", longest] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(AddressText::from(address).as_str(), address.to_string());
        }
    }
}
