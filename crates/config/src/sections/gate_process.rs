//! `[gate]` of `ficha gate`

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;

use super::{gate::check_listening, section};
use crate::{
    kinds::{Address, AddressOrOff, FilePath, List, Network, seconds},
    reader::Reader,
};

section! {
    /// Where proxies ask, which of them may, and by which rules they are answered.
    pub struct GateProcess = "gate" {
        /// Addresses at which proxies ask, in plain HTTP: on this machine, or within a network that nobody else listens to.
        listen: Vec<SocketAddr> = List(Address), r#"["127.0.0.1:9091"]"#;
        /// Proxies that may ask, and whose word counts on which request it is about. Everybody else is refused.
        trusted_proxies: Vec<IpNet> = List(Network), r#"["127.0.0.0/8", "::1"]"#;
        /// The file of rules: which host, method and path needs which scope of whose tokens. Relative to the folder of the
        /// configuration file.
        rules: PathBuf = FilePath("the path of a file"), "";
        /// The operations port: `/livez`, `/readyz`, `/metrics`, in plain HTTP. Keep it where only operators get at it.
        ops: Option<SocketAddr> = AddressOrOff, r#""127.0.0.1:9092""#;
        /// How long requests are still answered after the order to stop, while `/readyz` already answers 503.
        drain_s: Duration = seconds(0..=300), "0";
        /// How long after that what was begun may take to finish.
        shutdown_s: Duration = seconds(0..=600), "10";
    }
}

impl GateProcess {
    /// Notes what contradicts itself.
    pub(crate) fn check(&self, reader: &mut Reader<'_>) {
        if self.listen.is_empty() {
            reader.contradiction(("gate", "listen"), "no address at all: expected at least one");
        }
        check_listening(&self.listen, &self.trusted_proxies, self.ops.as_slice(), reader);
    }
}
