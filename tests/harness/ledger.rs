//! What the server has answered, and must stand by.

use std::collections::{BTreeMap, BTreeSet};

use super::Asker;

/// A family of refresh tokens, as its client sees it.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Whose.
    pub client: String,
    /// The predecessor of `last`, whose use was answered by `last`.
    pub before: Option<String>,
    /// The last token that was answered.
    pub last: String,
    /// A use of `last` was sent, and no answer came: it may have been made.
    pub doubtful: bool,
}

/// The live token of a client.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// It; unknown when it may have been revoked.
    pub token: Option<String>,
    /// A revocation was sent, and no answer came.
    pub doubtful: bool,
}

/// Everything that was answered.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Whether a check looks at all of it, not only at the latest of each kind.
    pub whole: bool,
    /// Tokens of LeanCore whose revocation was answered.
    pub revoked: Vec<String>,
    /// Tokens of LeanCore that nobody revoked.
    pub good: Vec<String>,
    /// Families of LeanCore in use.
    pub chains: Vec<Chain>,
    /// Live tokens of Pomelo, by client.
    pub live: BTreeMap<String, Live>,
    /// Live tokens whose revocation was answered.
    pub live_revoked: Vec<String>,
    /// Kept refresh tokens whose revocation was answered.
    pub kept_revoked: Vec<String>,
    /// Secrets of clients of the issuer `std` that were added and not removed.
    pub added: Vec<(String, String)>,
    /// Secrets of clients of the issuer `std` whose removal was answered.
    pub removed: Vec<(String, String)>,
    /// Published keys, by issuer.
    pub kids: BTreeMap<&'static str, BTreeSet<String>>,
    /// How much of everything was checked.
    pub checked: BTreeMap<&'static str, usize>,
}

/// The most of one kind that are looked at, unless all of it is: the latest.
const MOST: usize = 60;

fn latest<T>(all: &[T], most: usize) -> &[T] {
    &all[all.len().saturating_sub(most)..]
}

impl Ledger {
    fn count(&mut self, what: &'static str, n: usize) {
        *self.checked.entry(what).or_default() += n;
    }

    /// Fails unless the server that is asked stands by all of it.
    pub fn check(&mut self, ask: &dyn Fn(&str) -> Asker) {
        let (lean, pomelo, deyel) = (ask("lean"), ask("pomelo"), ask("deyel"));
        let most = if self.whole { usize::MAX } else { MOST };
        for token in latest(&self.revoked, most) {
            assert!(!lean.is_active(token), "an answered revocation is gone");
        }
        self.count("revocations", self.revoked.len().min(most));
        for token in latest(&self.good, most) {
            assert!(lean.is_active(token), "a token that nobody revoked is inactive: its key is lost");
        }
        self.count("good tokens", self.good.len().min(most));
        for token in latest(&self.live_revoked, most) {
            assert!(!pomelo.is_active(token), "an answered revocation of a live token is gone");
        }
        for token in latest(&self.kept_revoked, most) {
            deyel.refresh("app-0", token).send().expect(401);
        }
        self.count("kept tokens revoked", self.kept_revoked.len().min(most));
        self.check_secrets(&ask("std"), most);
        self.check_live(&pomelo);
        self.check_keys(ask);
        self.check_chains(&lean);
    }

    fn check_secrets(&mut self, std: &Asker, most: usize) {
        for (client, secret) in latest(&self.added, most) {
            std.with_secret(secret).token(client).send().expect(200);
        }
        self.count("secrets added", self.added.len().min(most));
        // Who is wrong too often is not listened to any more.
        let few = most.min(3);
        for (client, secret) in latest(&self.removed, few) {
            std.with_secret(secret).token(client).send().expect(401);
        }
        self.count("secrets removed", self.removed.len().min(few));
    }

    fn check_live(&mut self, pomelo: &Asker) {
        let mut checked = 0;
        for (client, live) in &mut self.live {
            let now = pomelo.pomelo("/oauth/token", client).send().expect(200).access_token();
            if let (Some(before), false) = (&live.token, live.doubtful) {
                assert_eq!(*before, now, "the live token is another one");
                checked += 1;
            }
            assert!(pomelo.is_active(&now));
            *live = Live { token: Some(now), doubtful: false };
        }
        self.count("live tokens", checked);
    }

    /// No key is lost, and what is published now counts from now on.
    pub fn check_keys(&mut self, ask: &dyn Fn(&str) -> Asker) {
        for issuer in ["std", "pomelo", "deyel"] {
            let now: BTreeSet<_> = ask(issuer).kids().into_iter().collect();
            let before = self.kids.entry(issuer).or_default();
            assert!(before.is_subset(&now), "{issuer}: keys are lost: {before:?} {now:?}");
            let known = before.len();
            *before = now;
            self.count("keys", known);
        }
    }

    fn check_chains(&mut self, lean: &Asker) {
        let refresh = |chain: &Chain, token: &str| lean.refresh(&chain.client, token).send();
        for (n, mut chain) in std::mem::take(&mut self.chains).into_iter().enumerate() {
            if let (Some(before), false) = (&chain.before, chain.doubtful) {
                let again = refresh(&chain, before).expect(200).refresh_token();
                assert_eq!(again, chain.last, "the predecessor gives another successor");
                self.count("same successors", 1);
            }
            let next = refresh(&chain, &chain.last).expect(200).refresh_token();
            assert_ne!(next, chain.last);
            self.count("successors that work", 1);
            refresh(&chain, &next).expect(200);
            if n % 2 == 0 {
                assert_eq!(refresh(&chain, &chain.last).verdict(), "400 invalid_grant", "a replay is no replay");
                assert_eq!(refresh(&chain, &next).verdict(), "400 invalid_grant", "a replay ends the family");
                self.count("replays", 1);
                continue;
            }
            let last = refresh(&chain, &next).expect(200).refresh_token();
            chain = Chain { before: Some(next), last, doubtful: false, ..chain };
            self.chains.push(chain);
        }
    }
}
