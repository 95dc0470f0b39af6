//! Who sent a request over which connection.

use std::{net::SocketAddr, sync::Arc, time::Instant};

/// How a request came here; [`crate::Listener`] tells it of each that it serves.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The other end of the connection; an IPv4 address is written as one, never mapped into IPv6.
    pub peer: SocketAddr,
    /// This end of the connection, written alike.
    pub local: SocketAddr,
    /// Whether it came by TLS.
    pub tls: bool,
    /// The server name of the handshake. It says nothing of the issuer: the `Host` alone does.
    pub sni: Option<Arc<str>>,
    /// When its head had been read.
    pub at: Instant,
}

impl Arrival {
    /// Whether both ends are this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.peer.ip().to_canonical().is_loopback() && self.local.ip().to_canonical().is_loopback()
    }
}

/// `address` with an IPv4 address that is mapped into IPv6 written as IPv4.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
