//! The steps of the protocol: each happens whole and is durable before it answers.

use ficha_types::{ApiName, ClientId, FamilyId, IssuerName, Seconds, Subject, TokenId, UnixSeconds};

use super::{BoxFuture, StoreError};
use crate::records::Mark;

/// Where a live token is found. The fingerprint is a SHA-256 over dialect, exact scope set, sender binding and the client's
/// policy version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LiveKey {
    /// Whose.
    pub client: ClientId,
    /// For which API.
    pub api: ApiName,
    /// What else decides that two requests get the same token.
    pub fingerprint: [u8; 32],
}

/// A live token as it is kept: sealed whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRow {
    /// Its `jti`.
    pub id: TokenId,
    /// The sealed token.
    pub sealed: Vec<u8>,
    /// When it was issued.
    pub issued_at: UnixSeconds,
    /// When it ends.
    pub expires_at: UnixSeconds,
    /// Published id of the key that signed it, to be found when that key is withdrawn.
    pub kid: String,
}

/// What became of an offered live token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// It is the live token from now on.
    Mine,
    /// Another one was there, with enough left: hand that out.
    Other(LiveRow),
    /// The client has [`MAX_LIVE`] at this API already: hand the offered one out, unkept.
    Full,
}

/// One use of a rotating refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyUse {
    /// The family.
    pub family: FamilyId,
    /// Whose.
    pub client: ClientId,
    /// The user of the grant, if there was one.
    pub user: Option<Subject>,
    /// The API that its tokens are for.
    pub api: ApiName,
    /// The step of the token that is used: 0 creates the family's row.
    pub step: i64,
    /// For how long after its use the predecessor gets the same successor again.
    pub retry_window: Seconds,
    /// The token has expired since: it may get the successor that it got before, but is not used any more.
    pub only_repeat: bool,
    /// When the family's row may go: its last token's expiry plus leeway; never moves back.
    pub keep_until: UnixSeconds,
}

/// What became of a refresh token that was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trade {
    /// The family is one step further.
    Done,
    /// The same token was used before, its successor was not yet, and the retry window is open.
    Repeated {
        /// The time of that first use: the successor's bytes are a function of it.
        used_at: UnixSeconds,
    },
    /// A replay: the family has been revoked by this step (or was before by one).
    Replayed,
    /// The family was revoked.
    Revoked,
    /// There is no such step: the family has no row, or has not come so far.
    Unknown,
}

/// A revocation of single tokens, standing until `until`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// The token.
    pub id: TokenId,
    /// Whose it is, where known.
    pub client: Option<ClientId>,
    /// The API that it concerns; all when absent.
    pub api: Option<ApiName>,
    /// When the token was issued (or now, where unknown): the order in which revocations fold into a mark.
    pub issued_at: UnixSeconds,
    /// `exp` plus the most leeway of a verifier.
    pub until: UnixSeconds,
}

/// What a revocation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenRevoked {
    /// How many were folded into the client's mark.
    pub folded: u64,
    /// The number of the issuer's last change: whoever has applied it knows of the revocation.
    pub change: i64,
}

/// What stands after a mark was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarkSet {
    /// The mark that stands.
    pub at: UnixSeconds,
    /// The number of the issuer's last change: whoever has applied it knows of the mark.
    pub change: i64,
}

/// What stands against a token, besides marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Good,
    /// It, or its family, was revoked.
    Revoked,
}

/// The steps of the protocol. Every one may be sent again with the same words after [`StoreError::OutcomeUnknown`].
pub trait TokenStore: Send + Sync {
    /// The live token that is kept under `key`, expired or not.
    fn live_token<'a>(
        &'a self,
        issuer: &'a IssuerName,
        key: &'a LiveKey,
    ) -> BoxFuture<'a, Result<Option<LiveRow>, StoreError>>;

    /// Keeps `offered` unless one is there that was issued after `not_before` and expires after `fresh_after`: then that one is
    /// answered. Of many racing callers one gets [`Kept::Mine`], all others the row of that one. At most 16 rows for a
    /// client and API (expired ones not counted).
    fn keep_live<'a>(
        &'a self,
        issuer: &'a IssuerName,
        key: &'a LiveKey,
        offer: &'a LiveOffer,
    ) -> BoxFuture<'a, Result<Kept, StoreError>>;

    /// Uses a rotating refresh token: the row moves from `step` to `step + 1` by one conditional statement. A replay revokes
    /// the family in the same transaction, which is a change.
    fn trade_refresh<'a>(
        &'a self,
        issuer: &'a IssuerName,
        used: &'a FamilyUse,
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<Trade, StoreError>>;

    /// Revokes one token, and ends its being the live one. Above `fold_above` standing ones of the client the oldest fold into
    /// the client's mark, just far enough. A change; repeating it is none.
    fn revoke_token<'a>(
        &'a self,
        issuer: &'a IssuerName,
        revocation: &'a Revocation,
        now: UnixSeconds,
        fold_above: u32,
    ) -> BoxFuture<'a, Result<TokenRevoked, StoreError>>;

    /// Revokes a family, used or not: the row is made if there is none and kept until `used.keep_until`. A change; repeating it
    /// is none. Answers the number of the issuer's last change: whoever has applied it knows of the revocation.
    fn revoke_family<'a>(
        &'a self,
        issuer: &'a IssuerName,
        used: &'a FamilyUse,
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<i64, StoreError>>;

    /// Sets a not-before mark (never moving one back) and ends the live tokens that it covers. A change. One that lies at or
    /// after `now` is as far after the clock of the database, when that is ahead.
    fn mark<'a>(
        &'a self,
        issuer: &'a IssuerName,
        mark: &'a Mark,
        now: UnixSeconds,
    ) -> BoxFuture<'a, Result<MarkSet, StoreError>>;

    /// What stands against a token `id` of `api` or against its `family`.
    fn standing<'a>(
        &'a self,
        issuer: &'a IssuerName,
        id: &'a TokenId,
        family: Option<&'a FamilyId>,
        api: &'a ApiName,
    ) -> BoxFuture<'a, Result<Standing, StoreError>>;

    /// The first `most` names of what was revoked: tokens and families, whatever the API.
    fn revoked<'a>(&'a self, issuer: &'a IssuerName, most: u32) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Whether the family of a kept refresh token (one that never rotates) was revoked.
    fn family_standing<'a>(
        &'a self,
        issuer: &'a IssuerName,
        family: &'a FamilyId,
    ) -> BoxFuture<'a, Result<Standing, StoreError>>;
}

/// A live token on offer, and what makes another one good enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOffer {
    /// The token.
    pub row: LiveRow,
    /// One that expires at or before this moment is replaced: now plus `min_remaining`.
    pub fresh_after: UnixSeconds,
    /// One that was issued at or before this moment is replaced: the mark that covers it.
    pub not_before: UnixSeconds,
    /// Now.
    pub now: UnixSeconds,
}

/// The most live tokens of one client at one API.
pub const MAX_LIVE: i64 = 16;
