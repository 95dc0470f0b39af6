//! Secrets of clients and APIs: at most two live, each with its last use. A new one is shown once.

use ficha_jose::sha256;
use ficha_types::{ApiName, ClientId, IssuerName, Secret, UnixSeconds};
use serde::{Deserialize, Serialize};

use super::{
    Actor, Operator, OperatorError,
    act::{Act, Said, TRIES, find_api},
    check::{MAX_SECRETS, is_secret_id},
    declaration::exposed,
    merge::id_of,
    sealing::Sealing,
    secret_text::{self, Owner},
};
use crate::{
    ports::{Edit, IssuerRows},
    records::{Client, SecretOrigin, StoredSecret},
};

/// What is known of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretInfo {
    /// Its name in commands and in the log.
    pub id: String,
    /// Whether it can be guessed.
    pub origin: SecretOrigin,
    /// When it was added.
    pub created_at: UnixSeconds,
    /// When it was last used, to the hour; `None`: never, as far as is known.
    pub last_used: Option<UnixSeconds>,
}

/// Where a new secret comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// ficha makes one of 256 random bits.
    #[default]
    Generate,
    /// Somebody chose it; its SHA-256.
    Chosen([u8; 32]),
    /// Made by ficha before, elsewhere; its SHA-256.
    MadeBefore([u8; 32]),
}

/// A secret that is to be added.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// Its name in commands and in the log; made from its digest when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where it comes from.
    #[serde(default)]
    pub source: SecretSource,
}

/// A secret that was added.
#[derive(Debug, Serialize, Deserialize)]
pub struct ShownSecret {
    /// Whose: the client's id or the API's name, its user name in Basic.
    pub owner: String,
    /// Its name in commands and in the log.
    pub id: String,
    /// The secret itself, when it was made here: shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "shown")]
    pub secret: Option<Secret>,
}

#[expect(clippy::ref_option, reason = "serde gives the field as it is")]
fn shown<S: serde::Serializer>(secret: &Option<Secret>, s: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => exposed(secret, s),
        None => s.serialize_none(),
    }
}

/// The secret as it will be kept, and as it is shown.
pub(super) fn new_secret(
    operator: &Operator,
    sealing: &Sealing,
    (owner, name): (Owner, &str),
    new: &NewSecret,
) -> Result<(StoredSecret, ShownSecret), OperatorError> {
    let (sha, origin, secret) = match new.source {
        SecretSource::Generate => {
            let secret = secret_text::make(owner, &*operator.rules.chance);
            (sha256(secret.expose().as_bytes()), SecretOrigin::Generated, Some(secret))
        }
        SecretSource::Chosen(sha) => (sha, SecretOrigin::Chosen, None),
        SecretSource::MadeBefore(sha) => (sha, SecretOrigin::Generated, None),
    };
    let digest = sealing.digest(name, &sha);
    let id = new.id.clone().unwrap_or_else(|| id_of(&digest));
    if !is_secret_id(&id) {
        let expected = "expected 1 to 64 characters of A-Z, a-z, 0-9, '-', '_' and '.'";
        return Err(OperatorError::refused(format!("{id:?} can't name a secret: {expected}"), ""));
    }
    let stored = StoredSecret { id: id.clone(), origin, digest, created_at: operator.rules.clock.now() };
    Ok((stored, ShownSecret { owner: name.to_owned(), id, secret }))
}

/// Adds one, if there is room.
fn with(kept: &[StoredSecret], new: StoredSecret, owner: &str) -> Result<Vec<StoredSecret>, OperatorError> {
    if kept.iter().any(|s| s.digest == new.digest) {
        return Err(OperatorError::refused(format!("{owner} has that secret already"), ""));
    }
    if kept.iter().any(|s| s.id == new.id) {
        let message = format!("{owner} has another secret {}", new.id);
        return Err(OperatorError::refused(message, "give the new one another --secret-id"));
    }
    if kept.len() >= MAX_SECRETS {
        return Err(OperatorError::refused(
            format!("{owner} has two secrets already"),
            "remove the one that is no longer used (`secret list` tells the last use of each)",
        ));
    }
    Ok(kept.iter().cloned().chain([new]).collect())
}

/// Takes one away.
fn without(kept: &[StoredSecret], id: &str) -> Result<Vec<StoredSecret>, OperatorError> {
    let left: Vec<_> = kept.iter().filter(|s| s.id != id).cloned().collect();
    if left.len() == kept.len() {
        return Err(OperatorError::refused(format!("there is no secret {id}"), "`secret list` shows what there is"));
    }
    Ok(left)
}

/// The client with these secrets: its live tokens end.
fn client_with(client: &Client, secrets: Vec<StoredSecret>) -> Client {
    let removed_secrets = client.removed_secrets.then(&client.secrets, &secrets);
    Client { secrets, removed_secrets, policy: client.policy + 1, ..client.clone() }
}

