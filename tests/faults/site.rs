//! A server with rotating refresh tokens, live tokens, kept refresh tokens and introspection.

use ficha_tests::{Asker, Callers, Config, Server};

/// The server and who asks it.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) callers: Callers,
}

impl Site {
    /// A running server with its issuers.
    pub(crate) fn new(config: Config) -> Self {
        let mut site = Self::prepared(config);
        site.server.start();
        site.callers.declare(&site.server);
        site
    }

    /// A server that does not run yet.
    pub(crate) fn prepared(config: Config) -> Self {
        Self { server: Server::prepared(config), callers: Callers::new() }
    }

    /// Asks an issuer by plain HTTP.
    pub(crate) fn ask(&self, issuer: &str) -> Asker {
        self.callers.ask(&self.server.http(), issuer)
    }
}
