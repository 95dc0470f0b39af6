//! Token introspection (RFC 7662), for APIs with a secret of their own.

use ficha_core::token::{ActiveToken, Introspection, introspect as ask};
use ficha_telemetry::metrics::{Introspection as Outcome, metrics};
use serde::Serialize;

use super::{Told, json, token::count_refused};
use crate::{
    dialect::{Answer, Endpoint, Sent, StandardForm},
    face::Call,
};

/// RFC 7662 §2.2.
#[derive(Serialize)]
struct Good<'a> {
    active: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    token_type: &'static str,
    exp: i64,
    iat: i64,
    sub: &'a str,
    aud: &'a str,
    iss: &'a str,
    jti: &'a str,
}

pub(crate) async fn introspect(call: &Call<'_>) -> (Answer, Told) {
    let sent = Sent { query: call.parts.uri.query(), headers: &call.parts.headers, body: call.body };
    let (form, asked) = match StandardForm::parse(Endpoint::Introspect, sent) {
        Ok(read) => read,
        Err(refused) => {
            metrics().introspections.count(Outcome::Refused);
            return (call.dialect.render_refusal(&refused.refusal, refused.asked), Told::refused(&refused.refusal));
        }
    };
    match ask(call.rules, call.place, &call.caller, (&form.who, form.token.expose())).await {
        Ok((api, Introspection::Active(token))) => {
            metrics().introspections.count(Outcome::Active);
            (json(token.answer(active)), Told::Introspected { api, active: true })
        }
        Ok((api, Introspection::Inactive)) => {
            metrics().introspections.count(Outcome::Inactive);
            (json(r#"{"active":false}"#), Told::Introspected { api, active: false })
        }
        Err(refusal) => {
            metrics().introspections.count(Outcome::Refused);
            count_refused(Endpoint::Introspect, None, &refusal);
            (call.dialect.render_refusal(&refusal, asked), Told::refused(&refusal))
        }
    }
}

fn active(token: &ActiveToken) -> Vec<u8> {
    let answer = Good {
        active: true,
        scope: &token.scope,
        client_id: &token.client_id,
        username: token.username.as_deref(),
        token_type: "Bearer",
        exp: token.exp.0,
        iat: token.iat.0,
        sub: &token.sub,
        aud: &token.aud,
        iss: &token.iss,
        jti: &token.jti,
    };
    let mut body = Vec::with_capacity(512);
    serde_json::to_writer(&mut body, &answer).expect("a struct of texts and numbers is always JSON");
    body
}
