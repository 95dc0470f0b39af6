//! A vendor's own way to revoke: everything of the client at one API.

use ficha_core::{client_auth::authenticate, token::revoke_at_api};
use ficha_telemetry::metrics::{Revocation, metrics};

use super::{Told, token::count_refused};
use crate::{
    dialect::{Answer, Endpoint, Sent},
    face::Call,
};

pub(crate) async fn vendor_revoke(call: &Call<'_>) -> (Answer, Told) {
    let sent = Sent { query: call.parts.uri.query(), headers: &call.parts.headers, body: call.body };
    let (request, asked) = match call.dialect.parse_vendor_revoke(sent) {
        Ok(read) => read,
        Err(refused) => {
            return (call.dialect.render_refusal(&refused.refusal, refused.asked), Told::refused(&refused.refusal));
        }
    };
    let done = async {
        let client = authenticate(call.rules, call.place, &call.caller, request.who).await?;
        revoke_at_api(call.rules, call.place, (&call.caller, &client), &request.target).await?;
        Ok(client.view().client.id.clone())
    };
    match done.await {
        Ok(client) => {
            metrics().revocations.count(Revocation::ClientAtApi);
            (call.dialect.render_vendor_revoked(), Told::Revoked { client, what: "everything at the api".into() })
        }
        Err(refusal) => {
            count_refused(Endpoint::VendorRevoke, None, &refusal);
            (call.dialect.render_refusal(&refusal, asked), Told::refused(&refusal))
        }
    }
}
