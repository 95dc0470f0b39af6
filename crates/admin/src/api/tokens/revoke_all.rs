//! `POST …/tokens/revoke-all`: everything issued until now.

use axum::Json;
use ficha_core::operator::Marking;
use ficha_types::{IssuerName, UnixSeconds};
use serde::{Deserialize, Serialize};

use crate::{
    api::{Answer, State},
    extract::{Body, Named, Who},
};

/// How far a revocation reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marked {
    /// A mark ends what was issued until then; the revocation of one token stands until then.
    pub until: UnixSeconds,
}

pub(crate) async fn revoke_all(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named(issuer): Named<IssuerName>,
    Body(whose): Body<Marking>,
) -> Answer<Marked> {
    Ok(Json(Marked { until: operator.token_revoke_all(&actor, &issuer, &whose).await? }))
}
