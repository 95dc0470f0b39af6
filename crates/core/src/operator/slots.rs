//! Which keys an issuer must have: one for each algorithm of its APIs, one per API for HS256, one for refresh tokens where a
//! dialect makes them JWTs.

use std::sync::Arc;

use ficha_types::{Algorithm, ApiName, Seconds, UnixSeconds};

use crate::{
    Rules,
    ports::Dialect,
    profile::RefreshForm,
    records::{Api, Issuer, KeyRow, KeyState},
};

/// Signs for nobody until `key promote`: a secret that its API does not know yet.
pub(crate) const WHEN_PROMOTED: UnixSeconds = UnixSeconds(i64::MAX);
/// As [`WHEN_PROMOTED`], once it was exported.
pub(crate) const WHEN_PROMOTED_EXPORTED: UnixSeconds = UnixSeconds(i64::MAX - 1);

/// What one key is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) algorithm: Algorithm,
    /// The API whose secret it is (HS256).
    pub(crate) api: Option<ApiName>,
    /// Whether it signs refresh tokens.
    pub(crate) refresh: bool,
}

impl Slot {
    /// Whether `row` is a key for this.
    pub(crate) fn holds(&self, row: &KeyRow) -> bool {
        if self.refresh || row.is_for_refresh() {
            return self.refresh == row.is_for_refresh();
        }
        row.algorithm == self.algorithm && row.api == self.api
    }

    /// The key of `rows` that signs, as [`crate::views::KeyRing::signer`] finds it.
    pub(crate) fn signer<'r>(&self, rows: &'r [KeyRow], now: UnixSeconds) -> Option<&'r KeyRow> {
        let signs = |row: &KeyRow| match row.state {
            KeyState::Active => true,
            KeyState::Next => row.since <= now,
            KeyState::Retiring => false,
        };
        rows.iter().filter(|row| self.holds(row) && signs(row)).max_by_key(|row| (row.since, row.created_at))
    }
}

/// The dialects of an issuer, its own first; one that is not loaded is left out.
pub(crate) fn dialects(rules: &Rules, issuer: &Issuer) -> Vec<Arc<dyn Dialect>> {
    issuer.dialects().into_iter().filter_map(|name| rules.dialects.dialect(name)).collect()
}

/// Every key that an issuer with these APIs and dialects must have.
pub(crate) fn slots(apis: &[Api], dialects: &[Arc<dyn Dialect>]) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for api in apis {
        let name = api.algorithm.is_symmetric().then(|| api.name.clone());
        let slot = Slot { algorithm: api.algorithm, api: name, refresh: false };
        if !slots.contains(&slot) {
            slots.push(slot);
        }
    }
    let is_jwt = |d: &&Arc<dyn Dialect>| d.profile().refresh.as_ref().is_some_and(|r| r.form == RefreshForm::Jwt);
    if let Some(dialect) = dialects.iter().find(is_jwt) {
        slots.push(Slot { algorithm: dialect.profile().algorithm, api: None, refresh: true });
    }
    slots
}

/// The longest that a token lives which `row` signed.
pub(crate) fn longest_life(row: &KeyRow, apis: &[Api], dialects: &[Arc<dyn Dialect>]) -> Seconds {
    if row.is_for_refresh() {
        return family_lifetime(dialects).unwrap_or(Seconds::days(30));
    }
    let own = apis.iter().filter(|api| row.api.as_ref().is_none_or(|name| *name == api.name));
    longest_lifetime(own, dialects)
}

/// The longest that a family of refresh tokens lives; nothing where there are none.
pub(crate) fn family_lifetime(dialects: &[Arc<dyn Dialect>]) -> Option<Seconds> {
    dialects.iter().filter_map(|d| d.profile().refresh.as_ref()).map(|r| r.lifetime.max(r.family_lifetime)).max()
}

/// How long a token lives that the issuer's own dialect gives for an API that does not say.
pub(crate) fn own_lifetime(dialects: &[Arc<dyn Dialect>]) -> Seconds {
    dialects.first().map_or(Seconds::days(1), |d| d.profile().token_lifetime)
}

/// The longest that a token of any of these dialects lives whose API does not say.
fn usual_lifetime(dialects: &[Arc<dyn Dialect>]) -> Seconds {
    dialects.iter().map(|d| d.profile().token_lifetime).max().unwrap_or(Seconds::days(1))
}

/// The longest that an access token for one of `apis` may live.
pub(crate) fn longest_lifetime<'a>(apis: impl IntoIterator<Item = &'a Api>, dialects: &[Arc<dyn Dialect>]) -> Seconds {
    let usual = usual_lifetime(dialects);
    apis.into_iter().map(|api| api.longest_life(usual)).max().unwrap_or(usual)
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.algorithm)?;
        match (&self.api, self.refresh) {
            (Some(api), _) => write!(f, " of {api}"),
            (None, true) => f.write_str(" for refresh tokens"),
            (None, false) => Ok(()),
        }
    }
}
