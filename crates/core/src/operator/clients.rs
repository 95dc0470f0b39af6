//! Clients one by one.

use std::collections::{BTreeMap, BTreeSet};

use ficha_types::{ApiName, AuthMethod, ClientId, GrantKind, IssuerName, ScopeSet, UnixSeconds};
use serde::{Deserialize, Serialize};

use super::{
    Actor, NewSecret, Operator, OperatorError, SecretInfo, ShownSecret,
    act::{Act, Said, TRIES, find_api},
    sealing::Sealing,
    secret_text::Owner,
    secrets::new_secret,
    slots::dialects,
};
use crate::{
    ports::{Edit, IssuerRows, Page},
    records::{Client, Marked, RemovedSecrets, Status},
};

/// A client in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientSummary {
    /// Its public name.
    pub id: String,
    /// Whether it may do anything.
    pub status: Status,
    /// The grants that it may use.
    pub grants: Vec<GrantKind>,
    /// The APIs that it may use.
    pub apis: Vec<String>,
    /// How many secrets it has.
    pub secrets: usize,
}

/// A client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientDetails {
    /// Its public name.
    pub id: String,
    /// Whether it may do anything.
    pub status: Status,
    /// Its secrets.
    pub secrets: Vec<SecretInfo>,
    /// The grants that it may use.
    pub grants: Vec<GrantKind>,
    /// The scopes that it holds, per API.
    pub scopes: BTreeMap<String, Vec<String>>,
    /// The methods by which it may authenticate; every one of the dialect's when absent.
    pub auth_methods: Option<Vec<AuthMethod>>,
    /// Whether its id alone is enough for the grant `refresh_token`.
    pub refresh_without_secret: bool,
    /// Facts about it that a dialect may write into its tokens.
    pub properties: BTreeMap<String, String>,
    /// The most requests of it that are under way at once.
    pub max_concurrent: u32,
    /// The most requests of it per second.
    pub max_per_second: Option<u32>,
    /// Its not-before mark.
    pub not_before: Option<UnixSeconds>,
    /// Its not-before marks at single APIs.
    pub api_not_before: BTreeMap<String, UnixSeconds>,
}

/// A client that is to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    /// Its public name.
    pub id: ClientId,
    /// The grants that it may use.
    pub grants: BTreeSet<GrantKind>,
    /// The scopes that it holds, per API.
    #[serde(default)]
    pub scopes: BTreeMap<ApiName, ScopeSet>,
    /// APIs of which it holds every scope that they declare now.
    #[serde(default)]
    pub whole_apis: BTreeSet<ApiName>,
    /// The methods by which it may authenticate.
    #[serde(default)]
    pub auth_methods: Option<BTreeSet<AuthMethod>>,
    /// Whether its id alone is enough for the grant `refresh_token`.
    #[serde(default)]
    pub refresh_without_secret: bool,
    /// Facts about it that a dialect may write into its tokens.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// The most requests of it per second.
    #[serde(default)]
    pub max_per_second: Option<u32>,
    /// Its first secret.
    #[serde(default)]
    pub secret: NewSecret,
}

/// The most requests of one client under way at once, when nobody says otherwise.
pub const MAX_CONCURRENT: u32 = 1024;

impl Operator {
    /// A page of clients, by id.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`], [`OperatorError::Store`].
    pub async fn clients(&self, issuer: &IssuerName, page: Page) -> Result<Vec<ClientSummary>, OperatorError> {
        self.rows(issuer).await?;
        let summary = |client: Client| ClientSummary {
            id: client.id.to_string(),
            status: client.status,
            grants: client.grants.into_iter().collect(),
            apis: client.scopes.keys().map(ToString::to_string).collect(),
            secrets: client.secrets.len(),
        };
        Ok(self.rules.operator.clients(issuer, page).await?.into_iter().map(summary).collect())
    }

    /// One client.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`], [`OperatorError::Store`].
    pub async fn client(&self, issuer: &IssuerName, id: &ClientId) -> Result<ClientDetails, OperatorError> {
        self.rows(issuer).await?;
        let row = self.rules.clients.client(issuer, id).await?;
        let row = row.ok_or_else(|| OperatorError::NotFound { kind: "client", name: id.to_string() })?;
        let client = row.client;
        let written = |set: &ScopeSet| set.iter().map(ToString::to_string).collect();
        Ok(ClientDetails {
            id: client.id.to_string(),
            status: client.status,
            secrets: self.secret_infos(issuer, id.as_str(), &client.secrets).await?,
            grants: client.grants.into_iter().collect(),
            scopes: client.scopes.iter().map(|(api, set)| (api.to_string(), written(set))).collect(),
            auth_methods: client.auth_methods.map(|m| m.into_iter().collect()),
            refresh_without_secret: client.refresh_without_secret,
            properties: client.properties,
            max_concurrent: client.max_concurrent,
            max_per_second: client.max_per_second,
            not_before: row.mark,
            api_not_before: row.api_marks.into_iter().map(|(api, at)| (api.to_string(), at)).collect(),
        })
    }

