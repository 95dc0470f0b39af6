//! Records and ids to store.

use std::collections::{BTreeMap, BTreeSet};

use ficha_core::{
    ports::{Commit, Edit, Expect, FamilyUse, LiveKey, LiveOffer, LiveRow, Page, Revocation, Trade},
    records::{
        Api, AuditEntry, Client, Issuer, KeyRow, KeyState, Mark, Marked, PasswordHash, Place, RemovedSecrets,
        SealedKey, SealingPurpose, SecretOrigin, Status, StoredSecret, TokenFormat, User,
    },
};
use ficha_types::{
    Algorithm, ApiName, ClientId, FamilyId, GrantKind, IssuerName, Seconds, Subject, TokenId, UnixSeconds,
};

/// A day's noon.
pub const NOON: UnixSeconds = UnixSeconds(4_102_488_000);

/// A word of the protocol.
#[must_use]
pub fn word<T: std::str::FromStr<Err = ficha_types::BadWord>>(text: &str) -> T {
    text.parse().unwrap()
}

/// `n` seconds after [`NOON`].
#[must_use]
pub fn after_noon(n: i64) -> UnixSeconds {
    NOON + Seconds(n)
}

#[must_use]
pub fn issuer(name: &str) -> Issuer {
    Issuer {
        name: word(name),
        dialect: word("standard"),
        places: vec![Place { url: word(&format!("https://{name}.example")), dialect: None }],
        default_api: Some(word("cards")),
        allow_loopback_http: false,
        rsa_bits: 2048,
        password_refusal_after_ms: 300,
        max_revocations_per_client: 10_000,
        outage_grace: Seconds::minutes(5),
    }
}

#[must_use]
pub fn api(name: &str) -> Api {
    Api {
        name: word(name),
        audience: word(&format!("https://{name}.api.example")),
        scopes: vec![word("read"), word("write")],
        token_lifetime: Some(Seconds::hours(1)),
        algorithm: Algorithm::Es256,
        longest_lifetime: Seconds(0),
        format: TokenFormat::Jwt,
        secrets: vec![secret("introspection")],
        removed_secrets: RemovedSecrets::default(),
    }
}

#[must_use]
pub fn client(id: &str) -> Client {
    Client {
        id: word(id),
        status: Status::Enabled,
        secrets: vec![secret("first"), secret("second")],
        removed_secrets: RemovedSecrets::default().then(&[secret("before")], &[]),
        grants: BTreeSet::from([GrantKind::ClientCredentials, GrantKind::RefreshToken]),
        scopes: BTreeMap::from([(word("cards"), word("read write"))]),
        auth_methods: None,
        refresh_without_secret: false,
        properties: BTreeMap::from([("tenant".to_owned(), "ñandú \"1\"".to_owned())]),
        max_concurrent: 1024,
        max_per_second: Some(50),
        policy: 1,
    }
}

#[must_use]
pub fn user(name: &str, sub: &str) -> User {
    User {
        name: word(name),
        sub: word(sub),
        status: Status::Enabled,
        password: PasswordHash::new(format!("hash of {name}")),
        scopes: BTreeMap::from([(word("cards"), word("read"))]),
        password_source: Some([5; 32]),
    }
}

#[must_use]
pub fn key(kid: &str) -> KeyRow {
    KeyRow {
        kid: word(kid),
        algorithm: Algorithm::Hs256,
        api: Some(word("cards")),
        state: KeyState::Active,
        sealed: vec![0, 1, 255],
        created_at: NOON,
        since: after_noon(1),
    }
}

#[must_use]
pub fn sealing(number: u16) -> SealedKey {
    SealedKey { purpose: SealingPurpose::LiveTokens, number, master: "m1".to_owned(), sealed: vec![7; 60] }
}

