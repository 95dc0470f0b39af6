//! What stands against tokens, for an API that begins to follow it.

use ficha_types::{ApiName, ClientId, FamilyId, IssuerName, Kid, Subject, TokenId, UnixSeconds};

use super::{BoxFuture, StoreError};

/// Something that a verifier must hold against tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Against {
    /// A token was revoked; it stands until then.
    Token(TokenId, UnixSeconds),
    /// A family was: every token whose id begins with the family's.
    Family(FamilyId, UnixSeconds),
    /// The tokens of a client that were issued until then, inclusive.
    Client(ClientId, UnixSeconds),
    /// Those of a user.
    User(Subject, UnixSeconds),
    /// Those of the issuer.
    Issuer(UnixSeconds),
    /// A key is no longer one of the issuer's: nothing that it signed is good.
    Key(Kid),
}

/// Where the next page of facts begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StandingPlace {
    /// With the first mark.
    #[default]
    Start,
    /// After the mark of that kind, owner and API.
    AfterMark(String, String, String),
    /// After the revocation of that token and API; the first one for two empty texts.
    AfterToken(String, String),
    /// After that family; the first one for an empty text.
    AfterFamily(String),
    /// After the key's change of that number.
    AfterKey(i64),
}

/// Which facts are wanted.
#[derive(Debug, Clone)]
pub struct Standings {
    /// Those that concern this API.
    pub api: ApiName,
    /// Revocations that stand longer than until now.
    pub now: UnixSeconds,
    /// Marks after this moment: what an older one covers has expired.
    pub marks_after: UnixSeconds,
}

/// A page of facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingPage {
    /// The facts. A key that is told here may be there still: whoever reads them knows the keys.
    pub facts: Vec<Against>,
    /// Where the next page begins; none after the last one.
    pub next: Option<StandingPlace>,
}

/// Reads what stands against tokens.
pub trait StandingStore: Send + Sync {
    /// A page of at most `limit` facts from `place` on; it may be empty and not the last one. Pages are read one by one: what
    /// comes between two of them is a change of its own.
    fn standing_page<'a>(
        &'a self,
        issuer: &'a IssuerName,
        wanted: &'a Standings,
        place: &'a StandingPlace,
        limit: u32,
    ) -> BoxFuture<'a, Result<StandingPage, StoreError>>;

    /// How many facts there are about now.
    fn standing_count<'a>(
        &'a self,
        issuer: &'a IssuerName,
        wanted: &'a Standings,
    ) -> BoxFuture<'a, Result<u64, StoreError>>;
}
