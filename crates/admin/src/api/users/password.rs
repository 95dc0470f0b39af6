//! `POST …/users/{user}/password`.

use axum::Json;
use ficha_core::operator::DeclaredPassword;
use ficha_types::{IssuerName, Username};
use serde::{Deserialize, Serialize};

use crate::{
    api::{Answer, Done, State},
    extract::{Body, Named, Who},
};

/// A new password.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The password, or a hash of it that was made elsewhere.
    pub password: DeclaredPassword,
    /// `true` sets no not-before mark.
    #[serde(default)]
    pub keep_tokens: bool,
}

pub(crate) async fn password(
    axum::extract::State(operator): State,
    Who(actor): Who,
    Named((issuer, user)): Named<(IssuerName, Username)>,
    Body(asked): Body<PasswordRequest>,
) -> Answer<Done> {
    operator.user_password(&actor, (&issuer, &user), (&asked.password, asked.keep_tokens)).await?;
    Ok(Json(Done {}))
}