impl Operator {
    /// The secrets of `owner` with their last uses.
    pub(super) async fn secret_infos(
        &self,
        issuer: &IssuerName,
        owner: &str,
        secrets: &[StoredSecret],
    ) -> Result<Vec<SecretInfo>, OperatorError> {
        // What this node noted since the last minute counts too.
        self.rules.secret_uses.flush(&*self.rules.upkeep).await?;
        let uses = self.rules.upkeep.secret_uses(issuer, owner).await?;
        let info = |secret: &StoredSecret| SecretInfo {
            id: secret.id.clone(),
            origin: secret.origin,
            created_at: secret.created_at,
            last_used: uses.iter().find(|u| u.secret == secret.id).map(|u| u.at),
        };
        Ok(secrets.iter().map(info).collect())
    }

    /// The secrets of a client.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`], [`OperatorError::Store`].
    pub async fn client_secrets(&self, issuer: &IssuerName, id: &ClientId) -> Result<Vec<SecretInfo>, OperatorError> {
        let client = self.client_record(issuer, id).await?;
        self.secret_infos(issuer, id.as_str(), &client.secrets).await
    }

    /// Gives a client a second secret. Its live tokens end.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] when it has two; others as in any act.
    pub async fn client_secret_add(
        &self,
        actor: &Actor,
        (issuer, id): (&IssuerName, &ClientId),
        new: &NewSecret,
    ) -> Result<ShownSecret, OperatorError> {
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            let client = self.client_record(issuer, id).await?;
            let sealing = Sealing::open(issuer, &rows.sealing, &self.masters)?;
            let (stored, shown) = new_secret(self, &sealing, (Owner::Client, id.as_str()), new)?;
            let edit = Edit::PutClient(client_with(&client, with(&client.secrets, stored, id.as_str())?));
            let said = Said::new("client.secret.add", id, format!("secret {}", shown.id));
            if self.commit(actor, &rows, Act::of(edit, said)).await? {
                return Ok(shown);
            }
        }
        Err(OperatorError::Contended)
    }

    /// Takes a secret from a client. Its live tokens end.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] when there is none of that id; others as in any act.
    pub async fn client_secret_remove(
        &self,
        actor: &Actor,
        (issuer, id): (&IssuerName, &ClientId),
        secret: &str,
    ) -> Result<(), OperatorError> {
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            let client = self.client_record(issuer, id).await?;
            let edit = Edit::PutClient(client_with(&client, without(&client.secrets, secret)?));
            let said = Said::new("client.secret.remove", id, format!("secret {secret}"));
            if self.commit(actor, &rows, Act::of(edit, said)).await? {
                return Ok(());
            }
        }
        Err(OperatorError::Contended)
    }

    /// The secrets of an API.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`], [`OperatorError::Store`].
    pub async fn api_secrets(&self, issuer: &IssuerName, name: &ApiName) -> Result<Vec<SecretInfo>, OperatorError> {
        let rows = self.rows(issuer).await?;
        let secrets = find_api(&rows, name)?.secrets.clone();
        self.secret_infos(issuer, name.as_str(), &secrets).await
    }

    /// Gives an API a secret for introspection.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] when it has two; others as in any act.
    pub async fn api_secret_add(
        &self,
        actor: &Actor,
        (issuer, name): (&IssuerName, &ApiName),
        new: &NewSecret,
    ) -> Result<ShownSecret, OperatorError> {
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            let sealing = Sealing::open(issuer, &rows.sealing, &self.masters)?;
            let (stored, shown) = new_secret(self, &sealing, (Owner::Api, name.as_str()), new)?;
            let secrets = with(&find_api(&rows, name)?.secrets, stored, name.as_str())?;
            let said = Said::new("api.secret.add", name, format!("secret {}", shown.id));
            if self.put_api_secrets(actor, (&rows, name), (secrets, said)).await? {
                return Ok(shown);
            }
        }
        Err(OperatorError::Contended)
    }

    /// Takes a secret from an API.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] when there is none of that id; others as in any act.
    pub async fn api_secret_remove(
        &self,
        actor: &Actor,
        (issuer, name): (&IssuerName, &ApiName),
        secret: &str,
    ) -> Result<(), OperatorError> {
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            let secrets = without(&find_api(&rows, name)?.secrets, secret)?;
            let said = Said::new("api.secret.remove", name, format!("secret {secret}"));
            if self.put_api_secrets(actor, (&rows, name), (secrets, said)).await? {
                return Ok(());
            }
        }
        Err(OperatorError::Contended)
    }

    async fn put_api_secrets(
        &self,
        actor: &Actor,
        (rows, name): (&IssuerRows, &ApiName),
        (secrets, said): (Vec<StoredSecret>, Said),
    ) -> Result<bool, OperatorError> {
        let mut api = find_api(rows, name)?.clone();
        api.removed_secrets = api.removed_secrets.then(&api.secrets, &secrets);
        api.secrets = secrets;
        self.commit(actor, rows, Act::of(Edit::PutApi(api), said)).await
    }
}
