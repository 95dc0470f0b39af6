//! Tokens: taking them back by name, and looking into one.

use std::sync::Arc;

use ficha_jose::Compact;
use ficha_types::{ApiName, BaseUrl, ClientId, IssuerName, NodeName, TokenId, UnixSeconds, Username};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Actor, Operator, OperatorError,
    act::{Act, Said, find_api},
    slots::{dialects, family_lifetime, longest_lifetime},
};
use crate::{
    ports::{Edit, Expect, Page, Revocation, Standing},
    records::{Marked, Status},
    token::{RefreshFacts, latest_mark, read_access_token, read_refresh_token},
    views::{IssuerSlot, Place},
};

/// Issuers read at a time.
const PAGE: u32 = 100;

/// Whose tokens end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Marking {
    /// Everybody's.
    Issuer,
    /// A client's, everywhere or at one API.
    Client {
        /// The client.
        id: ClientId,
        /// The API, when it is only one.
        api: Option<ApiName>,
    },
    /// A user's.
    User {
        /// What the person types.
        name: Username,
    },
}

/// How far a revocation reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// A mark ends what was issued until then; the revocation of one token stands until then.
    pub until: UnixSeconds,
    /// Nodes that had not confirmed it: they can't reach the database, and may go on for `outage_grace`. What they give out
    /// meanwhile is dead once they are back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unconfirmed: Vec<NodeName>,
}

/// One token, by its `jti` alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeById {
    /// The token's `jti`.
    pub jti: TokenId,
    /// The API that it concerns; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiName>,
}

/// What a token is, and what stands against it. Never holds the token.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Inspection {
    /// The issuer that signed or sealed it; `None`: none of this server.
    pub issuer: Option<String>,
    /// `access_token` or `refresh_token`, when it is one of this server's.
    pub kind: Option<String>,
    /// The JOSE header, when it is a JWT.
    pub header: Option<Map<String, Value>>,
    /// What it says: the claims of a JWT (unproved when there is no issuer), the facts of a sealed token.
    pub claims: Option<Map<String, Value>>,
    /// What stands against it, one sentence each; nothing when it is good.
    pub against: Vec<String>,
}

impl Operator {
    /// "Everything issued until now is dead." Answers the mark that was set.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`]; others as in any act.
    pub async fn token_revoke_all(
        &self,
        actor: &Actor,
        issuer: &IssuerName,
        whose: &Marking,
    ) -> Result<Ended, OperatorError> {
        let rows = self.rows(issuer).await?;
        let (marked, subject) = match whose {
            Marking::Issuer => (Marked::Issuer, issuer.to_string()),
            Marking::Client { id, api: None } => {
                self.client_record(issuer, id).await?;
                (Marked::Client(id.clone()), format!("client {id}"))
            }
            Marking::Client { id, api: Some(api) } => {
                self.client_record(issuer, id).await?;
                find_api(&rows, api)?;
                (Marked::ClientAtApi(id.clone(), api.clone()), format!("client {id} at {api}"))
            }
            Marking::User { name } => {
                let user = self.user_row(issuer, name).await?.user;
                (Marked::User(user.sub), format!("user {name}"))
            }
        };
        let at = self.rules.clock.now() + self.rules.limits.max_clock_skew;
        let said = Said::new("token.revoke", &subject, format!("everything until {at}"));
        let act = Act::of(self.mark(marked.clone()), said);
        let done = self.commit_known(actor, (issuer, Expect::Any), act).await?;
        let unconfirmed = done.ok_or(OperatorError::Contended)?;
        // The clock of the database may have been ahead.
        Ok(Ended { until: self.standing_mark(issuer, &marked).await?.unwrap_or(at), unconfirmed })
    }

    async fn standing_mark(&self, issuer: &IssuerName, whose: &Marked) -> Result<Option<UnixSeconds>, OperatorError> {
        let store = &*self.rules.clients;
        Ok(match whose {
            Marked::Issuer => store.issuer(issuer).await?.and_then(|rows| rows.mark),
            Marked::Client(id) => store.client(issuer, id).await?.and_then(|row| row.mark),
            Marked::ClientAtApi(id, api) => {
                let marks = store.client(issuer, id).await?.map(|row| row.api_marks).unwrap_or_default();
                marks.into_iter().find(|(name, _)| name == api).map(|(_, at)| at)
            }
            Marked::User(sub) => store.user_by_subject(issuer, sub).await?.and_then(|row| row.mark),
        })
    }

