//! Reading who there is.

use ficha_types::{ApiName, ClientId, IssuerName, Subject, UnixSeconds, Username};

use super::{BoxFuture, Page, StoreError};
use crate::records::{Api, Client, Issuer, KeyRow, SealedKey, User};

/// All that a node needs to know of an issuer to serve it, read as of one moment.
#[derive(Debug, Clone)]
pub struct IssuerRows {
    /// The declaration.
    pub issuer: Issuer,
    /// Its APIs, by name.
    pub apis: Vec<Api>,
    /// Its signing keys, by `kid`.
    pub keys: Vec<KeyRow>,
    /// Its symmetric keys.
    pub sealing: Vec<SealedKey>,
    /// Its own not-before mark.
    pub mark: Option<UnixSeconds>,
    /// The number of its last change of any kind.
    pub change: i64,
    /// The number of the last change of its declarations: itself, an API, client, user or key.
    pub configured: i64,
}

/// A client and the marks that cover its tokens, read as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRow {
    /// The declaration.
    pub client: Client,
    /// The client's mark.
    pub mark: Option<UnixSeconds>,
    /// Its marks at single APIs.
    pub api_marks: Vec<(ApiName, UnixSeconds)>,
}

/// A user and the mark that covers the person's tokens, read as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The declaration.
    pub user: User,
    /// The user's mark.
    pub mark: Option<UnixSeconds>,
}

/// A base URL and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceRow {
    /// The URL as [`ficha_types::BaseUrl::written_out`] writes it.
    pub url: String,
    /// The declaration of the issuer that answers there.
    pub issuer: Issuer,
}

/// Base URLs that are looked up by one statement: those of a path's nine prefixes, of two schemes, at three ports.
pub const PLACES: usize = 54;

/// Read one thing, as it is now; an absent one is `None`, never an error.
pub trait ClientStore: Send + Sync {
    /// Issuers' declarations by name, without what belongs to them.
    fn issuers(&self, page: Page) -> BoxFuture<'_, Result<Vec<Issuer>, StoreError>>;
    /// Those of `urls` that are base URLs, by one indexed read for every [`PLACES`] of them. They are written as
    /// [`ficha_types::BaseUrl::written_out`] does.
    fn places<'a>(&'a self, urls: &'a [String]) -> BoxFuture<'a, Result<Vec<PlaceRow>, StoreError>>;
    /// Whether a base URL stands at one of `origins`, written out without a prefix.
    fn stands<'a>(&'a self, origins: &'a [String]) -> BoxFuture<'a, Result<bool, StoreError>>;
    /// The base URLs of `host`, which is `scheme://host`, whatever their ports; by URL.
    fn places_of_host<'a>(&'a self, host: &'a str, page: Page) -> BoxFuture<'a, Result<Vec<PlaceRow>, StoreError>>;
    /// An issuer with what a node needs to serve it.
    fn issuer<'a>(&'a self, name: &'a IssuerName) -> BoxFuture<'a, Result<Option<IssuerRows>, StoreError>>;
    /// A client with its marks.
    fn client<'a>(
        &'a self,
        issuer: &'a IssuerName,
        id: &'a ClientId,
    ) -> BoxFuture<'a, Result<Option<ClientRow>, StoreError>>;
    /// A user by the name that is typed.
    fn user<'a>(
        &'a self,
        issuer: &'a IssuerName,
        name: &'a Username,
    ) -> BoxFuture<'a, Result<Option<UserRow>, StoreError>>;
    /// A user by `sub`.
    fn user_by_subject<'a>(
        &'a self,
        issuer: &'a IssuerName,
        sub: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<UserRow>, StoreError>>;
}