#[must_use]
pub fn audit(action: &str) -> AuditEntry {
    AuditEntry {
        at: NOON,
        actor: "uid:0".to_owned(),
        action: action.to_owned(),
        subject: "app".to_owned(),
        detail: String::new(),
    }
}

fn secret(id: &str) -> StoredSecret {
    StoredSecret { id: id.to_owned(), origin: SecretOrigin::Generated, digest: [9; 32], created_at: NOON }
}

/// An issuer with the API `cards` and the client `app`.
pub async fn founded(store: &dyn super::Store, name: &str) -> IssuerName {
    let edits = vec![Edit::PutIssuer(issuer(name)), Edit::PutApi(api("cards")), Edit::PutClient(client("app"))];
    let issuer: IssuerName = word(name);
    let founding = Commit { issuer: issuer.clone(), edits, expect: Expect::New, audit: vec![], now: NOON };
    store.commit(founding).await.unwrap();
    issuer
}

/// An act that expects nothing.
#[must_use]
pub fn act(issuer: &IssuerName, edits: Vec<Edit>) -> Commit {
    Commit { issuer: issuer.clone(), edits, expect: Expect::Any, audit: vec![], now: NOON }
}

/// The number of the issuer's last change.
pub async fn last_change(store: &dyn super::Store, issuer: &IssuerName) -> i64 {
    store.issuer(issuer).await.unwrap().unwrap().change
}

#[must_use]
pub fn app() -> ClientId {
    word("app")
}

#[must_use]
pub fn cards() -> ApiName {
    word("cards")
}

/// The id of a family.
#[must_use]
pub fn family(n: u32) -> FamilyId {
    word(&format!("{n:0>22}"))
}

/// The use of a family's token of that step, retried for 120 s, kept for a week.
#[must_use]
pub fn used(n: u32, step: i64) -> FamilyUse {
    FamilyUse {
        family: family(n),
        client: app(),
        user: Some(word::<Subject>("u-1")),
        api: cards(),
        step,
        retry_window: Seconds(120),
        only_repeat: false,
        keep_until: NOON + Seconds::days(7),
    }
}

/// Uses steps 0 to `last` of a family, each once.
pub async fn advanced(store: &dyn super::Store, issuer: &IssuerName, n: u32, last: i64) {
    for step in 0..=last {
        assert_eq!(store.trade_refresh(issuer, &used(n, step), NOON).await.unwrap(), Trade::Done);
    }
}

/// The `jti` of a token without a family.
#[must_use]
pub fn token(n: u32) -> TokenId {
    word(&format!("{n:a>22}"))
}

/// The revocation of token `n` of `app`, issued `n` seconds after noon, standing for an hour.
#[must_use]
pub fn revocation(n: u32) -> Revocation {
    let issued_at = after_noon(n.into());
    Revocation { id: token(n), client: Some(app()), api: None, issued_at, until: issued_at + Seconds::hours(1) }
}

/// Where the live token of `app` at `cards` with that fingerprint is found.
#[must_use]
pub fn place(fingerprint: u8) -> LiveKey {
    LiveKey { client: app(), api: cards(), fingerprint: [fingerprint; 32] }
}

/// Token `n`, issued and offered at `now`, living an hour, good while 60 s are left.
#[must_use]
pub fn offer(n: u32, now: UnixSeconds) -> LiveOffer {
    LiveOffer {
        row: LiveRow {
            id: token(n),
            sealed: n.to_be_bytes().to_vec(),
            issued_at: now,
            expires_at: now + Seconds::hours(1),
            kid: "k1".to_owned(),
        },
        fresh_after: now + Seconds(60),
        not_before: UnixSeconds(0),
        now,
    }
}

/// The mark of `app`.
#[must_use]
pub fn mark_of_app(at: UnixSeconds) -> Mark {
    Mark { whose: Marked::Client(app()), at }
}

/// As much of a list as one page may hold.
#[must_use]
pub fn first_page() -> Page {
    Page { after: String::new(), limit: 1000 }
}
