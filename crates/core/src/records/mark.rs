//! Not-before marks: "everything issued until then is dead".

use ficha_types::{ApiName, ClientId, Subject, UnixSeconds};

/// Whose tokens a mark ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Marked {
    /// Every token of the issuer.
    Issuer,
    /// Those of a client.
    Client(ClientId),
    /// Those of a client at one API.
    ClientAtApi(ClientId, ApiName),
    /// Those of a user.
    User(Subject),
}

/// A token is dead when its `iat` ≤ `at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Whose tokens.
    pub whose: Marked,
    /// Until when, inclusive.
    pub at: UnixSeconds,
}
