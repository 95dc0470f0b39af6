//! Signing keys: rotation, the secrets of APIs, and the emergency.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_types::{Algorithm, ApiName, IssuerName, Kid, Seconds, Secret, UnixSeconds};
use serde::{Deserialize, Serialize};

use super::{
    Actor, Operator, OperatorError,
    act::{Act, Said, TRIES},
    declaration::exposed,
    make_keys::Needed,
    sealing::Sealing,
    slots::{Slot, WHEN_PROMOTED, WHEN_PROMOTED_EXPORTED, dialects, slots},
};
use crate::{
    ports::{Edit, IssuerRows},
    records::{KeyRow, KeyState, is_for_refresh},
};

/// How long a new key is published before it signs: longer than anybody caches a key set.
const PUBLISHED_BEFORE: Seconds = Seconds::days(1);
/// The most secrets of one API that verifiers hold and try.
const MAX_API_KEYS: usize = 2;

/// A key without its material.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// Its id in commands.
    pub kid: String,
    /// What it signs by.
    pub algorithm: Algorithm,
    /// The API whose secret it is (HS256).
    pub api: Option<String>,
    /// Where it stands in its life.
    pub state: KeyState,
    /// When it was made and published.
    pub created_at: UnixSeconds,
    /// When it may begin to sign (`next`), began (`active`) or stopped (`retiring`); `None`: when it is promoted.
    pub since: Option<UnixSeconds>,
    /// Whether a secret that waits for its promotion was exported; `None` where that does not matter.
    pub exported: Option<bool>,
}

/// Which keys are meant; all of the issuer's when nothing is named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyScope {
    /// Those that sign by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<Algorithm>,
    /// The one that signs this API's tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiName>,
    /// Whether the new key signs at once: whoever has not read the key set since refuses its tokens until then.
    #[serde(default)]
    pub now: bool,
}

/// An API's secret.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExportedKey {
    /// The key.
    pub kid: String,
    /// Whose.
    pub api: String,
    /// What it signs by.
    pub algorithm: Algorithm,
    /// The secret's bytes in base64url without padding, as in the `k` of a JWK (RFC 7518 §6.4.1).
    #[serde(serialize_with = "exposed")]
    pub secret: Secret,
}

impl KeyInfo {
    /// Whether it began to sign before everybody who keeps a key set can have read it. Secrets of APIs and keys for refresh
    /// tokens are in none.
    #[must_use]
    pub fn signs_early(&self) -> bool {
        let published = self.api.is_none() && !self.kid.parse().is_ok_and(|kid| is_for_refresh(&kid));
        let early = self.since.is_some_and(|since| since < self.created_at + PUBLISHED_BEFORE);
        published && early && self.state == KeyState::Active
    }
}

/// What came of a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawn {
    /// The key that is gone.
    pub kid: String,
    /// The key that takes its place, when it needed one.
    pub successor: Option<KeyInfo>,
}

/// A key without its material.
pub(super) fn info(row: &KeyRow, now: UnixSeconds) -> KeyInfo {
    let waits = row.state == KeyState::Next && row.since >= WHEN_PROMOTED_EXPORTED;
    let state = if row.state == KeyState::Next && row.since <= now { KeyState::Active } else { row.state };
    KeyInfo {
        kid: row.kid.to_string(),
        algorithm: row.algorithm,
        api: row.api.as_ref().map(ToString::to_string),
        state,
        created_at: row.created_at,
        since: (!waits).then_some(row.since),
        exported: waits.then_some(row.since == WHEN_PROMOTED_EXPORTED),
    }
}

fn find<'r>(rows: &'r IssuerRows, kid: &Kid) -> Result<&'r KeyRow, OperatorError> {
    let key = rows.keys.iter().find(|key| key.kid == *kid);
    key.ok_or_else(|| OperatorError::NotFound { kind: "key", name: kid.to_string() })
}

