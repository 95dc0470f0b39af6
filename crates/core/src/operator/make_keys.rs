//! Making keys: the five of an issuer that the master key seals, and those that sign. Never within a token request.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_jose::SigningKey;
use ficha_types::{Algorithm, IssuerName, Kid, UnixSeconds};
use zeroize::Zeroizing;

use super::{Operator, OperatorError, sealing::Sealing, slots::Slot, spares};
use crate::{
    ports::Entropy,
    profile::KidStyle,
    records::{Issuer, KeyRow, KeyState, SealedKey, SealingPurpose},
};

/// A key that is to be made.
#[derive(Debug, Clone)]
pub(super) struct Needed {
    pub(super) slot: Slot,
    pub(super) state: KeyState,
    pub(super) since: UnixSeconds,
}

impl Operator {
    /// The symmetric keys of a new issuer, one for each purpose.
    pub(super) fn new_sealing(&self, issuer: &IssuerName) -> Vec<SealedKey> {
        let make = |purpose| self.masters.make(issuer, (purpose, 1), &*self.rules.chance);
        SealingPurpose::ALL.into_iter().map(make).collect()
    }

    /// Makes the keys that are needed, named as the issuer's dialect names keys; `taken` are those that are there.
    pub(super) async fn make_keys(
        &self,
        issuer: &Issuer,
        sealing: &Sealing,
        taken: &[KeyRow],
        needed: &[Needed],
    ) -> Result<Vec<KeyRow>, OperatorError> {
        let style =
            self.rules.dialects.dialect(&issuer.dialect).map_or(KidStyle::Thumbprint, |d| d.profile().kid.clone());
        let (created_at, chance) = (self.rules.clock.now(), &*self.rules.chance);
        let mut rows: Vec<KeyRow> = taken.to_vec();
        for Needed { slot, state, since } in needed {
            let (key, private) = self.make_key(slot.algorithm, issuer.rsa_bits).await?;
            let kid = name(&style, slot, (&key, &rows), chance)
                .parse::<Kid>()
                .map_err(|e| OperatorError::Keys(format!("a key can't be named: {e}")))?;
            let sealed = sealing.seal(kid.as_str(), &private, chance)?;
            let (algorithm, api) = (slot.algorithm, slot.api.clone());
            rows.push(KeyRow { kid, algorithm, api, state: *state, sealed, created_at, since: *since });
        }
        Ok(rows.split_off(taken.len()))
    }

    /// From the stock, or made on a thread where it holds nobody up.
    async fn make_key(
        &self,
        algorithm: Algorithm,
        bits: u32,
    ) -> Result<(SigningKey, Zeroizing<Vec<u8>>), OperatorError> {
        let rsa = matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256);
        if rsa
            && bits == spares::BITS
            && let Some(private) = self.spares.take()
        {
            let key = SigningKey::from_private(algorithm, &private).map_err(|e| OperatorError::Keys(e.to_string()))?;
            return Ok((key, private));
        }
        let made = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm, bits)).await;
        made.map_err(|_| OperatorError::Busy("making a key"))?.map_err(|e| OperatorError::Keys(e.to_string()))
    }
}

/// The id of a new key beside `rows`.
fn name(style: &KidStyle, slot: &Slot, (key, rows): (&SigningKey, &[KeyRow]), chance: &dyn Entropy) -> String {
    if slot.refresh {
        let free = |kid: &str| !rows.iter().any(|row| row.is_for_refresh() && row.published_kid() == kid);
        // Under the name of the access key beside which it signs, the newest one first.
        let beside = rows.iter().filter(|row| !row.is_for_refresh() && row.algorithm == slot.algorithm);
        let newest = beside.max_by_key(|row| row.created_at).map(KeyRow::published_kid);
        let base = newest.filter(|kid| free(kid)).map(str::to_owned);
        return format!("{}/refresh", base.unwrap_or_else(|| plain_name(style, (key, rows), chance)));
    }
    plain_name(style, (key, rows), chance)
}

fn plain_name(style: &KidStyle, (key, rows): (&SigningKey, &[KeyRow]), chance: &dyn Entropy) -> String {
    match (style, key.public_jwk("")) {
        (KidStyle::Numbered(prefix), _) => numbered(prefix, rows),
        // No thumbprint of a secret: it would say something of it.
        (KidStyle::Thumbprint | KidStyle::Random(_), None) => numbered("hs", rows),
        (KidStyle::Thumbprint, Some(jwk)) => jwk.thumbprint(),
        (KidStyle::Random(length), Some(_)) => random(*length, chance),
    }
}

/// `prefix` and the number after the highest. The highest key is never the one that goes first, so no number comes twice.
fn numbered(prefix: &str, rows: &[KeyRow]) -> String {
    let numbers = rows.iter().filter_map(|row| row.published_kid().strip_prefix(prefix)?.parse::<u32>().ok());
    format!("{prefix}{}", numbers.max().unwrap_or(0).saturating_add(1))
}

fn random(length: usize, chance: &dyn Entropy) -> String {
    let mut bytes = vec![0; length.clamp(8, 64)];
    chance.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes).chars().take(length.clamp(8, 64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&self, into: &mut [u8]) {
            into.fill(7);
        }
    }

    fn row(kid: &str, created_at: i64) -> KeyRow {
        KeyRow {
            kid: kid.parse().unwrap(),
            algorithm: Algorithm::Es256,
            api: None,
            state: KeyState::Active,
            sealed: Vec::new(),
            created_at: UnixSeconds(created_at),
            since: UnixSeconds(created_at),
        }
    }

    fn named(style: &KidStyle, refresh: bool, rows: &[KeyRow]) -> String {
        let slot = Slot { algorithm: Algorithm::Es256, api: None, refresh };
        let (key, _) = SigningKey::generate(Algorithm::Es256, 0).unwrap();
        name(style, &slot, (&key, rows), &Sevens)
    }

    #[test]
    fn keys_are_named_as_the_dialect_names_them() {
        let numbered = KidStyle::Numbered("k".into());
        assert_eq!(named(&numbered, false, &[]), "k1");
        assert_eq!(named(&numbered, false, &[row("k9", 1), row("k10", 2), row("other", 3)]), "k11");
        assert_eq!(named(&KidStyle::Random(21), false, &[]).len(), 21);
        assert_eq!(named(&KidStyle::Thumbprint, false, &[]).len(), 43);
    }

    #[test]
    fn a_key_for_refresh_tokens_stands_beside_the_newest_access_key() {
        let numbered = KidStyle::Numbered("k".into());
        assert_eq!(named(&numbered, true, &[row("k1", 1)]), "k1/refresh");
        assert_eq!(named(&numbered, true, &[row("k1", 1), row("k1/refresh", 1), row("k2", 1)]), "k2/refresh");
        assert_eq!(named(&numbered, true, &[row("k1", 1), row("k1/refresh", 1)]), "k2/refresh", "never one name twice");
    }

    #[test]
    fn a_secret_is_never_named_by_its_thumbprint() {
        let slot = Slot { algorithm: Algorithm::Hs256, api: Some("cards".parse().unwrap()), refresh: false };
        let (key, _) = SigningKey::generate(Algorithm::Hs256, 0).unwrap();
        assert_eq!(name(&KidStyle::Thumbprint, &slot, (&key, &[]), &Sevens), "hs1");
    }
}
