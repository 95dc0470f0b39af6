//! What the rules need from outside, as traits: time, chance, the store, the dialects. All of them are dyn-safe by boxed
//! futures, so that the suite of the stores and the wiring take `&dyn`.

mod backup;
mod chance;
mod clients;
mod clock;
mod dialects;
mod feed;
mod operator;
mod standing;
mod store_error;
mod tokens;
mod upkeep;

use std::{future::Future, pin::Pin};

pub use backup::{BackupError, BackupStore, Copied};
pub use chance::Entropy;
pub use clients::{ClientRow, ClientStore, IssuerRows, PLACES, PlaceRow, UserRow};
pub use clock::Clock;
pub use dialects::{Dialect, Dialects, ReadFacts, TokenFacts};
pub use feed::{Beat, ChangeRow, Confirmation, Counters, Fact, FeedStore, LIVE_FOR, Lease, Place};
pub use operator::{Commit, Edit, Expect, OperatorStore, Page};
pub use standing::{Against, StandingPage, StandingPlace, StandingStore, Standings};
pub use store_error::StoreError;
pub use tokens::{
    FamilyUse, Kept, LiveKey, LiveOffer, LiveRow, MAX_LIVE, MarkSet, Revocation, Standing, TokenRevoked, TokenStore,
    Trade,
};
pub use upkeep::{PurgeReport, SecretUse, UpkeepStore};

/// A future in a box, as every port method answers.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