    /// Adds a client with one secret.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] when the name is taken or it asks for what is not there; others as in any act.
    pub async fn client_add(
        &self,
        actor: &Actor,
        issuer: &IssuerName,
        new: &NewClient,
    ) -> Result<ShownSecret, OperatorError> {
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            if self.rules.clients.client(issuer, &new.id).await?.is_some() {
                let hint = "`ficha client show` shows it, `ficha apply` alters it";
                return Err(OperatorError::refused(format!("there is a client {} already", new.id), hint));
            }
            self.check_grants(&rows, new)?;
            let scopes = scopes(&rows, new)?;
            let sealing = Sealing::open(issuer, &rows.sealing, &self.masters)?;
            let (secret, shown) = new_secret(self, &sealing, (Owner::Client, new.id.as_str()), &new.secret)?;
            let client = Client {
                id: new.id.clone(),
                status: Status::Enabled,
                secrets: vec![secret],
                removed_secrets: RemovedSecrets::default(),
                grants: new.grants.clone(),
                scopes,
                auth_methods: new.auth_methods.clone(),
                refresh_without_secret: new.refresh_without_secret,
                properties: new.properties.clone(),
                max_concurrent: MAX_CONCURRENT,
                max_per_second: new.max_per_second,
                policy: 1,
            };
            let said = Said::new("client.add", &new.id, format!("secret {}", shown.id));
            if self.commit(actor, &rows, Act::of(Edit::PutClient(client), said)).await? {
                return Ok(shown);
            }
        }
        Err(OperatorError::Contended)
    }

    fn check_grants(&self, rows: &IssuerRows, new: &NewClient) -> Result<(), OperatorError> {
        let dialects = dialects(&self.rules, &rows.issuer);
        if new.grants.is_empty() {
            return Err(OperatorError::refused(
                "a client needs a grant",
                "name at least one, as in client_credentials",
            ));
        }
        if new.auth_methods.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(OperatorError::refused(
                "a client needs a method to authenticate by",
                "name one, or leave the list out",
            ));
        }
        let unknown = new.grants.iter().find(|g| !dialects.iter().any(|d| d.profile().grants.contains(g)));
        if let Some(grant) = unknown {
            let message = format!("no dialect of {} has the grant {grant}", rows.issuer.name);
            return Err(OperatorError::refused(message, "`ficha dialect show` tells the grants of a dialect"));
        }
        let methods = new.auth_methods.iter().flatten();
        let mut unknown = methods.filter(|m| !dialects.iter().any(|d| d.profile().auth_methods.contains(m)));
        if let Some(method) = unknown.next() {
            let message = format!("no dialect of {} has the method {method}", rows.issuer.name);
            return Err(OperatorError::refused(message, "`ficha dialect show` tells the methods of a dialect"));
        }
        if new.max_per_second == Some(0) {
            return Err(OperatorError::refused("a rate of 0 lets nothing through", "leave it out for no limit"));
        }
        Ok(())
    }

    /// Disables a client: refused everywhere, and, unless `keep_tokens`, everything issued to it until now is dead.
    ///
    /// # Errors
    /// As in any act.
    pub async fn client_disable(
        &self,
        actor: &Actor,
        (issuer, id): (&IssuerName, &ClientId),
        keep_tokens: bool,
    ) -> Result<(), OperatorError> {
        let marks = if keep_tokens { Vec::new() } else { vec![self.mark(Marked::Client(id.clone()))] };
        let detail = if keep_tokens { "tokens kept" } else { "" };
        self.set_client_status(actor, (issuer, id), Status::Disabled, (marks, Said::new("client.disable", id, detail)))
            .await
    }

    /// Enables a client. What a mark ended stays dead.
    ///
    /// # Errors
    /// As in any act.
    pub async fn client_enable(&self, actor: &Actor, issuer: &IssuerName, id: &ClientId) -> Result<(), OperatorError> {
        let said = Said::new("client.enable", id, "");
        self.set_client_status(actor, (issuer, id), Status::Enabled, (Vec::new(), said)).await
    }

    async fn set_client_status(
        &self,
        actor: &Actor,
        (issuer, id): (&IssuerName, &ClientId),
        status: Status,
        (marks, said): (Vec<Edit>, Said),
    ) -> Result<(), OperatorError> {
        let Said { action, subject, detail } = said;
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            let client = self.client_record(issuer, id).await?;
            let policy = if client.status == status { client.policy } else { client.policy + 1 };
            let mut edits = vec![Edit::PutClient(Client { status, policy, ..client })];
            edits.extend(marks.iter().cloned());
            let audit = vec![Said::new(action, &subject, detail.clone())];
            if self.commit(actor, &rows, Act { edits, audit }).await? {
                return Ok(());
            }
        }
        Err(OperatorError::Contended)
    }
}

/// What the new client will hold.
fn scopes(rows: &IssuerRows, new: &NewClient) -> Result<BTreeMap<ApiName, ScopeSet>, OperatorError> {
    let mut scopes = new.scopes.clone();
    for name in &new.whole_apis {
        let all = find_api(rows, name)?.scopes.iter().cloned();
        let asked = scopes.remove(name).unwrap_or_default();
        scopes.insert(name.clone(), all.chain(asked.iter().cloned()).collect());
    }
    check_scopes(rows, &scopes)?;
    Ok(scopes)
}

/// Refuses scopes that no API declares.
pub(super) fn check_scopes(rows: &IssuerRows, scopes: &BTreeMap<ApiName, ScopeSet>) -> Result<(), OperatorError> {
    for (name, set) in scopes {
        let api = find_api(rows, name)?;
        if let Some(unknown) = set.iter().find(|s| !api.scopes.contains(s)) {
            let message = format!("the API {name} does not declare the scope {unknown}");
            return Err(OperatorError::refused(message, "`ficha api show` tells the scopes of an API"));
        }
    }
    Ok(())
}
