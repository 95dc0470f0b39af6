//! The endpoints, one a file.

pub(crate) mod introspect;
pub(crate) mod jwks;
pub(crate) mod metadata;
pub(crate) mod revocations;
pub(crate) mod revoke;
pub(crate) mod token;
pub(crate) mod vendor_revoke;

use std::sync::Arc;

use bytes::Bytes;
use ficha_core::{Refusal, token::Issued};
use ficha_types::{ApiName, ClientId, DialectName};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA},
};

use crate::dialect::Answer;

/// What the line of a request adds.
pub(crate) enum Told {
    /// Nothing.
    Nothing,
    /// Why it was refused.
    Refused(&'static str),
    /// What was issued to whom.
    Issued(Box<Issuance>),
    /// What was revoked by whom.
    Revoked {
        /// The client.
        client: ClientId,
        /// `token …`, `family …`, `nothing`.
        what: String,
    },
    /// Who follows the revocation feed.
    Follows {
        /// The API.
        api: ApiName,
        /// The last change that it knew.
        from: Option<i64>,
    },
    /// Who asked for a token.
    Introspected {
        /// The API.
        api: ApiName,
        /// Whether it is good.
        active: bool,
    },
}

/// What was issued.
pub(crate) struct Issuance {
    pub(crate) dialect: DialectName,
    pub(crate) token: Issued,
    pub(crate) scope: Arc<str>,
}

impl Told {
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self::Refused(refusal.name())
    }
}

/// An answer of JSON that nobody may keep.
fn json(body: impl Into<Bytes>) -> Answer {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    Answer { status: StatusCode::OK, headers, body: body.into() }
}

/// An answer of JSON that everybody may keep for five minutes.
fn public_json(body: impl Into<Bytes>) -> Answer {
    let mut answer = json(body);
    answer.headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    answer.headers.remove(PRAGMA);
    answer
}
