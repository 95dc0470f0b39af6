//! Reading an access token back: is it this issuer's, and what does it say?

use std::sync::Arc;

use ficha_jose::Compact;
use ficha_types::Algorithm;

use crate::{
    ports::{Dialects, ReadFacts},
    records::Api,
    views::Place,
};

/// An access token of this issuer whose signature was checked, and the API that it is for.
pub(crate) struct ReadToken {
    pub(crate) facts: ReadFacts,
    pub(crate) api: Arc<Api>,
}

/// `None` when it is not an access token of this issuer. The key's algorithm decides, never the token's word, and an HS256 key
/// counts for its own API alone. Expiry, marks and revocation are the caller's.
pub(crate) fn read_access_token(place: &Place, dialects: &dyn Dialects, token: &str) -> Option<ReadToken> {
    let parsed = Compact::parse(token).ok()?;
    let algorithm: Algorithm = parsed.header().alg.parse().ok()?;
    let key = place
        .issuer
        .keys
        .verifiers(algorithm, parsed.header().kid.as_deref())
        .find(|key| parsed.verify_with(&key.verifying))?;
    let claims: serde_json::Map<_, _> = serde_json::from_slice(parsed.payload()).ok()?;
    let names = place.issuer.issuer.dialects().into_iter();
    let mut readings = names.filter_map(|name| dialects.dialect(name)).filter_map(|d| d.read_claims(&claims));
    // A client's own subject, as one dialect writes it, is a stranger's to another: who knows it as the client's is right.
    let first = readings.next()?;
    let facts = if first.user.is_none() { first } else { readings.find(|r| r.user.is_none()).unwrap_or(first) };
    let api = place.issuer.api_for(&facts.audience)?.clone();
    let whole = facts.issuer == *place.issuer.iss
        && api.algorithm_allows(key.row.algorithm)
        && key.row.api.as_ref().is_none_or(|name| *name == api.name);
    whole.then_some(ReadToken { facts, api })
}
