//! The id alone: no proof at all, for `refresh_token` and for clients that were allowed it.

use super::{IdentifiedClient, enabled, find};
use crate::{Refusal, refusal::ClientFailure, rules::Rules, views::Place};

pub(super) async fn identify(rules: &Rules, place: &Place, id: &str) -> Result<IdentifiedClient, Refusal> {
    let view = find(rules, place, id).await?.ok_or(Refusal::Client(ClientFailure::Unknown))?;
    if !(place.dialect.profile().refresh_by_id_alone && view.client.refresh_without_secret) {
        return Err(Refusal::Client(ClientFailure::NoSecret));
    }
    Ok(IdentifiedClient { view: enabled(view)? })
}
