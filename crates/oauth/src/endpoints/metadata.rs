//! Authorization server metadata (RFC 8414). All URLs come from the configuration, never from the request.

use ficha_core::ports::Dialect;
use ficha_types::base_url::below;
use serde::Serialize;

use super::{Told, public_json};
use crate::{dialect::Answer, face::Call};

/// RFC 8414 §2.
#[derive(Serialize)]
struct Metadata<'a> {
    issuer: &'a str,
    token_endpoint: String,
    jwks_uri: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    grant_types_supported: Vec<&'a str>,
    /// There is no authorization endpoint, but the member is required.
    response_types_supported: [&'a str; 0],
    token_endpoint_auth_methods_supported: Vec<&'a str>,
    revocation_endpoint_auth_methods_supported: Vec<&'a str>,
    introspection_endpoint_auth_methods_supported: [&'a str; 2],
    /// Ours: where APIs follow revocations, and the keys that sign them.
    revocation_feed_endpoint: String,
    revocation_feed_jwks_uri: String,
}

pub(crate) fn metadata(call: &Call<'_>) -> (Answer, Told) {
    let iss = &*call.place.issuer.iss;
    let own = &call.place.issuer.issuer.dialect;
    // An alias answers with the canonical issuer, and so with that one's paths.
    let canonical = call.place.issuer.issuer.places.first().and_then(|p| p.dialect.as_ref()).unwrap_or(own);
    let dialect = call.compiled(canonical);
    let dialect = dialect.as_deref().unwrap_or(call.dialect);
    let at = |path: &str| below(iss, path);
    let methods: Vec<_> = dialect.profile().auth_methods.iter().map(|m| m.as_str()).collect();
    let body = Metadata {
        issuer: iss,
        token_endpoint: dialect.token_endpoint(iss),
        jwks_uri: at(dialect.endpoints().jwks()),
        revocation_endpoint: at(dialect.endpoints().revoke()),
        introspection_endpoint: at(dialect.endpoints().introspect()),
        grant_types_supported: dialect.grant_types().map(|(name, _)| name).collect(),
        response_types_supported: [],
        token_endpoint_auth_methods_supported: methods.clone(),
        revocation_endpoint_auth_methods_supported: methods,
        introspection_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
        revocation_feed_endpoint: at(dialect.endpoints().feed()),
        revocation_feed_jwks_uri: at(dialect.endpoints().feed_jwks()),
    };
    (public_json(serde_json::to_vec(&body).expect("a struct of texts is always JSON")), Told::Nothing)
}