    /// Revokes one token of which only the `jti` is known: stands for the issuer's longest lifetime. Answers until when.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`]; others as in any act.
    pub async fn token_revoke(
        &self,
        actor: &Actor,
        issuer: &IssuerName,
        RevokeById { jti, api }: &RevokeById,
    ) -> Result<Ended, OperatorError> {
        let rows = self.rows(issuer).await?;
        if let Some(api) = api {
            find_api(&rows, api)?;
        }
        let now = self.rules.clock.now();
        let dialects = dialects(&self.rules, &rows.issuer);
        let leeway = self.rules.limits.verifier_leeway;
        let until = now + longest_lifetime(&rows.apis, &dialects) + leeway;
        let revocation = Revocation { id: jti.clone(), client: None, api: api.clone(), issued_at: now, until };
        let detail = api.as_ref().map_or_else(|| "at every API".to_owned(), |api| format!("at {api}"));
        let mut edits = vec![Edit::Revoke(revocation)];
        // It may be a refresh token's: that is called as its family.
        if let (Ok(family), Some(life)) = (jti.as_str().parse(), family_lifetime(&dialects)) {
            edits.push(Edit::EndFamily { family, api: api.clone(), keep_until: until.max(now + life + leeway) });
        }
        let act = Act { edits, audit: vec![Said::new("token.revoke", jti, detail)] };
        let done = self.commit_known(actor, (issuer, Expect::Any), act).await?;
        Ok(Ended { until, unconfirmed: done.ok_or(OperatorError::Contended)? })
    }

    /// Looks into a token: of `issuer`, or of whichever it is.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`] for the issuer, [`OperatorError::Store`]. A token that is nobody's is no error.
    pub async fn token_inspect(&self, issuer: Option<&IssuerName>, token: &str) -> Result<Inspection, OperatorError> {
        let token = token.trim();
        let parsed = Compact::parse(token).ok();
        let json = |bytes: &[u8]| serde_json::from_slice::<Map<String, Value>>(bytes).ok();
        let mut found = Inspection {
            header: parsed.as_ref().and_then(|p| json(p.header_json())),
            claims: parsed.as_ref().and_then(|p| json(p.payload())),
            ..Inspection::default()
        };
        let name = match issuer {
            Some(name) => Some(self.rows(name).await?.issuer.name),
            None => self.whose(found.claims.as_ref(), token).await?,
        };
        if let Some(name) = name {
            for place in self.places(&self.rules.node.slot(&name)).await? {
                if let Some(read) = self.against(&place, token).await? {
                    found.issuer = Some(name.to_string());
                    found.kind = Some(read.kind.to_owned());
                    found.claims = read.sealed.or(found.claims);
                    found.against = read.against;
                    return Ok(found);
                }
            }
        }
        found.against.push(match &parsed {
            Some(_) => "no key of this server verifies its signature, or it is not for one of its APIs".into(),
            None => "it is neither a JWT nor a refresh token of this server".into(),
        });
        Ok(found)
    }

    /// The issuer whose keys open or verify `token`: the one that it names, else whichever it is.
    async fn whose(
        &self,
        claims: Option<&Map<String, Value>>,
        token: &str,
    ) -> Result<Option<IssuerName>, OperatorError> {
        let iss = claims.and_then(|claims| claims.get("iss")?.as_str()?.parse::<BaseUrl>().ok());
        if let Some(iss) = iss {
            for row in self.rules.clients.places(&[iss.written_out()]).await? {
                if self.knows(&row.issuer.name, token).await? {
                    return Ok(Some(row.issuer.name));
                }
            }
        }
        let mut page = Page { after: String::new(), limit: PAGE };
        loop {
            let issuers = self.rules.clients.issuers(page.clone()).await?;
            let Some(last) = issuers.last() else { return Ok(None) };
            page.after = last.name.to_string();
            for issuer in issuers {
                if self.knows(&issuer.name, token).await? {
                    return Ok(Some(issuer.name));
                }
            }
        }
    }

    /// Whether a key of the issuer opens or verifies `token`. Read for this once: of many issuers none stays in memory.
    async fn knows(&self, name: &IssuerName, token: &str) -> Result<bool, OperatorError> {
        let places = self.places(&Arc::new(IssuerSlot::new(name))).await?;
        let dialects = &*self.rules.dialects;
        let knows = |place: &Place| {
            read_refresh_token(place, dialects, token).is_some() || read_access_token(place, dialects, token).is_some()
        };
        Ok(places.iter().any(knows))
    }

