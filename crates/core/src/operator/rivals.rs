//! Who else answers where a declared issuer would: looked up by the base URLs themselves, never by reading every issuer.

use std::collections::BTreeMap;

use ficha_types::IssuerName;

use super::{Operator, OperatorError};
use crate::{
    ports::{PLACES, Page, PlaceRow},
    records::Issuer,
};

/// Rows read at a time.
const PAGE: u32 = 1000;

/// Base URLs looked up at a time.
const LOOKED_UP: usize = 16 * PLACES;

impl Operator {
    /// The issuers that are not among `declared` and have a base URL that may be in the way of one of theirs.
    pub(super) async fn rivals(&self, declared: &[Issuer]) -> Result<Vec<Issuer>, OperatorError> {
        let mut rivals = self.routes.rivals(declared);
        rivals.urls.extend(declared.iter().flat_map(|i| &i.places).map(|place| place.url.written_out()));
        let mut found = BTreeMap::new();
        let urls: Vec<_> = rivals.urls.into_iter().collect();
        for urls in urls.chunks(LOOKED_UP) {
            note(&mut found, self.rules.clients.places(urls).await?);
        }
        for host in &rivals.hosts {
            let mut page = Page { after: String::new(), limit: PAGE };
            loop {
                let rows = self.rules.clients.places_of_host(host, page.clone()).await?;
                let Some(last) = rows.last() else { break };
                page.after.clone_from(&last.url);
                note(&mut found, rows);
            }
        }
        for issuer in declared {
            found.remove(&issuer.name);
        }
        Ok(found.into_values().collect())
    }
}

fn note(found: &mut BTreeMap<IssuerName, Issuer>, rows: Vec<PlaceRow>) {
    found.extend(rows.into_iter().map(|row| (row.issuer.name.clone(), row.issuer)));
}