/// What a key is for.
fn slot_of(row: &KeyRow) -> Slot {
    Slot { algorithm: row.algorithm, api: row.api.clone(), refresh: row.is_for_refresh() }
}

/// When a new key may sign.
fn later(slot: &Slot, now: UnixSeconds) -> UnixSeconds {
    if slot.api.is_some() { WHEN_PROMOTED } else { now + PUBLISHED_BEFORE }
}

/// Those of `slot` that sign, but `kid`, sign no more from now on.
fn retire<'r>(
    rows: &'r IssuerRows,
    slot: &Slot,
    kid: Option<&Kid>,
    now: UnixSeconds,
) -> impl Iterator<Item = Edit> + use<'r> {
    let slot = slot.clone();
    let kid = kid.cloned();
    let signs = move |row: &&KeyRow| {
        let signs = row.state == KeyState::Active || (row.state == KeyState::Next && row.since <= now);
        slot.holds(row) && signs && Some(&row.kid) != kid.as_ref()
    };
    let retired = move |row: &KeyRow| Edit::PutKey(KeyRow { state: KeyState::Retiring, since: now, ..row.clone() });
    rows.keys.iter().filter(signs).map(retired)
}

impl Operator {
    /// An issuer's keys.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`], [`OperatorError::Store`].
    pub async fn keys(&self, issuer: &IssuerName) -> Result<Vec<KeyInfo>, OperatorError> {
        let now = self.rules.clock.now();
        Ok(self.rows(issuer).await?.keys.iter().map(|key| info(key, now)).collect())
    }

    /// One key.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`], [`OperatorError::Store`].
    pub async fn key(&self, issuer: &IssuerName, kid: &Kid) -> Result<KeyInfo, OperatorError> {
        Ok(info(find(&self.rows(issuer).await?, kid)?, self.rules.clock.now()))
    }

