//! The bounds of a listener.

use std::time::Duration;

/// The bounds of one listener and its connections.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections open at the same time; further ones are closed at once.
    pub connections: usize,
    /// Connections open at the same time from one address (IPv6: one /64), trusted proxies not counted.
    pub connections_per_address: u32,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time for the head of a request from its first byte, and for the first request of a connection to begin.
    pub header_read: Duration,
    /// Bytes of a request's head, at least 8,192.
    pub header_bytes: usize,
    /// Time that a connection may lie idle, from the beginning of its last request.
    pub idle: Duration,
    /// Time from a request's arrival to its answer, its body included.
    pub request: Duration,
    /// Time beyond [`Limits::request`] in which a client must have taken what it was answered.
    pub answer_taken: Duration,
    /// Requests over one connection, after which it is closed in good order.
    pub requests_per_connection: u64,
    /// What concerns HTTP/2 alone.
    pub http2: Http2Limits,
}

/// The bounds of an HTTP/2 connection.
#[derive(Debug, Clone)]
pub struct Http2Limits {
    /// Requests at the same time.
    pub concurrent_streams: u32,
    /// Bytes of one request's body that may be on their way.
    pub stream_window: u32,
    /// Bytes of all request bodies of one connection that may be on their way.
    pub connection_window: u32,
    /// Bytes of one answer that wait for a slow client.
    pub send_buffer: usize,
    /// Requests that a client may take back before we have looked at them (CVE-2023-44487), then the connection ends.
    pub pending_resets: usize,
    /// Requests that we had to take back for the client's errors (CVE-2025-8671), then the connection ends.
    pub error_resets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_address: 1_024,
            handshake: Duration::from_secs(10),
            header_read: Duration::from_secs(10),
            header_bytes: 32 << 10,
            idle: Duration::from_secs(75),
            request: Duration::from_secs(30),
            answer_taken: Duration::from_secs(30),
            requests_per_connection: 1_000_000,
            http2: Http2Limits::default(),
        }
    }
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self {
            concurrent_streams: 128,
            stream_window: 128 << 10,
            connection_window: 1 << 20,
            send_buffer: 128 << 10,
            pending_resets: 20,
            error_resets: 256,
        }
    }
}
