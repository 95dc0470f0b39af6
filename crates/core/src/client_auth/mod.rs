//! Client authentication: turns credentials into a client that may act, or says no in one way for every reason.

mod id_alone;
mod shared_secret;

use std::sync::Arc;

use ficha_telemetry::metrics::{ClientAuth, metrics};
use ficha_types::{AuthMethod, ClientId};

pub(crate) use shared_secret::{authenticate_api, prove_api};

use crate::{
    Refusal,
    feed::Trust,
    records::Status,
    refusal::ClientFailure,
    rules::Rules,
    token::{Caller, Credentials},
    views::{ClientView, Place},
};

/// A client that proved a secret. Only this module makes one.
#[derive(Debug, Clone)]
pub struct AuthenticatedClient {
    view: Arc<ClientView>,
    secret: Arc<str>,
}

impl AuthenticatedClient {
    /// The client.
    #[must_use]
    pub fn view(&self) -> &Arc<ClientView> {
        &self.view
    }

    /// Id of the secret that it proved.
    #[must_use]
    pub fn secret(&self) -> &Arc<str> {
        &self.secret
    }
}

/// A client that gave its id alone, and may: only `refresh_token` accepts it. Only this module makes one.
#[derive(Debug, Clone)]
pub struct IdentifiedClient {
    view: Arc<ClientView>,
}

/// Who asks.
#[derive(Debug, Clone)]
pub enum Who {
    /// It proved a secret.
    Authenticated(AuthenticatedClient),
    /// It gave its id alone.
    Identified(IdentifiedClient),
}

impl Who {
    /// The client.
    #[must_use]
    pub fn view(&self) -> &Arc<ClientView> {
        match self {
            Self::Authenticated(client) => &client.view,
            Self::Identified(client) => &client.view,
        }
    }

    /// Id of the secret that was proved.
    #[must_use]
    pub fn secret(&self) -> Option<&Arc<str>> {
        match self {
            Self::Authenticated(client) => Some(&client.secret),
            Self::Identified(_) => None,
        }
    }
}

/// Who asks, for a grant that takes the id alone from clients that may.
///
/// # Errors
/// [`Refusal::NoCredentials`], [`Refusal::Client`], [`Refusal::TooManyFailures`], [`Refusal::Unavailable`].
pub async fn identify(rules: &Rules, place: &Place, caller: &Caller, credentials: Credentials) -> Result<Who, Refusal> {
    match credentials {
        Credentials::Id(id) => {
            let client = id_alone::identify(rules, place, &id).await;
            Ok(Who::Identified(counted(ClientAuth::IdOnly, client)?))
        }
        other @ (Credentials::None | Credentials::Secret { .. }) => {
            Ok(Who::Authenticated(authenticate(rules, place, caller, other).await?))
        }
    }
}

/// Who asks, for everything that needs a proof.
///
/// # Errors
/// [`Refusal::NoCredentials`], [`Refusal::Client`], [`Refusal::TooManyFailures`], [`Refusal::Unavailable`].
pub async fn authenticate(
    rules: &Rules,
    place: &Place,
    caller: &Caller,
    credentials: Credentials,
) -> Result<AuthenticatedClient, Refusal> {
    match credentials {
        Credentials::None => counted(ClientAuth::None, Err(Refusal::NoCredentials)),
        Credentials::Id(_) => counted(ClientAuth::IdOnly, Err(Refusal::Client(ClientFailure::NoSecret))),
        Credentials::Secret { method, readings } => {
            let label = match method {
                AuthMethod::ClientSecretBasic => ClientAuth::Basic,
                AuthMethod::ClientSecretPost => ClientAuth::Body,
            };
            let client = counted(label, shared_secret::authenticate(rules, place, caller, (method, readings)).await);
            client.map_err(|refusal| if place.trust == Trust::Away { unsure(refusal) } else { refusal })
        }
    }
}

/// Without the store a wrong secret may be a new one, and who was disabled may be enabled: that is never told as their fault.
fn unsure(refusal: Refusal) -> Refusal {
    if matches!(refusal, Refusal::Client(_)) { Refusal::Unavailable } else { refusal }
}

/// Counts a client that was not accepted.
fn counted<T>(method: ClientAuth, client: Result<T, Refusal>) -> Result<T, Refusal> {
    client.inspect_err(|refusal| {
        if matches!(refusal, Refusal::NoCredentials | Refusal::Client(_)) {
            metrics().client_auth_failures.count(method);
        }
    })
}

/// Whether the client may authenticate by `method` at this place: the dialect must take it, and the client's own list too.
fn may_use(place: &Place, view: &ClientView, method: AuthMethod) -> bool {
    let own = view.client.auth_methods.as_ref();
    place.dialect.profile().auth_methods.contains(&method) && own.is_none_or(|methods| methods.contains(&method))
}

async fn find(rules: &Rules, place: &Place, id: &str) -> Result<Option<Arc<ClientView>>, Refusal> {
    let Ok(id) = id.parse::<ClientId>() else { return Ok(None) };
    if place.trust == Trust::Away {
        // Whoever is not remembered can't be looked up: that is never told as "unknown".
        return rules.node.remembered_client(&place.slot, &id).map(Some).ok_or(Refusal::Unavailable);
    }
    Ok(rules.node.client(&place.slot, &id).await?)
}

fn enabled(view: Arc<ClientView>) -> Result<Arc<ClientView>, Refusal> {
    match view.client.status {
        Status::Enabled => Ok(view),
        Status::Disabled => Err(Refusal::Client(ClientFailure::Disabled)),
    }
}