    /// Makes the successors: published at once, signing a day later, or when promoted for an API's secret; answers them.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] when a successor waits already, and for an API's secret that would sign before its API can
    /// know it; others as in any act.
    pub async fn key_rotate(
        &self,
        actor: &Actor,
        issuer: &IssuerName,
        scope: &KeyScope,
    ) -> Result<Vec<KeyInfo>, OperatorError> {
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            let now = self.rules.clock.now();
            let mut needed = Vec::new();
            let mut act = Act::default();
            for slot in self.rotated(&rows, scope)? {
                let first = slot.signer(&rows.keys, now).is_none();
                if let (Some(api), true, false) = (&slot.api, scope.now, first) {
                    return Err(unknown_to(api));
                }
                check_room(&rows, &slot, now)?;
                let at_once = scope.now || first;
                let (state, since) =
                    if at_once { (KeyState::Active, now) } else { (KeyState::Next, later(&slot, now)) };
                if at_once {
                    act.edits.extend(retire(&rows, &slot, None, now));
                }
                needed.push(Needed { slot, state, since });
            }
            let sealing = Sealing::open(issuer, &rows.sealing, &self.masters)?;
            let made = self.make_keys(&rows.issuer, &sealing, &rows.keys, &needed).await?;
            let infos = made.iter().map(|key| info(key, now)).collect();
            let detail = if scope.now { "signs at once" } else { "" };
            act.audit.extend(made.iter().map(|key| Said::new("key.rotate", &key.kid, detail)));
            act.edits.extend(made.into_iter().map(Edit::PutKey));
            if self.commit(actor, &rows, act).await? {
                return Ok(infos);
            }
        }
        Err(OperatorError::Contended)
    }

    /// What is to be rotated.
    fn rotated(&self, rows: &IssuerRows, scope: &KeyScope) -> Result<Vec<Slot>, OperatorError> {
        let mut wanted = slots(&rows.apis, &dialects(&self.rules, &rows.issuer));
        if let Some(name) = &scope.api {
            let api = super::act::find_api(rows, name)?;
            let own = api.algorithm.is_symmetric().then(|| api.name.clone());
            wanted.retain(|slot| !slot.refresh && slot.algorithm == api.algorithm && slot.api == own);
        }
        if let Some(algorithm) = scope.algorithm {
            wanted.retain(|slot| slot.algorithm == algorithm);
        }
        if wanted.is_empty() {
            let message = format!("no API of {} has keys of that kind", rows.issuer.name);
            return Err(OperatorError::refused(message, "`ficha key list` shows what there is"));
        }
        Ok(wanted)
    }

    /// Shows the secret of an API, by its key or, when that is `None`, the newest of the API.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] for a key that is no API's secret; others as in any act.
    pub async fn key_export(
        &self,
        actor: &Actor,
        issuer: &IssuerName,
        which: (Option<&Kid>, Option<&ApiName>),
    ) -> Result<ExportedKey, OperatorError> {
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            let row = match which {
                (Some(kid), _) => find(&rows, kid)?,
                (None, Some(api)) => newest_secret(&rows, api)?,
                (None, None) => return Err(OperatorError::refused("no key was named", "name a key or an API")),
            };
            let Some(api) = &row.api else {
                let message = format!("{} is a private key: it never leaves the server", row.kid);
                return Err(OperatorError::refused(
                    message,
                    "verifiers read the public half at /.well-known/jwks.json",
                ));
            };
            let sealing = Sealing::open(issuer, &rows.sealing, &self.masters)?;
            let secret = Secret::new(URL_SAFE_NO_PAD.encode(&*sealing.unseal(row)?));
            let mut act =
                Act { edits: Vec::new(), audit: vec![Said::new("key.export", &row.kid, format!("API {api}"))] };
            if row.state == KeyState::Next && row.since == WHEN_PROMOTED {
                act.edits.push(Edit::PutKey(KeyRow { since: WHEN_PROMOTED_EXPORTED, ..row.clone() }));
            }
            let answer =
                ExportedKey { kid: row.kid.to_string(), api: api.to_string(), algorithm: row.algorithm, secret };
            if self.commit(actor, &rows, act).await? {
                return Ok(answer);
            }
        }
        Err(OperatorError::Contended)
    }

    /// Lets a waiting key sign from now on; its predecessor retires.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] for a key that does not wait, and for a secret that its API can't know yet.
    pub async fn key_promote(&self, actor: &Actor, issuer: &IssuerName, kid: &Kid) -> Result<KeyInfo, OperatorError> {
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            let now = self.rules.clock.now();
            let row = find(&rows, kid)?;
            if row.state != KeyState::Next || row.since <= now {
                let message = format!("{kid} does not wait to be promoted");
                return Err(OperatorError::refused(message, "`ficha key rotate` makes a successor"));
            }
            if row.since == WHEN_PROMOTED {
                return Err(OperatorError::refused(
                    format!("the secret {kid} was not exported yet: its API can't know it"),
                    format!("`ficha key export {kid}`, give it to the API, then promote it"),
                ));
            }
            let promoted = KeyRow { state: KeyState::Active, since: now, ..row.clone() };
            let answer = info(&promoted, now);
            let mut act = Act::of(Edit::PutKey(promoted), Said::new("key.promote", kid, ""));
            act.edits.extend(retire(&rows, &slot_of(row), Some(kid), now));
            if self.commit(actor, &rows, act).await? {
                return Ok(answer);
            }
        }
        Err(OperatorError::Contended)
    }

    /// The emergency: takes a key out of the set, with its live tokens; nothing that it signed is good any more. A successor
    /// signs at once when it was the one that signed: the one that waits, else a new one.
    ///
    /// # Errors
    /// As in any act.
    pub async fn key_withdraw(
        &self,
        actor: &Actor,
        issuer: &IssuerName,
        kid: &Kid,
    ) -> Result<Withdrawn, OperatorError> {
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            let now = self.rules.clock.now();
            let row = find(&rows, kid)?;
            let successor = self.successor(&rows, row, now).await?;
            let answer =
                Withdrawn { kid: kid.to_string(), successor: successor.as_ref().map(|successor| info(successor, now)) };
            let detail = answer.successor.as_ref().map_or_else(String::new, |s| format!("successor {}", s.kid));
            let mut act = Act::of(Edit::RemoveKey(kid.clone()), Said::new("key.withdraw", kid, detail));
            act.edits.extend(successor.map(Edit::PutKey));
            if self.commit(actor, &rows, act).await? {
                return Ok(answer);
            }
        }
        Err(OperatorError::Contended)
    }

    /// What takes the place of `row`: of the signer, a signer; of a waiting key, another waiting one (so that the highest
    /// number is never given twice); of a retiring one, nothing.
    async fn successor(
        &self,
        rows: &IssuerRows,
        row: &KeyRow,
        now: UnixSeconds,
    ) -> Result<Option<KeyRow>, OperatorError> {
        let slot = slot_of(row);
        let signs = slot.signer(&rows.keys, now).is_some_and(|signer| signer.kid == row.kid);
        let (state, since) = match (signs, row.state) {
            (true, _) => (KeyState::Active, now),
            (false, KeyState::Next) => (KeyState::Next, later(&slot, now)),
            (false, KeyState::Active | KeyState::Retiring) => return Ok(None),
        };
        let waiting =
            rows.keys.iter().filter(|key| slot.holds(key) && key.kid != row.kid && key.state == KeyState::Next);
        if let (true, Some(waiting)) = (signs, waiting.max_by_key(|key| key.created_at)) {
            return Ok(Some(KeyRow { state, since, ..waiting.clone() }));
        }
        let sealing = Sealing::open(&rows.issuer.name, &rows.sealing, &self.masters)?;
        let needed = [Needed { slot, state, since }];
        Ok(self.make_keys(&rows.issuer, &sealing, &rows.keys, &needed).await?.pop())
    }
}

