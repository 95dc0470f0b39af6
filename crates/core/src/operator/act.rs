//! One act: read, alter, commit, forget; again when another administrator came between.

use ficha_types::{ApiName, ClientId, IssuerName, NodeName, Username};

use super::{Actor, Operator, OperatorError};
use crate::{
    ports::{Commit, Edit, Expect, IssuerRows, StoreError, UserRow},
    records::{Api, AuditEntry, Client},
    views::Change,
};

/// How often an act is tried when others act at the same time.
pub(super) const TRIES: usize = 5;

/// Alterations and what is said of them.
#[derive(Debug, Default)]
pub(super) struct Act {
    pub(super) edits: Vec<Edit>,
    pub(super) audit: Vec<Said>,
}

/// A line of the audit.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) action: &'static str,
    pub(super) subject: String,
    pub(super) detail: String,
}

impl Act {
    /// One alteration with its line.
    pub(super) fn of(edit: Edit, said: Said) -> Self {
        Self { edits: vec![edit], audit: vec![said] }
    }
}

impl Said {
    pub(super) fn new(action: &'static str, subject: &(impl ToString + ?Sized), detail: impl Into<String>) -> Self {
        Self { action, subject: subject.to_string(), detail: detail.into() }
    }
}

impl Operator {
    /// The issuer as it is now.
    pub(super) async fn rows(&self, issuer: &IssuerName) -> Result<IssuerRows, OperatorError> {
        let rows = self.rules.clients.issuer(issuer).await?;
        rows.ok_or_else(|| OperatorError::NotFound { kind: "issuer", name: issuer.to_string() })
    }

    /// The client as it is now.
    pub(super) async fn client_record(&self, issuer: &IssuerName, id: &ClientId) -> Result<Client, OperatorError> {
        let row = self.rules.clients.client(issuer, id).await?;
        row.map(|r| r.client).ok_or_else(|| OperatorError::NotFound { kind: "client", name: id.to_string() })
    }

    /// The user as of now.
    pub(super) async fn user_row(&self, issuer: &IssuerName, name: &Username) -> Result<UserRow, OperatorError> {
        let row = self.rules.clients.user(issuer, name).await?;
        row.ok_or_else(|| OperatorError::NotFound { kind: "user", name: name.to_string() })
    }

    /// Commits `act` if the issuer is still as `rows` say. `false`: it is not, read again.
    pub(super) async fn commit(&self, actor: &Actor, rows: &IssuerRows, act: Act) -> Result<bool, OperatorError> {
        self.commit_expecting(actor, (&rows.issuer.name, Expect::At(rows.configured)), act).await
    }

    /// Commits `act` if the issuer is as expected. `false`: it is not.
    pub(super) async fn commit_expecting(
        &self,
        actor: &Actor,
        (issuer, expect): (&IssuerName, Expect),
        act: Act,
    ) -> Result<bool, OperatorError> {
        Ok(self.commit_known(actor, (issuer, expect), act).await?.is_some())
    }

    /// Commits `act` if the issuer is as expected, and waits until every node knows; answers those that did not in time.
    /// Nothing: it is not as expected.
    pub(super) async fn commit_known(
        &self,
        actor: &Actor,
        (issuer, expect): (&IssuerName, Expect),
        mut act: Act,
    ) -> Result<Option<Vec<NodeName>>, OperatorError> {
        let now = self.rules.clock.now();
        // Hashing and making keys took their time: what was issued meanwhile is covered too.
        for edit in &mut act.edits {
            if let Edit::PutMark(mark) = edit {
                mark.at = mark.at.max(now + self.rules.limits.max_clock_skew);
            }
        }
        let changes: Vec<_> = act.edits.iter().filter_map(change).collect();
        let entry = |said: &Said| AuditEntry {
            at: now,
            actor: actor.as_str().to_owned(),
            action: said.action.to_owned(),
            subject: said.subject.clone(),
            detail: said.detail.clone(),
        };
        let audit = act.audit.iter().map(entry).collect();
        let commit = Commit { issuer: issuer.clone(), edits: act.edits, expect, audit, now };
        let (operator, actor, of) = (self.rules.operator.clone(), actor.clone(), issuer.clone());
        let step = async move {
            let number = operator.commit(commit).await?;
            for said in &act.audit {
                tracing::info!(actor = actor.as_str(), issuer = %of, action = said.action, subject = said.subject, "administration");
            }
            Ok(number)
        };
        let number = match self.rules.write((issuer, changes), step).await {
            Ok(number) => number,
            Err(StoreError::Conflict(text)) => {
                return self.moved_on((issuer, expect), text).await.map(|()| None);
            }
            Err(error @ (StoreError::Unreachable(_) | StoreError::OutcomeUnknown(_))) => return Err(error.into()),
        };
        Ok(Some(self.rules.feed.settled(&self.rules.node.slot(issuer), number).await))
    }

    /// A conflict: good when the issuer is no longer as expected, else what contradicts.
    async fn moved_on(&self, (issuer, expect): (&IssuerName, Expect), text: String) -> Result<(), OperatorError> {
        let now = self.rules.clients.issuer(issuer).await?.map(|rows| rows.configured);
        let as_expected = match expect {
            Expect::Any => true,
            Expect::New => now.is_none(),
            Expect::At(configured) => now == Some(configured),
        };
        if as_expected { Err(StoreError::Conflict(text).into()) } else { Ok(()) }
    }
}

/// The API of that name.
pub(super) fn find_api<'a>(rows: &'a IssuerRows, name: &ApiName) -> Result<&'a Api, OperatorError> {
    let api = rows.apis.iter().find(|a| a.name == *name);
    api.ok_or_else(|| OperatorError::NotFound { kind: "api", name: name.to_string() })
}

/// What this node must forget. Users are never removed here.
fn change(edit: &Edit) -> Option<Change> {
    match edit {
        Edit::PutIssuer(_)
        | Edit::PutApi(_)
        | Edit::RemoveApi(_)
        | Edit::PutKey(_)
        | Edit::RemoveKey(_)
        | Edit::PutSealing(_)
        // Whose it is is not known: with the issuer's view every live token in memory is looked up again.
        | Edit::Revoke(_) => Some(Change::Issuer),
        Edit::PutClient(client) => Some(Change::Client(client.id.clone())),
        Edit::RemoveClient(id) => Some(Change::Client(id.clone())),
        Edit::PutUser(user) => Some(Change::User(user.sub.clone())),
        Edit::EndFamily { .. } => Some(Change::Revoked),
        Edit::RemoveUser(_) | Edit::UpgradePassword { .. } => None,
        Edit::PutMark(mark) => Some(Change::of_mark(mark)),
    }
}
