//! What every rule needs, in one place.

use std::{sync::Arc, time::Duration};

use ficha_jose::SigningKey;
use ficha_types::{IssuerName, Seconds, Username};

use crate::{
    feed::Feed,
    guard::Guard,
    outage::Outage,
    passwords::Passwords,
    ports::{
        ClientStore, Clock, Commit, Dialects, Edit, Entropy, Expect, OperatorStore, StandingStore, StoreError,
        TokenStore, UpkeepStore, UserRow,
    },
    records::{AuditEntry, PasswordHash, User},
    refusal::Refusal,
    secret_use::SecretUses,
    signer::Signer,
    token::Introspected,
    views::{Change, Entered, IssuerSlot, Node, Place},
};

/// Time, chance, the store, and what a node keeps in memory.
pub struct Rules {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Entropy>,
    /// Who there is, as the store has it.
    pub clients: Arc<dyn ClientStore>,
    /// Who there is, as this node holds it.
    pub node: Arc<Node>,
    /// The steps of the protocol.
    pub tokens: Arc<dyn TokenStore>,
    /// The steps of administration.
    pub operator: Arc<dyn OperatorStore>,
    /// The steps of the upkeep.
    pub upkeep: Arc<dyn UpkeepStore>,
    /// The place of this node in the feed of changes.
    pub feed: Feed,
    /// What stands against tokens.
    pub standing: Arc<dyn StandingStore>,
    /// How tokens look.
    pub dialects: Arc<dyn Dialects>,
    /// Signing.
    pub signer: Signer,
    /// Passwords.
    pub passwords: Passwords,
    /// Failures, counted.
    pub guard: Guard,
    /// Last uses of secrets, on their way to the store.
    pub secret_uses: SecretUses,
    /// What introspection has seen.
    pub introspected: Introspected,
    /// Whether the store is away, and since when.
    pub outage: Outage,
    /// Numbers.
    pub limits: Limits,
}

/// Numbers of the rules that a configuration may set.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How far the clocks of nodes may be apart; 0 on the embedded store, where there is one.
    pub max_clock_skew: Seconds,
    /// The longest that a request waits for the clock to pass a mark.
    pub mark_wait: Duration,
    /// The most leeway that a verifier may be given: revocations stand that much longer than their tokens.
    pub verifier_leeway: Seconds,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_clock_skew: Seconds(0), mark_wait: Duration::from_secs(5), verifier_leeway: Seconds(60) }
    }
}

impl Rules {
    /// Signs `claims`, JSON, under an encoded `header`.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub(crate) async fn sign(
        &self,
        key: &Arc<SigningKey>,
        header: Arc<str>,
        claims: String,
    ) -> Result<String, Refusal> {
        self.signer.sign(key, header, claims, self.passwords.waiting() > 0).await
    }

    /// The issuer as a request finds it that begins now, and how far what is remembered of it may be trusted.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be known.
    pub async fn enter(&self, slot: &IssuerSlot) -> Result<Option<Entered>, StoreError> {
        let trust = self.feed.trust(&self.node, slot).await?;
        let epoch = slot.epoch();
        Ok(self.node.issuer(slot).await?.map(|issuer| Entered { issuer, trust, epoch }))
    }

    /// Runs a step that writes, and lets this node forget what it made out of date, or may have: not where it is sure that
    /// nothing was written, since what is remembered carries a node through an outage.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        (issuer, changes): (&IssuerName, Vec<Change>),
        step: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (node, issuer) = (self.node.clone(), issuer.clone());
        to_its_end(async move {
            let outcome = step.await;
            if !matches!(outcome, Err(StoreError::Unreachable(_) | StoreError::Conflict(_))) {
                node.apply(&issuer, &changes);
            }
            outcome
        })
        .await
    }

    /// The user by the name that is typed: read anew at every login, which costs nothing beside the hash.
    pub(crate) async fn user_by_name(&self, place: &Place, name: &Username) -> Result<Option<UserRow>, Refusal> {
        Ok(self.clients.user(place.issuer.name(), name).await?)
    }

    /// Keeps a new hash of a user's password, unless the password was changed meanwhile.
    pub(crate) async fn upgrade_password(
        &self,
        place: &Place,
        user: &User,
        to: PasswordHash,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let audit = AuditEntry {
            at: now,
            actor: "ficha".into(),
            action: "user.password.rehash".into(),
            subject: user.name.to_string(),
            detail: "the imported hash was replaced at a login".into(),
        };
        let edit = Edit::UpgradePassword { name: user.name.clone(), from: user.password.clone(), to };
        let (issuer, changes) = (place.issuer.name(), vec![Change::User(user.sub.clone())]);
        let commit = Commit { issuer: issuer.clone(), edits: vec![edit], expect: Expect::Any, audit: vec![audit], now };
        let operator = self.operator.clone();
        self.write((issuer, changes), async move { operator.commit(commit).await }).await.map(drop)
    }
}

/// Brings a step to its end although whoever asked for it may have gone: what is committed must not stay unknown to this node.
pub(crate) async fn to_its_end<T: Send + 'static>(
    step: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let ended_early = |_| Err(StoreError::OutcomeUnknown("the step has ended early".to_owned()));
    tokio::spawn(step).await.unwrap_or_else(ended_early)
}
