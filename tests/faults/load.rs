//! Clients that ask until the server is gone, and write down what it answered.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use ficha_tests::{Answer, Asker, Chain, Ledger};

use crate::site::Site;

/// Asks for as long as the server answers and nobody says stop.
pub(crate) struct Load<'l> {
    pub(crate) ledger: &'l Mutex<Ledger>,
    pub(crate) stop: &'l AtomicBool,
}

impl Load<'_> {
    /// `None` when the connection broke: nobody knows what became of the request.
    fn answered(call: &ficha_tests::Call) -> Option<Answer> {
        call.try_send().ok().map(|answer| answer.expect(200))
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Acquire)
    }

    /// Takes tokens and revokes every other one.
    pub(crate) fn revokes(&self, lean: &Asker, client: &str) {
        while self.goes_on() {
            let Some(one) = Self::answered(&lean.token(client)) else { return };
            let Some(other) = Self::answered(&lean.token(client)) else { return };
            self.ledger.lock().unwrap().good.push(other.access_token());
            if Self::answered(&lean.revoke(client, &one.access_token())).is_none() {
                return;
            }
            self.ledger.lock().unwrap().revoked.push(one.access_token());
        }
    }

    /// Refreshes one family on and on.
    pub(crate) fn refreshes(&self, lean: &Asker, client: &str) {
        let Some(first) = Self::answered(&lean.token(client)) else { return };
        let mut chain = Chain { client: client.to_owned(), before: None, last: first.refresh_token(), doubtful: false };
        while self.goes_on() {
            chain.doubtful = true;
            let Some(answer) = Self::answered(&lean.refresh(client, &chain.last)) else { break };
            let before = std::mem::replace(&mut chain.last, answer.refresh_token());
            chain = Chain { before: Some(before), doubtful: false, ..chain };
        }
        self.ledger.lock().unwrap().chains.push(chain);
    }

    /// Takes the live token; after each `revokes` requests it revokes it, `None`: never.
    pub(crate) fn lives(&self, pomelo: &Asker, client: &str, revokes: Option<u32>) {
        let mut asked = 0_u32;
        while self.goes_on() {
            let Some(answer) = Self::answered(&pomelo.pomelo("/oauth/token", client)) else { return };
            let token = answer.access_token();
            {
                let mut ledger = self.ledger.lock().unwrap();
                let live = ledger.live.entry(client.to_owned()).or_default();
                assert!(live.token.as_ref().is_none_or(|before| *before == token), "two live tokens");
                live.token = Some(token.clone());
                asked += 1;
                if revokes.is_none_or(|every| !asked.is_multiple_of(every)) {
                    continue;
                }
                live.doubtful = true;
            }
            if Self::answered(&pomelo.pomelo("/oauth/token/revoke", client)).is_none() {
                return;
            }
            let mut ledger = self.ledger.lock().unwrap();
            ledger.live_revoked.push(token);
            ledger.live.remove(client);
        }
    }

    /// Logs in and revokes the refresh token.
    pub(crate) fn logs_in(&self, deyel: &Asker) {
        while self.goes_on() {
            let Some(answer) = Self::answered(&deyel.login()) else { return };
            if Self::answered(&deyel.revoke("app-0", &answer.refresh_token())).is_none() {
                return;
            }
            self.ledger.lock().unwrap().kept_revoked.push(answer.refresh_token());
        }
    }

    /// Rotates keys by command. What was answered is kept.
    pub(crate) fn rotates(&self, site: &Site) {
        let made = site.server.cli(&["key", "rotate", "--issuer", "std", "--now", "--json"]);
        if made.code == 0 {
            let mut ledger = self.ledger.lock().unwrap();
            let kids = ledger.kids.entry("std").or_default();
            kids.extend(made.json().as_array().unwrap().iter().map(|k| k["kid"].as_str().unwrap().to_owned()));
        }
    }
}
