//! The feed's key of an issuer that was made before there was a feed: made when it is first needed.

use std::sync::Arc;

use ficha_jose::JwkSet;
use ficha_types::IssuerName;

use crate::{
    Refusal,
    ports::{Commit, Edit, Expect, StoreError},
    records::{AuditEntry, SealingPurpose},
    rules::Rules,
    views::{Change, IssuerView, Place},
};

/// How often it is tried while administrators change the issuer.
const TRIES: usize = 5;

/// The keys by which the feed of an issuer is checked.
///
/// # Errors
/// [`Refusal::Unavailable`] when one has to be made and can't be.
pub async fn feed_keys(rules: &Rules, place: &Place) -> Result<JwkSet, Refusal> {
    if place.issuer.feed_key().is_some() {
        return Ok(place.issuer.feed_keys());
    }
    let view = read_with_key(rules, place.issuer.name()).await?;
    Ok(view.ok_or(Refusal::NotFound)?.feed_keys())
}

/// The issuer as the store has it, with a key for its feed; `None` when there is no such issuer.
pub(super) async fn read_with_key(rules: &Rules, name: &IssuerName) -> Result<Option<Arc<IssuerView>>, StoreError> {
    for _ in 0..TRIES {
        let Some(rows) = rules.clients.issuer(name).await? else { return Ok(None) };
        if rows.sealing.iter().any(|key| key.purpose == SealingPurpose::Feed) {
            let view = IssuerView::new(rows, rules.node.masters());
            return view.map(|view| Some(Arc::new(view))).map_err(|e| StoreError::Unreachable(e.to_string()));
        }
        let now = rules.clock.now();
        let key = rules.node.masters().make(name, (SealingPurpose::Feed, 1), &*rules.chance);
        let audit = AuditEntry {
            at: now,
            actor: "ficha".into(),
            action: "key.feed".into(),
            subject: name.to_string(),
            detail: "a key for the revocation feed, which the issuer had none for".into(),
        };
        let (edits, expect) = (vec![Edit::PutSealing(key)], Expect::At(rows.configured));
        let commit = Commit { issuer: name.clone(), edits, expect, audit: vec![audit], now };
        let operator = rules.operator.clone();
        match rules.write((name, vec![Change::Issuer]), async move { operator.commit(commit).await }).await {
            // Somebody else altered the issuer, or made the key.
            Ok(_) | Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Unreachable(format!("issuer {name} does not stand still")))
}
