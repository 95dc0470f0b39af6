//! A large declaration in pieces: each is planned and committed by itself, so that none holds up others for long and an
//! interrupted application goes on where it ended.

use std::collections::HashSet;

use super::{Declaration, DeclaredIssuer, Problem};

/// The most clients and users of one piece: what one commit writes.
pub const PIECE: usize = 250;

impl DeclaredIssuer {
    /// The issuer and its APIs alone, which what belongs to them needs beside it.
    fn head(&self) -> Self {
        Self {
            at: self.at.clone(),
            name: self.name.clone(),
            dialect: self.dialect.clone(),
            places: self.places.clone(),
            default_api: self.default_api.clone(),
            apis: self.apis.clone(),
            clients: Vec::new(),
            users: Vec::new(),
            ..*self
        }
    }

    /// The clients and users that it names.
    #[must_use]
    pub fn members(&self) -> usize {
        self.clients.len() + self.users.len()
    }
}

impl Declaration {
    /// The clients and users that it names.
    #[must_use]
    pub fn members(&self) -> usize {
        self.issuers.iter().map(DeclaredIssuer::members).sum()
    }

    /// It in pieces of at most [`PIECE`] clients and users: first every issuer with its APIs, then what belongs to them. A
    /// small declaration is one piece.
    ///
    /// # Errors
    /// Clients and users that are declared twice, which no piece alone shows.
    pub fn pieces(self) -> Result<Vec<Self>, Vec<Problem>> {
        if self.members() <= PIECE {
            return Ok(vec![self]);
        }
        let problems: Vec<_> = self.issuers.iter().flat_map(twice).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut pieces = vec![Self { issuers: self.issuers.iter().map(DeclaredIssuer::head).collect() }];
        let mut piece = Self::default();
        for issuer in self.issuers {
            let head = issuer.head();
            let (mut clients, mut users) = (issuer.clients.into_iter(), issuer.users.into_iter());
            loop {
                let room = PIECE - piece.members();
                let clients: Vec<_> = clients.by_ref().take(room).collect();
                let users: Vec<_> = users.by_ref().take(room - clients.len()).collect();
                if clients.is_empty() && users.is_empty() {
                    break;
                }
                piece.issuers.push(DeclaredIssuer { clients, users, ..head.head() });
                if piece.members() == PIECE {
                    pieces.push(std::mem::take(&mut piece));
                }
            }
        }
        if !piece.issuers.is_empty() {
            pieces.push(piece);
        }
        Ok(pieces)
    }
}

fn twice(issuer: &DeclaredIssuer) -> Vec<Problem> {
    let (mut ids, mut names) = (HashSet::new(), HashSet::new());
    let clients = issuer.clients.iter().filter(|client| !ids.insert(&client.id));
    let clients = clients.map(|c| c.at.problem("id", format!("the client {} is declared twice", c.id)));
    let users = issuer.users.iter().filter(|user| !names.insert(&user.name));
    clients.chain(users.map(|u| u.at.problem("name", format!("the user {} is declared twice", u.name)))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ficha_types::Seconds;

    use super::*;
    use crate::operator::{At, DeclaredClient};

    fn client(id: &str) -> DeclaredClient {
        DeclaredClient {
            at: At::default(),
            id: id.parse().unwrap(),
            secrets: Vec::new(),
            grants: BTreeSet::new(),
            scopes: BTreeMap::new(),
            auth_methods: None,
            refresh_without_secret: false,
            properties: BTreeMap::new(),
            max_concurrent: 1,
            max_per_second: None,
            status: None,
        }
    }

    fn issuer(name: &str, clients: usize) -> DeclaredIssuer {
        DeclaredIssuer {
            at: At::default(),
            name: name.parse().unwrap(),
            dialect: "standard".parse().unwrap(),
            places: Vec::new(),
            default_api: None,
            allow_loopback_http: false,
            rsa_bits: 2048,
            password_refusal_after_ms: 300,
            max_revocations_per_client: 1,
            outage_grace: Seconds(0),
            apis: Vec::new(),
            clients: (0..clients).map(|n| client(&format!("app-{n}"))).collect(),
            users: Vec::new(),
        }
    }

    #[test]
    fn a_small_declaration_is_one_piece() {
        let pieces = Declaration { issuers: vec![issuer("a", 100), issuer("b", 150)] }.pieces().unwrap();
        assert_eq!(pieces.iter().map(Declaration::members).collect::<Vec<_>>(), [250]);
    }

    #[test]
    fn a_large_one_begins_with_every_issuer_and_loses_nothing() {
        let issuers = vec![issuer("a", 300), issuer("none", 0), issuer("b", 10), issuer("c", 600)];
        let pieces = Declaration { issuers }.pieces().unwrap();
        assert_eq!(pieces.iter().map(Declaration::members).collect::<Vec<_>>(), [0, 250, 250, 250, 160]);
        let names = |piece: &Declaration| piece.issuers.iter().map(|i| i.name.to_string()).collect::<Vec<_>>();
        assert_eq!(
            pieces.iter().map(names).collect::<Vec<_>>(),
            [vec!["a", "none", "b", "c"], vec!["a"], vec!["a", "b", "c"], vec!["c"], vec!["c"]]
        );
        let ids =
            pieces.iter().flat_map(|piece| &piece.issuers).flat_map(|i| i.clients.iter().map(|c| (&i.name, &c.id)));
        assert_eq!(ids.collect::<BTreeSet<_>>().len(), 910);
    }

    #[test]
    fn a_client_that_is_declared_twice_is_found_though_its_pieces_are_far_apart() {
        let mut issuer = issuer("a", 1000);
        issuer.clients.push(client("app-3"));
        let problems = Declaration { issuers: vec![issuer] }.pieces().unwrap_err();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].message, "the client app-3 is declared twice");
    }
}
