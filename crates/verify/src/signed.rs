//! Tokens that are checked by keys.

use std::sync::Arc;

use ficha_jose::Compact;
use ficha_types::Algorithm;

use crate::{
    Claims, Rejection, Revocations,
    clock::Clocks,
    key_cache::{KeyCache, Signer},
    key_set::KeySet,
    revocations::Named,
    rules::{Rules, Witness},
    strict,
    token_cache::TokenCache,
};

/// Keys that sign tokens.
pub(crate) enum Keys {
    Fetched(Arc<KeyCache>),
    Fixed(KeySet),
}

/// Keys, and the tokens that they were seen to have signed.
pub(crate) struct Signed {
    pub(crate) keys: Keys,
    pub(crate) allowed: Box<[Algorithm]>,
    /// With the generation of the key set that they passed by: another set, and they are checked again.
    pub(crate) seen: TokenCache<u64>,
}

/// What is the same for every way to check a token.
#[derive(Clone, Copy)]
pub(crate) struct Common<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) revocations: Option<&'a Revocations>,
    pub(crate) clocks: &'a Clocks,
}

impl Signed {
    /// The claims of `token`, seen before or checked now. Whether it is revoked is not looked at.
    pub(crate) async fn claims(&self, token: &str, common: Common<'_>) -> Result<Claims, Rejection> {
        if let Some((claims, passed_by)) = self.seen.find(token)
            && passed_by == self.generation().await?
        {
            common.rules.check_times(claims.times(), common.clocks.now())?;
            return Ok(claims);
        }
        let (claims, generation) = self.check(token, common).await?;
        self.seen.keep(token, &claims, generation);
        Ok(claims)
    }

    /// The number of the key set that is trusted now.
    async fn generation(&self) -> Result<u64, Rejection> {
        match &self.keys {
            Keys::Fetched(cache) => Ok(cache.current().await?.0.generation),
            Keys::Fixed(_) => Ok(0),
        }
    }

    async fn check(
        &self,
        token: &str,
        Common { rules, revocations, clocks }: Common<'_>,
    ) -> Result<(Claims, u64), Rejection> {
        let token = Compact::parse(token)?;
        let named = token.header().alg.parse::<Algorithm>().ok().filter(|named| self.allowed.contains(named));
        let algorithm = named.ok_or(Rejection::AlgorithmNotAllowed)?;
        let typed = rules.typed(token.header().typ.as_deref())?;
        let Signer { generation, kid } = match &self.keys {
            Keys::Fetched(cache) => cache.check(&token, algorithm).await?,
            Keys::Fixed(keys) => Signer { generation: 0, kid: keys.check(&token, algorithm)?.map(Into::into) },
        };
        let members = strict::members(token.payload()).ok_or(Rejection::MalformedClaims)?;
        let mut checked = rules.judge(members, Witness::Signature(typed), clocks.now())?;
        // A key without a name in the set is known by what its tokens call it.
        let key = kid.as_deref().or(token.header().kid.as_deref());
        checked.traits = revocations.map(|known| known.traits(&Named::of(&checked, key)));
        Ok((Claims::new(checked), generation))
    }
}
