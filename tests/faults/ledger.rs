//! What the server has answered, and must stand by.

use std::collections::{BTreeMap, BTreeSet};

use crate::site::{Asker, Site};

/// A family of refresh tokens, as its client sees it.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) client: String,
    /// The predecessor of `last`, whose use was answered by `last`.
    pub(crate) before: Option<String>,
    /// The last token that was answered.
    pub(crate) last: String,
    /// A use of `last` was sent, and no answer came: it may have been made.
    pub(crate) doubtful: bool,
}

/// The live token of a client.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live {
    pub(crate) token: Option<String>,
    /// A revocation was sent, and no answer came.
    pub(crate) doubtful: bool,
}

/// Everything that was answered.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Tokens of LeanCore whose revocation was answered.
    pub(crate) revoked: Vec<String>,
    /// Tokens of LeanCore that nobody revoked.
    pub(crate) good: Vec<String>,
    pub(crate) chains: Vec<Chain>,
    pub(crate) live: BTreeMap<String, Live>,
    /// Live tokens whose revocation was answered.
    pub(crate) live_revoked: Vec<String>,
    /// Kept refresh tokens whose revocation was answered.
    pub(crate) kept_revoked: Vec<String>,
    /// Published keys, by issuer.
    pub(crate) kids: BTreeMap<&'static str, BTreeSet<String>>,
    /// How much of everything was checked.
    pub(crate) checked: BTreeMap<&'static str, usize>,
}

/// The most of one kind that are looked at after a start: the latest.
const MOST: usize = 60;

fn latest<T>(all: &[T]) -> &[T] {
    &all[all.len().saturating_sub(MOST)..]
}

impl Ledger {
    fn count(&mut self, what: &'static str, n: usize) {
        *self.checked.entry(what).or_default() += n;
    }

    /// Fails unless the server stands by all of it.
    pub(crate) fn check(&mut self, site: &Site) {
        let (lean, pomelo, deyel) = (site.ask("lean"), site.ask("pomelo"), site.ask("deyel"));
        for token in latest(&self.revoked) {
            assert!(!lean.is_active(token), "an answered revocation is gone");
        }
        self.count("revocations", self.revoked.len().min(MOST));
        for token in latest(&self.good) {
            assert!(lean.is_active(token), "a token that nobody revoked is inactive: its key is lost");
        }
        self.count("good tokens", self.good.len().min(MOST));
        for token in latest(&self.live_revoked) {
            assert!(!pomelo.is_active(token), "an answered revocation of a live token is gone");
        }
        for token in latest(&self.kept_revoked) {
            deyel.refresh("app-0", token).send().expect(401);
        }
        self.count("kept tokens revoked", self.kept_revoked.len().min(MOST));
        self.check_live(&pomelo);
        self.check_keys(site);
        self.check_chains(&lean);
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
    pub(crate) fn check_keys(&mut self, site: &Site) {
        for issuer in ["std", "pomelo", "deyel"] {
            let now: BTreeSet<_> = site.ask(issuer).kids().into_iter().collect();
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
