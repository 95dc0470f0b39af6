//! The port of what stands against tokens.

use ficha_core::ports::{BoxFuture, StandingPage, StandingPlace, StandingStore, Standings, StoreError};
use ficha_types::IssuerName;

use super::{SqliteStore, at_once};
use crate::queries::standing;

type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

impl StandingStore for SqliteStore {
    fn standing_page<'a>(
        &'a self,
        issuer: &'a IssuerName,
        wanted: &'a Standings,
        place: &'a StandingPlace,
        limit: u32,
    ) -> Answer<'a, StandingPage> {
        let (issuer, wanted, place) = (issuer.clone(), wanted.clone(), place.clone());
        self.read(move |s| at_once(standing::page(s, &issuer, &wanted, (&place, limit))))
    }

    fn standing_count<'a>(&'a self, issuer: &'a IssuerName, wanted: &'a Standings) -> Answer<'a, u64> {
        let (issuer, wanted) = (issuer.clone(), wanted.clone());
        self.read(move |s| at_once(standing::count(s, &issuer, &wanted)))
    }
}
