//! `[gate]`

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;

use super::section;
use crate::{
    kinds::{Address, FilePath, List, Network, Optional},
    reader::Reader,
};

section! {
    /// Forward authentication: proxies in front of APIs ask at `/verify` whether a request may pass, and whose it is. What was
    /// revoked is refused at once. `ficha gate` does the same beside a proxy, without the database.
    pub struct Gate = "gate" {
        /// Addresses at which proxies ask, in plain HTTP: on this machine, or within a network that nobody else listens to.
        listen: Vec<SocketAddr> = List(Address), "[]";
        /// Proxies that may ask, and whose word counts on which request it is about. Everybody else is refused.
        trusted_proxies: Vec<IpNet> = List(Network), r#"["127.0.0.0/8", "::1"]"#;
        /// The file of rules: which host, method and path needs which scope of whose tokens. Needed when `listen` has an address.
        /// Relative to the folder of the configuration file.
        rules: Option<PathBuf> = Optional(FilePath("the path of a file")), "";
    }
}

impl Gate {
    /// Notes what contradicts itself, or the addresses that are `taken`.
    pub(crate) fn check(&self, taken: &[SocketAddr], reader: &mut Reader<'_>) {
        if self.rules.is_none() && !self.listen.is_empty() {
            reader.contradiction(("gate", "listen"), "who listens needs rules: expected [gate] rules = \"FILE\"");
        }
        check_listening(&self.listen, &self.trusted_proxies, taken, reader);
    }
}

/// Notes what is wrong with the addresses at which proxies ask.
pub(crate) fn check_listening(listen: &[SocketAddr], trusted: &[IpNet], taken: &[SocketAddr], reader: &mut Reader<'_>) {
    if let Some(address) = listen.iter().find(|address| address.port() != 0 && taken.contains(address)) {
        let message = format!("{address} is taken by another listener: expected an address of its own for each");
        reader.contradiction(("gate", "listen"), message);
    }
    let only_here = trusted.iter().all(|network| network.addr().is_loopback());
    if let Some(open) = listen.iter().find(|address| only_here && !address.ip().is_loopback()) {
        let message = format!(
            "at {open} every request would be refused: name the proxies in trusted_proxies, or listen at a loopback address"
        );
        reader.contradiction(("gate", "listen"), message);
    }
}

#[cfg(test)]
mod tests {
    use crate::load::tests::{complaints, config};

    #[test]
    fn without_a_word_there_is_no_gate() {
        let gate = config("").gate;
        assert!(gate.listen.is_empty() && gate.rules.is_none());
        assert_eq!(gate.trusted_proxies, ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
    }

    #[test]
    fn who_listens_needs_rules_an_address_of_its_own_and_proxies_that_can_reach_it() {
        assert_eq!(
            complaints("[gate]\nlisten = [\"127.0.0.1:9091\"]"),
            ["ficha.toml:2: [gate] listen: who listens needs rules: expected [gate] rules = \"FILE\""]
        );
        assert_eq!(
            complaints("[gate]\nlisten = [\"10.0.0.1:9091\"]\nrules = \"rules.toml\""),
            [
                "ficha.toml:2: [gate] listen: at 10.0.0.1:9091 every request would be refused: name the proxies in trusted_proxies, or listen at a loopback address"
            ]
        );
        assert_eq!(
            complaints("[gate]\nlisten = [\"127.0.0.1:9090\"]\nrules = \"rules.toml\""),
            [
                "ficha.toml:2: [gate] listen: 127.0.0.1:9090 is taken by another listener: expected an address of its own for each"
            ]
        );
        let good = "[gate]\nlisten = [\"10.0.0.1:9091\"]\nrules = \"rules.toml\"\ntrusted_proxies = [\"10.0.0.0/8\"]";
        assert!(config(good).gate.rules.is_some());
    }
}
