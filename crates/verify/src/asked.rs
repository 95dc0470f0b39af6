//! Tokens that the issuer is asked about.

use std::time::Duration;

use crate::{
    Claims, Rejection, feed::Feed, introspection::Introspection, revocations::Named, rules::Witness, signed::Common,
    token_cache::TokenCache,
};

/// For so long an answer may stand whatever else is known: as long as a revocation may take anyway.
pub(crate) const SHORT: Duration = Duration::from_secs(1);

/// The issuer's introspection, and its answers of late.
pub(crate) struct Asked {
    pub(crate) introspection: Introspection,
    pub(crate) answers: TokenCache<Answered>,
    pub(crate) kept_for: Duration,
}

/// When the issuer was asked, and how much was known to be revoked then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    at_ms: i64,
    epoch: u64,
}

impl Asked {
    /// The claims of `token` by the issuer's answer, of now or of so little ago as is allowed.
    pub(crate) async fn claims(
        &self,
        token: &str,
        feed: Option<&Feed>,
        common: Common<'_>,
    ) -> Result<Claims, Rejection> {
        let Common { rules, revocations, clocks } = common;
        // Both before the question: what arrives while it is under way counts as later.
        let (at_ms, epoch) = (clocks.passed_ms(), revocations.map_or(0, crate::Revocations::epoch));
        let stands = |answered: Answered| {
            let age = Duration::from_millis(u64::try_from(at_ms - answered.at_ms).unwrap_or(u64::MAX));
            let may_be = if feed.is_some_and(Feed::is_fresh) { self.kept_for } else { self.kept_for.min(SHORT) };
            age < may_be && answered.epoch == epoch
        };
        if let Some((claims, _)) = self.answers.find(token).filter(|(_, answered)| stands(*answered)) {
            rules.check_times(claims.times(), clocks.now())?;
            return Ok(claims);
        }
        let members = self.introspection.ask(token).await?;
        let mut checked = rules.judge(members, Witness::Issuer, clocks.now())?;
        checked.traits = revocations.map(|known| known.traits(&Named::of(&checked, None)));
        let claims = Claims::new(checked);
        self.answers.keep(token, &claims, Answered { at_ms, epoch });
        Ok(claims)
    }
}
