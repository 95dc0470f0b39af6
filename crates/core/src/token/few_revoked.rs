//! Where few tokens of an issuer are revoked, a node knows all of them: for any other token nobody has to ask the store.

use std::{collections::HashSet, sync::Arc, time::Duration};

use ficha_types::{FamilyId, IssuerName, TokenId};
use quick_cache::sync::Cache;

use crate::{ports::StoreError, rules::Rules, views::Place};

/// Revoked tokens and families of an issuer beyond which each question goes to the store.
const FEW: u32 = 256;
/// How long nobody counts again where there were more.
const MANY_FOR: Duration = Duration::from_mins(1);
/// Issuers of which this is remembered.
const ISSUERS: usize = 1024;

/// What is revoked of each issuer, where that is little.
pub(super) struct FewRevoked(Cache<IssuerName, Known>);

#[derive(Clone)]
enum Known {
    /// All of them, at that number of the issuer's changes: at the same number it still holds.
    All { epoch: u64, names: Arc<HashSet<String>> },
    /// They were too many; when to count again.
    TooMany { until: Duration },
}

impl FewRevoked {
    pub(super) fn new() -> Self {
        Self(Cache::new(ISSUERS))
    }

    /// Whether the token and its family are known not to be revoked; nothing is known where many are.
    pub(super) async fn spare(
        &self,
        rules: &Rules,
        place: &Place,
        (id, family): (&TokenId, Option<&FamilyId>),
    ) -> Result<bool, StoreError> {
        let (issuer, epoch) = (place.issuer.name(), place.slot.epoch());
        let names = match self.0.get(issuer) {
            Some(Known::All { epoch: then, names }) if then == epoch => names,
            Some(Known::TooMany { until }) if rules.clock.monotonic() < until => return Ok(false),
            Some(Known::All { .. } | Known::TooMany { .. }) | None => {
                let rows = rules.tokens.revoked(issuer, FEW + 1).await?;
                // By rows: a token that was revoked at two APIs has two, and what stands behind the last one read is not known.
                if rows.len() > FEW as usize {
                    let until = rules.clock.monotonic() + MANY_FOR;
                    self.0.insert(issuer.clone(), Known::TooMany { until });
                    return Ok(false);
                }
                let names: Arc<HashSet<_>> = Arc::new(rows.into_iter().collect());
                self.0.insert(issuer.clone(), Known::All { epoch, names: names.clone() });
                names
            }
        };
        Ok(!names.contains(id.as_str()) && family.is_none_or(|family| !names.contains(family.as_str())))
    }
}
