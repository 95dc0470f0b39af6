//! How nodes learn of each other's changes, and of each other.

use std::time::Duration;

use ficha_types::{ApiName, ClientId, FamilyId, IssuerName, Kid, NodeName, Subject, TokenId, UnixMillis, UnixSeconds};

use super::{BoxFuture, StoreError};
use crate::records::{Mark, SealingPurpose};

/// What changed: what a cache or a verifier must learn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// The issuer's declaration.
    Issuer,
    /// An API's declaration, or there is none any more.
    Api(ApiName),
    /// A client's declaration, or there is none any more.
    Client(ClientId),
    /// A user's declaration, or there is none any more.
    User(Subject),
    /// A signing key was made or replaced.
    Key(Kid),
    /// A signing key is gone: withdrawn, or at the end of its life. What it signed is good no more.
    KeyGone(Kid),
    /// A symmetric key was made or replaced.
    SealingKey(SealingPurpose),
    /// A not-before mark was set.
    Mark(Mark),
    /// A token was revoked.
    Token {
        /// Its `jti`.
        id: TokenId,
        /// Whose it is, where known.
        client: Option<ClientId>,
        /// The API that it concerns; all when absent.
        api: Option<ApiName>,
        /// How long that stands.
        until: UnixSeconds,
    },
    /// A family was revoked.
    Family {
        /// The family.
        id: FamilyId,
        /// The API that its tokens are for; not known of a family that was begun by an older version.
        api: Option<ApiName>,
        /// When its last token is over.
        until: UnixSeconds,
    },
    /// A live token was replaced by its successor.
    LiveToken {
        /// The `jti` of the one that was replaced.
        id: TokenId,
        /// Whose.
        client: ClientId,
        /// For which API.
        api: ApiName,
    },
    /// Something that this version does not know: whoever remembers anything of the issuer forgets all of it.
    Other,
}

/// A change as it is kept for a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its number in its issuer: without gaps, visible in order.
    pub number: i64,
    /// What changed.
    pub fact: Fact,
    /// When, by the clock of the node that did it.
    pub at: UnixSeconds,
}

/// The last numbers that were given, as of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// Counts the changes of any issuer's declaration: a table of base URLs that was made at another value is out of date.
    pub directory: i64,
    /// The last change of each issuer that was asked for and exists.
    pub issuers: Vec<(IssuerName, i64)>,
}

/// Up to which change a node has applied those of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The issuer.
    pub issuer: IssuerName,
    /// The number of the last change that was applied.
    pub change: i64,
}

/// How far a node has come with the changes of an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The node.
    pub node: NodeName,
    /// The number of the last change that it has applied.
    pub change: i64,
}

/// What a heartbeat was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// The clock of the database while it wrote the beat.
    pub now: UnixMillis,
    /// The nodes that have beaten within [`LIVE_FOR`], by name.
    pub live: Vec<NodeName>,
}

/// A duty that one node has at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which.
    pub name: &'static str,
    /// Who wants it.
    pub node: NodeName,
    /// For how long, from now on by the clock of the database.
    pub span: Duration,
}

/// How long after its last beat a node still counts as live.
pub const LIVE_FOR: Duration = Duration::from_secs(10);

/// How nodes learn of each other's changes. `now` is the node's clock: it counts where the engine has none of its own.
pub trait FeedStore: Send + Sync {
    /// At most `limit` changes of an issuer after number `after`, in order, without gaps. Those of the last day are kept: when
    /// the first one's number is not `after + 1` while the issuer's last is above `after`, the asker is too far behind, and
    /// begins anew from the records.
    fn changes_since<'a>(
        &'a self,
        issuer: &'a IssuerName,
        after: i64,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<ChangeRow>, StoreError>>;

    /// The last numbers of those issuers and of the directory, by one statement.
    fn counters<'a>(&'a self, issuers: &'a [IssuerName]) -> BoxFuture<'a, Result<Counters, StoreError>>;

    /// A sign of life: a small durable write, so it tells too whether the store takes writes.
    fn beat<'a>(&'a self, node: &'a NodeName, now: UnixMillis) -> BoxFuture<'a, Result<Beat, StoreError>>;

    /// The node goes: nobody waits for it any more.
    fn leave<'a>(&'a self, node: &'a NodeName) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The node has applied the changes of those issuers up to those numbers; never moves one back. From the first time on
    /// that it is named with an issuer it counts as one that remembers something of it.
    fn confirm<'a>(&'a self, node: &'a NodeName, places: &'a [Place]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The live nodes that remember something of the issuer, by name, and how far each has come.
    fn confirmations<'a>(
        &'a self,
        issuer: &'a IssuerName,
        now: UnixMillis,
    ) -> BoxFuture<'a, Result<Vec<Confirmation>, StoreError>>;

    /// Takes the duty, or keeps it; `false` while another node has it.
    fn take_lease<'a>(&'a self, lease: &'a Lease, now: UnixMillis) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Resolves when another node may have changed something: sooner than a poll would see it, and without promise. Pends for
    /// ever where the engine tells nothing.
    fn notified(&self) -> BoxFuture<'_, ()>;
}
