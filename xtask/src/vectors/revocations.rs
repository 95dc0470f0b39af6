//! What is known to be dead, by the entries of the revocation feed.

use serde_json::{Value, json};

use super::draft::{Draft, NOON, case};

const TOKEN: &str = "a revoked token is dead by its jti";
const FAMILY: &str = "a revoked family takes with it every jti that begins with its 22 characters and goes on";
const MARK: &str = "a mark covers what was issued at its second or before, and what does not say when";
const KEY: &str = "a withdrawn key's tokens are dead";

pub(crate) fn all() -> Vec<Draft> {
    let dead = |name, rule, claims: Value| case(name, rule, "revoked").claims(&claims).to("revoked");
    let alive = |name, rule, claims: Value| case(name, rule, "ok").claims(&claims).to("revoked");
    let at_mark = NOON - 60;
    vec![
        alive("nothing is known of the token", TOKEN, json!({})),
        dead("the token's jti is revoked", TOKEN, json!({"jti": "dead-token"})),
        alive("a jti that differs by a capital", TOKEN, json!({"jti": "Dead-token"})),
        alive("a jti that begins alike", TOKEN, json!({"jti": "dead-token-2"})),
        alive("no jti", TOKEN, json!({"jti": null})),
        dead("a token of a revoked family", FAMILY, json!({"jti": "AAAAAAAAAAAAAAAAAAAAAAbcdefgh"})),
        alive("a token with the family's id alone", FAMILY, json!({"jti": "AAAAAAAAAAAAAAAAAAAAAA"})),
        alive("a token of another family", FAMILY, json!({"jti": "BAAAAAAAAAAAAAAAAAAAAAbcdefgh"})),
        dead("issued to the client at its mark", MARK, json!({"client_id": "dead-app", "iat": at_mark})),
        alive(
            "issued to the client a second after its mark",
            MARK,
            json!({"client_id": "dead-app", "iat": at_mark + 1}),
        ),
        dead("issued to the client, nobody knows when", MARK, json!({"client_id": "dead-app", "iat": null})),
        dead("issued to the client by azp", MARK, json!({"client_id": null, "azp": "dead-app", "iat": at_mark})),
        alive("the client's name in sub", MARK, json!({"sub": "dead-app", "iat": at_mark})),
        dead("issued for the user at its mark", MARK, json!({"sub": "dead-user", "iat": at_mark})),
        alive("issued for the user after its mark", MARK, json!({"sub": "dead-user", "iat": at_mark + 1})),
        dead("issued by the issuer at its mark", MARK, json!({"iat": at_mark})).to("revoked-issuer"),
        alive("issued by the issuer after its mark", MARK, json!({"iat": at_mark + 1})).to("revoked-issuer"),
        case("signed by a withdrawn key", KEY, "key_withdrawn")
            .header(&json!({"alg": "PS256", "typ": "at+jwt", "kid": "ps256"}), "ps256")
            .to("revoked"),
        case("signed by another key", KEY, "ok")
            .header(&json!({"alg": "ES256", "typ": "at+jwt", "kid": "es256"}), "es256")
            .to("revoked"),
        dead("revoked, in the last second of its leeway", TOKEN, json!({"jti": "dead-token"})).after(3629),
    ]
}
