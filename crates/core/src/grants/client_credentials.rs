//! The grant `client_credentials` (RFC 6749 §4.4): the client acts for itself.

use ficha_types::ScopeSet;

use super::{Authorization, Continues, Granted};
use crate::{
    Refusal,
    client_auth::{AuthenticatedClient, Who},
    token::{Target, choose_api},
    views::Place,
};

pub(crate) fn prove(
    place: &Place,
    client: AuthenticatedClient,
    (scope, target): (Option<ScopeSet>, Target),
) -> Result<Authorization, Refusal> {
    let api = choose_api(&place.issuer, client.view(), &target)?.clone();
    Ok(Authorization {
        who: Who::Authenticated(client),
        user: None,
        api,
        asked: scope,
        scope: Granted::OfClient,
        continues: Continues::Nothing,
    })
}