/// A new secret of `api` may not sign at once: nothing publishes it, so its API would refuse every token.
fn unknown_to(api: &ApiName) -> OperatorError {
    OperatorError::refused(
        format!("a new secret of {api} can't sign now: it is in no key set, and the API does not know it yet"),
        format!(
            "without --now: `ficha key rotate --api {api}`, `ficha key export --api {api}`, give it to the API, `ficha key promote`; other keys: --algorithm. A secret that leaked: `ficha key withdraw`"
        ),
    )
}

/// Whether a successor may be made: none waits, and an API's verifiers have room for it.
fn check_room(rows: &IssuerRows, slot: &Slot, now: UnixSeconds) -> Result<(), OperatorError> {
    let mut own = rows.keys.iter().filter(|row| slot.holds(row));
    if let Some(waiting) = own.clone().find(|row| row.state == KeyState::Next && row.since > now) {
        let message = format!("the successor {} waits already", waiting.kid);
        return Err(OperatorError::refused(message, "`ficha key promote` lets it sign now"));
    }
    let retiring = own.find(|row| row.state == KeyState::Retiring);
    if let (Some(_), Some(old)) = (&slot.api, retiring)
        && rows.keys.iter().filter(|row| slot.holds(row)).count() >= MAX_API_KEYS
    {
        let message = format!("verifiers hold at most two secrets, and {} is still in use", old.kid);
        return Err(OperatorError::refused(message, "it goes by itself when its last token has expired"));
    }
    Ok(())
}

fn newest_secret<'r>(rows: &'r IssuerRows, api: &ApiName) -> Result<&'r KeyRow, OperatorError> {
    super::act::find_api(rows, api)?;
    let own = rows.keys.iter().filter(|row| row.api.as_ref() == Some(api) && row.state != KeyState::Retiring);
    own.max_by_key(|row| (row.state == KeyState::Next, row.created_at)).ok_or_else(|| {
        let message = format!("the API {api} has no secret of its own: its tokens are not signed by HS256");
        OperatorError::refused(message, "verifiers read the public keys at /.well-known/jwks.json")
    })
}
