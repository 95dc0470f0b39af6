//! `[listen]`

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;

use super::section;
use crate::{
    kinds::{Address, AddressOrOff, List, Network, seconds},
    reader::Reader,
};

section! {
    /// Where ficha listens, whom it believes, and how it stops.
    pub struct Listen = "listen" {
        /// Addresses for HTTPS, HTTP/1.1 and HTTP/2 alike. Port 0 lets the system choose.
        https: Vec<SocketAddr> = List(Address), r#"["0.0.0.0:8443"]"#;
        /// Addresses for plain HTTP, for proxies that end TLS themselves (see `trusted_proxies`) and for programs on the same
        /// machine. Everything else that comes here is refused.
        http: Vec<SocketAddr> = List(Address), "[]";
        /// The operations port: `/livez`, `/readyz`, `/metrics`, in plain HTTP. Keep it where only operators get at it.
        ops: Option<SocketAddr> = AddressOrOff, r#""127.0.0.1:9090""#;
        /// Proxies whose word counts (`Forwarded`, `X-Forwarded-*`) on where a request came from and whether it was secure. From
        /// anybody else these headers are ignored.
        trusted_proxies: Vec<IpNet> = List(Network), "[]";
        /// How long requests are still served after the order to stop, while `/readyz` already answers 503: longer than the load
        /// balancer takes to notice.
        drain_s: Duration = seconds(0..=300), "5";
        /// How long after that what was begun may take to finish. A supervisor must wait longer than both together.
        shutdown_s: Duration = seconds(0..=600), "30";
    }
}

impl Listen {
    /// Notes what contradicts itself.
    pub(crate) fn check(&self, reader: &mut Reader<'_>) {
        if self.https.is_empty() && self.http.is_empty() {
            reader.contradiction(("listen", "https"), "no address at all: expected at least one here or in http");
        }
        let ops = self.ops.as_slice();
        let with_keys = [("https", self.https.as_slice()), ("http", &self.http), ("ops", ops)];
        let all: Vec<(&'static str, SocketAddr)> =
            with_keys.into_iter().flat_map(|(key, list)| list.iter().map(move |address| (key, *address))).collect();
        for (i, (key, address)) in all.iter().enumerate() {
            let before = all.iter().take(i).find(|(other, a)| a == address && a.port() != 0 && other != key);
            if let Some((other, _)) = before {
                let message = format!("{address} is in {other} too: expected an address of its own for each");
                reader.contradiction(("listen", key), message);
            }
        }
        if self.trusted_proxies.is_empty()
            && let Some(open) = self.http.iter().find(|a| !a.ip().is_loopback())
        {
            let message = format!(
                "plain HTTP at {open} would refuse every request: name the proxies before it in trusted_proxies, or listen at a loopback address"
            );
            reader.contradiction(("listen", "http"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::load::tests::{complaints, config};

    #[test]
    fn the_defaults_are_https_for_all_and_operations_for_this_machine() {
        let listen = config("").listen;
        assert_eq!(listen.https, ["0.0.0.0:8443".parse().unwrap()]);
        assert_eq!(listen.ops, Some("127.0.0.1:9090".parse().unwrap()));
        assert!(listen.http.is_empty() && listen.trusted_proxies.is_empty());
        assert_eq!((listen.drain_s.as_secs(), listen.shutdown_s.as_secs()), (5, 30));
    }

    #[test]
    fn operations_can_be_switched_off() {
        assert_eq!(config("[listen]\nops = \"off\"").listen.ops, None);
    }

    #[test]
    fn a_proxy_is_an_address_or_a_network_but_not_everybody() {
        let text = "[listen]\ntrusted_proxies = [\"10.0.0.7\", \"fd00::/8\"]";
        let proxies = config(text).listen.trusted_proxies;
        assert_eq!(proxies, ["10.0.0.7/32".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let text = "[listen]\ntrusted_proxies = [\n\"0.0.0.0/0\",\n\"10.0.0.1/8\",\n\"proxy\"]";
        assert_eq!(
            complaints(text),
            [
                "ficha.toml:3: [listen] trusted_proxies: 0.0.0.0/0 is everybody: whom all trust, all can pretend to be",
                "ficha.toml:4: [listen] trusted_proxies: 10.0.0.1/8 is an address within 10.0.0.0/8: write the one that you mean",
                "ficha.toml:5: [listen] trusted_proxies: expected an IP address or network, as in \"10.0.0.7\", \"10.0.0.0/8\" or \"fd00::/8\"; found \"proxy\"",
            ]
        );
    }

    #[test]
    fn a_host_name_is_no_address() {
        assert_eq!(
            complaints("[listen]\nhttp = [\"localhost:8080\"]"),
            [
                "ficha.toml:2: [listen] http: expected an IP address and a port, as in \"127.0.0.1:8080\" or \"[::]:8443\"; found \"localhost:8080\""
            ]
        );
    }

    #[test]
    fn one_address_serves_one_purpose() {
        let text = "[listen]\nhttps = [\"127.0.0.1:1\"]\nhttp = [\"127.0.0.1:1\"]\nops = \"127.0.0.1:1\"";
        assert_eq!(
            complaints(text),
            [
                "ficha.toml:3: [listen] http: 127.0.0.1:1 is in https too: expected an address of its own for each",
                "ficha.toml:4: [listen] ops: 127.0.0.1:1 is in https too: expected an address of its own for each",
            ]
        );
        let chosen = "[listen]\nhttps = [\"127.0.0.1:0\"]\nhttp = [\"127.0.0.1:0\"]\nops = \"127.0.0.1:0\"";
        assert_eq!(config(chosen).listen.http.len(), 1);
    }

    #[test]
    fn plain_http_for_strangers_is_refused() {
        let open = "[listen]\nhttp = [\"0.0.0.0:8080\"]";
        assert_eq!(
            complaints(open),
            [
                "ficha.toml:2: [listen] http: plain HTTP at 0.0.0.0:8080 would refuse every request: name the proxies before it in trusted_proxies, or listen at a loopback address"
            ]
        );
        assert_eq!(config(&format!("{open}\ntrusted_proxies = [\"10.0.0.7\"]")).listen.http.len(), 1);
        assert_eq!(config("[listen]\nhttp = [\"[::1]:8080\"]").listen.http.len(), 1);
    }

    #[test]
    fn somewhere_it_must_listen() {
        assert_eq!(
            complaints("[listen]\nhttps = []"),
            ["ficha.toml:2: [listen] https: no address at all: expected at least one here or in http"]
        );
    }
}