    /// The issuer in each of its dialects.
    async fn places(&self, slot: &Arc<IssuerSlot>) -> Result<Vec<Place>, OperatorError> {
        let Some(entered) = self.rules.enter(slot).await? else { return Ok(Vec::new()) };
        let dialects = dialects(&self.rules, &entered.issuer.issuer);
        Ok(dialects.into_iter().map(|dialect| entered.clone().at(slot.clone(), dialect)).collect())
    }

    async fn against(&self, place: &Place, token: &str) -> Result<Option<Read>, OperatorError> {
        if let Some(facts) = read_refresh_token(place, &*self.rules.dialects, token) {
            let sealed = Compact::parse(token).is_err().then(|| refresh_claims(&facts));
            let against = self.against_refresh(place, &facts).await?;
            return Ok(Some(Read { kind: "refresh_token", sealed, against }));
        }
        let Some(read) = read_access_token(place, &*self.rules.dialects, token) else { return Ok(None) };
        let facts = read.facts;
        let bearer = Bearer {
            client: &facts.client,
            user: facts.user.as_ref(),
            api: &read.api,
            issued_at: facts.issued_at,
            expires_at: facts.expires_at,
        };
        let mut against = self.against_bearer(place, &bearer).await?;
        let family = facts.id.family();
        let name = place.issuer.name();
        match self.rules.tokens.standing(name, &facts.id, family.as_ref(), &read.api.name).await? {
            Standing::Good => {}
            Standing::Revoked => {
                against.push("it, or the refresh token beside which it was issued, was revoked".into());
            }
        }
        Ok(Some(Read { kind: "access_token", sealed: None, against }))
    }

    async fn against_refresh(&self, place: &Place, facts: &RefreshFacts) -> Result<Vec<String>, OperatorError> {
        let Some(api) = place.issuer.api(&facts.api) else {
            return Ok(vec![format!("its API {} is gone", facts.api)]);
        };
        let bearer = Bearer {
            client: &facts.client,
            user: facts.user.as_ref(),
            api,
            issued_at: facts.issued_at,
            expires_at: facts.expires_at,
        };
        let mut against = self.against_bearer(place, &bearer).await?;
        match self.rules.tokens.family_standing(place.issuer.name(), &facts.family).await? {
            Standing::Good => {}
            Standing::Revoked => against.push("its family was revoked, by command or by a replay".into()),
        }
        Ok(against)
    }

    async fn against_bearer(&self, place: &Place, bearer: &Bearer<'_>) -> Result<Vec<String>, OperatorError> {
        let node = &self.rules.node;
        let mut against = Vec::new();
        let now = self.rules.clock.now();
        if bearer.expires_at <= now {
            against.push(format!("it expired {} ago", now - bearer.expires_at));
        }
        let Some(client) = node.client(&place.slot, bearer.client).await? else {
            against.push(format!("there is no client {}", bearer.client));
            return Ok(against);
        };
        if client.client.status == Status::Disabled {
            against.push(format!("the client {} is disabled", bearer.client));
        }
        let user = match bearer.user {
            Some(sub) => match node.user(&place.slot, sub).await? {
                Some(user) => Some(user),
                None => {
                    against.push(format!("there is no user with the sub {sub}"));
                    None
                }
            },
            None => None,
        };
        if let Some(user) = user.as_ref().filter(|u| u.row.user.status == Status::Disabled) {
            against.push(format!("the user {} is disabled", user.row.user.name));
        }
        let mark = latest_mark(place, &client, bearer.api, user.as_deref());
        if let Some(mark) = mark.filter(|mark| bearer.issued_at <= *mark) {
            against
                .push(format!("everything issued until {mark} was revoked, and it was issued at {}", bearer.issued_at));
        }
        Ok(against)
    }
}

/// A token of this server, read.
struct Read {
    kind: &'static str,
    sealed: Option<Map<String, Value>>,
    against: Vec<String>,
}

/// For whom and when a token was issued.
struct Bearer<'a> {
    client: &'a ClientId,
    user: Option<&'a ficha_types::Subject>,
    api: &'a crate::records::Api,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
}

/// The facts of a sealed refresh token as claims are called.
fn refresh_claims(facts: &RefreshFacts) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    put("client_id", facts.client.as_str().into());
    if let Some(sub) = &facts.user {
        put("sub", sub.as_str().into());
    }
    put("api", facts.api.as_str().into());
    put("scope", facts.scope.to_string().into());
    put("family", facts.family.as_str().into());
    put("step", facts.step.into());
    put("iat", facts.issued_at.0.into());
    put("exp", facts.expires_at.0.into());
    put("rotates", facts.rotates.into());
    claims
}
