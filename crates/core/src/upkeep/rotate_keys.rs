//! Keys take their turns: a successor that has come of age signs, its predecessor retires, and goes when nothing that it signed
//! is good any more.

use ficha_types::{IssuerName, UnixSeconds};

use crate::{
    Rules,
    operator::slots::{Slot, dialects, longest_life, slots},
    ports::{Commit, Edit, Expect, IssuerRows, StoreError},
    records::{AuditEntry, KeyRow, KeyState},
    views::Change,
};

/// Does what is due for the keys of `issuer` in one commit; answers how many turns were taken. When an administrator
/// comes between, nothing is done, and the next call does it.
///
/// # Errors
/// [`StoreError::Unreachable`], [`StoreError::OutcomeUnknown`].
pub async fn rotate_due(rules: &Rules, issuer: &IssuerName) -> Result<usize, StoreError> {
    let now = rules.clock.now();
    let Some(rows) = rules.clients.issuer(issuer).await? else { return Ok(0) };
    let steps = due(rules, &rows, now);
    if steps.is_empty() {
        return Ok(0);
    }
    let audit = steps.iter().map(|step| step.audit(now)).collect();
    let edits: Vec<_> = steps.into_iter().map(|step| step.edit).collect();
    let done = edits.len();
    let commit = Commit { issuer: issuer.clone(), edits, expect: Expect::At(rows.configured), audit, now };
    let operator = rules.operator.clone();
    match rules.write((issuer, vec![Change::Issuer]), async move { operator.commit(commit).await }).await {
        Ok(_) => Ok(done),
        Err(StoreError::Conflict(_)) => Ok(0),
        Err(error) => Err(error),
    }
}

/// One key's turn.
#[derive(Debug)]
struct Turn {
    kid: String,
    what: &'static str,
    edit: Edit,
}

impl Turn {
    fn to(row: &KeyRow, state: KeyState, since: UnixSeconds) -> Self {
        let what = match state {
            KeyState::Next => "waits",
            KeyState::Active => "signs",
            KeyState::Retiring => "retires",
        };
        Self { kid: row.kid.to_string(), what, edit: Edit::PutKey(KeyRow { state, since, ..row.clone() }) }
    }

    fn audit(&self, at: UnixSeconds) -> AuditEntry {
        AuditEntry {
            at,
            actor: "ficha".into(),
            action: "key.turn".into(),
            subject: self.kid.clone(),
            detail: self.what.into(),
        }
    }
}

fn due(rules: &Rules, rows: &IssuerRows, now: UnixSeconds) -> Vec<Turn> {
    let dialects = dialects(rules, &rows.issuer);
    let slots = slots(&rows.apis, &dialects);
    let mut turns = Vec::new();
    for row in &rows.keys {
        turns.extend(turn(row, (&slots, &rows.keys), now));
        let ends = row.since + longest_life(row, &rows.apis, &dialects) + rules.limits.verifier_leeway;
        if row.state == KeyState::Retiring && ends < now {
            turns.push(Turn { kid: row.kid.to_string(), what: "goes", edit: Edit::RemoveKey(row.kid.clone()) });
        }
    }
    turns
}

/// What a key that is not retiring becomes.
fn turn(row: &KeyRow, (slots, keys): (&[Slot], &[KeyRow]), now: UnixSeconds) -> Option<Turn> {
    if row.state == KeyState::Retiring {
        return None;
    }
    // No API has its algorithm any more.
    let Some(slot) = slots.iter().find(|slot| slot.holds(row)) else {
        return Some(Turn::to(row, KeyState::Retiring, now));
    };
    let signs = slot.signer(keys, now).is_some_and(|signer| signer.kid == row.kid);
    match (row.state, signs) {
        (KeyState::Next, true) => Some(Turn::to(row, KeyState::Active, row.since)),
        (KeyState::Active, false) => Some(Turn::to(row, KeyState::Retiring, now)),
        // Overtaken before its turn came.
        (KeyState::Next, false) if row.since <= now => Some(Turn::to(row, KeyState::Retiring, now)),
        (KeyState::Next, false) | (KeyState::Active, true) | (KeyState::Retiring, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use ficha_types::Algorithm;

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_000_000);

    fn key(kid: &str, state: KeyState, since: i64) -> KeyRow {
        KeyRow {
            kid: kid.parse().unwrap(),
            algorithm: Algorithm::Es256,
            api: None,
            state,
            sealed: Vec::new(),
            created_at: UnixSeconds(since),
            since: UnixSeconds(since),
        }
    }

    fn becomes(row: &KeyRow, keys: &[KeyRow], slots: &[Slot]) -> Option<(KeyState, UnixSeconds)> {
        let edit = turn(row, (slots, keys), NOW)?.edit;
        let Edit::PutKey(row) = edit else { panic!("{edit:?}") };
        Some((row.state, row.since))
    }

    fn es256() -> Vec<Slot> {
        vec![Slot { algorithm: Algorithm::Es256, api: None, refresh: false }]
    }

    #[test]
    fn a_successor_that_has_come_of_age_signs_and_its_predecessor_retires() {
        let keys = [key("k1", KeyState::Active, 10), key("k2", KeyState::Next, NOW.0)];
        assert_eq!(becomes(&keys[1], &keys, &es256()), Some((KeyState::Active, NOW)));
        assert_eq!(becomes(&keys[0], &keys, &es256()), Some((KeyState::Retiring, NOW)));
    }

    #[test]
    fn before_its_time_nothing_changes() {
        let keys = [key("k1", KeyState::Active, 10), key("k2", KeyState::Next, NOW.0 + 1)];
        assert!(keys.iter().all(|row| becomes(row, &keys, &es256()).is_none()));
    }

    #[test]
    fn a_key_that_no_api_needs_any_more_retires() {
        let keys = [key("k1", KeyState::Active, 10)];
        assert_eq!(becomes(&keys[0], &keys, &[]), Some((KeyState::Retiring, NOW)));
    }
}
