//! The grants, one a file. A grant only proves: for whom, at which API, with which scope.

pub(crate) mod client_credentials;
pub(crate) mod password;
pub(crate) mod refresh_token;

use std::sync::Arc;

use ficha_types::{FamilyId, ScopeSet};

use crate::{
    client_auth::Who,
    records::Api,
    token::{RefreshFacts, Scoped, Spent},
    views::UserView,
};

/// What a grant proved: for whom, at which API, with which scope.
#[derive(Debug)]
pub(crate) struct Authorization {
    /// Who asks.
    pub(crate) who: Who,
    /// The user, where the grant involves one.
    pub(crate) user: Option<Arc<UserView>>,
    /// The API.
    pub(crate) api: Arc<Api>,
    /// What was asked for, as it was asked.
    pub(crate) asked: Option<ScopeSet>,
    /// What is granted: part of what client (and user) hold at the API.
    pub(crate) scope: Granted,
    /// What the answer continues.
    pub(crate) continues: Continues,
}

/// The granted scope: worked out where it is needed, since a live token is found by what was asked.
#[derive(Debug)]
pub(crate) enum Granted {
    /// What the client holds at the API, narrowed to what is asked.
    OfClient,
    /// This.
    Is(Arc<Scoped>),
}

/// What an answer continues.
#[derive(Debug)]
pub(crate) enum Continues {
    /// Nothing: it begins.
    Nothing,
    /// A family, whose refresh token stays as it was presented.
    Kept {
        /// The family.
        family: FamilyId,
        /// The refresh token, to be given back byte for byte.
        token: ficha_types::Secret,
    },
    /// A family, whose refresh token is spent.
    Rotating {
        /// What the spent token said.
        spent: Box<RefreshFacts>,
        /// Its expiry and those of its family.
        spend: Spent,
    },
}
