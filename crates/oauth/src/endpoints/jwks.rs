//! The key set (RFC 7517 §5): what APIs check signatures with. No symmetric key, none for refresh tokens.

use super::{Told, public_json};
use crate::{dialect::Answer, face::Call};

pub(crate) fn jwks(call: &Call<'_>) -> (Answer, Told) {
    let set = call.place.issuer.keys.published();
    (public_json(serde_json::to_vec(&set).expect("a set of public keys is always JSON")), Told::Nothing)
}
