//! Token revocation (RFC 7009): a client takes its own token back.

use ficha_core::{
    client_auth::authenticate,
    token::{Revoked, revoke_token},
};
use ficha_telemetry::metrics::{Revocation, metrics};

use super::{Told, json, token::count_refused};
use crate::{
    dialect::{Answer, Endpoint, Sent, StandardForm},
    face::Call,
};

pub(crate) async fn revoke(call: &Call<'_>) -> (Answer, Told) {
    let sent = Sent { query: call.parts.uri.query(), headers: &call.parts.headers, body: call.body };
    let (form, asked) = match StandardForm::parse(Endpoint::Revoke, sent) {
        Ok(read) => read,
        Err(refused) => {
            return (call.dialect.render_refusal(&refused.refusal, refused.asked), Told::refused(&refused.refusal));
        }
    };
    let done = async {
        let client = authenticate(call.rules, call.place, &call.caller, form.who).await?;
        let revoked = revoke_token(call.rules, call.place, (&call.caller, &client), form.token.expose()).await?;
        Ok((client.view().client.id.clone(), revoked))
    };
    match done.await {
        Ok((client, revoked)) => {
            let (what, label) = match revoked {
                Revoked::Token(id) => (format!("token {id}"), Revocation::Token),
                Revoked::Family(id) => (format!("family {id}"), Revocation::Family),
                Revoked::AtApi(api, _) => (format!("everything at {api}"), Revocation::ClientAtApi),
                Revoked::Nothing => ("nothing".to_owned(), Revocation::Nothing),
            };
            metrics().revocations.count(label);
            (json("{}"), Told::Revoked { client, what })
        }
        Err(refusal) => {
            count_refused(Endpoint::Revoke, None, &refusal);
            (call.dialect.render_refusal(&refusal, asked), Told::refused(&refusal))
        }
    }
}
