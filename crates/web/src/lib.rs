//! What every listener shares: serving, TLS, request ids, the access log.

pub mod access_log;
mod answering;
pub mod body;
mod connection;
mod forwarded;
mod limits;
pub mod peer;
pub mod proxy;
pub mod request_id;
pub mod serve;
mod shutdown;
pub mod tls;
mod watched;
mod within;

pub use access_log::AccessLine;
pub use answering::Answering;
pub use body::{BodyError, BodyLimits, read_bounded};
pub use limits::{Http2Limits, Limits};
pub use peer::Arrival;
pub use proxy::{BadForwarding, Head, Host, Origin, TrustedProxies};
pub use request_id::{RequestId, RequestIds};
pub use serve::{Listener, Serving, wind_down};
pub use shutdown::{Phase, Shutdown};
pub use tls::{CertStore, CertificateFiles, TlsError};
