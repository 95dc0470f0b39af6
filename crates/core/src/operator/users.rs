//! Users one by one.

use std::{collections::BTreeMap, fmt};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ficha_jose::sha256;
use ficha_types::{ApiName, IssuerName, ScopeSet, Secret, Subject, Username};
use serde::{Deserialize, Serialize};

use super::{
    Actor, DeclaredPassword, Operator, OperatorError,
    act::{Act, Said, TRIES},
    clients::check_scopes,
    sealing::Sealing,
};
use crate::{
    passwords::taken_in,
    ports::{Edit, Entropy, IssuerRows, Page},
    records::{Marked, PasswordHash, Status, User},
};

/// A user in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSummary {
    /// What the person types.
    pub name: String,
    /// What stands in `sub`.
    pub sub: String,
    /// Whether the person may do anything.
    pub status: Status,
    /// The person's permissions, per API.
    pub scopes: BTreeMap<String, Vec<String>>,
}

impl UserSummary {
    fn of(user: &User) -> Self {
        let written = |set: &ScopeSet| set.iter().map(ToString::to_string).collect();
        Self {
            name: user.name.to_string(),
            sub: user.sub.to_string(),
            status: user.status,
            scopes: user.scopes.iter().map(|(api, set)| (api.to_string(), written(set))).collect(),
        }
    }
}

/// A user who is to be added.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// What the person types.
    pub name: Username,
    /// The password, or a hash of it that was made elsewhere.
    pub password: DeclaredPassword,
    /// The person's permissions, per API.
    #[serde(default)]
    pub scopes: BTreeMap<ApiName, ScopeSet>,
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A new `sub`: 128 random bits, never equal to anybody's name.
pub(super) fn new_subject(chance: &dyn Entropy) -> Result<Subject, OperatorError> {
    let mut bytes = [0; 16];
    chance.fill(&mut bytes);
    let text = format!("usr_{}", URL_SAFE_NO_PAD.encode(bytes));
    text.parse().map_err(|e| OperatorError::Keys(format!("a subject can't be made: {e}")))
}

impl Operator {
    /// A page of users, by name.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`], [`OperatorError::Store`].
    pub async fn users(&self, issuer: &IssuerName, page: Page) -> Result<Vec<UserSummary>, OperatorError> {
        self.rows(issuer).await?;
        Ok(self.rules.operator.users(issuer, page).await?.iter().map(UserSummary::of).collect())
    }

    /// One user.
    ///
    /// # Errors
    /// [`OperatorError::NotFound`], [`OperatorError::Store`].
    pub async fn user(&self, issuer: &IssuerName, name: &Username) -> Result<UserSummary, OperatorError> {
        self.rows(issuer).await?;
        Ok(UserSummary::of(&self.user_row(issuer, name).await?.user))
    }

    /// Adds a user; answers the `sub` that was made.
    ///
    /// # Errors
    /// [`OperatorError::Refused`] when the name is taken or the hash can't be taken in; others as in any act.
    pub async fn user_add(
        &self,
        actor: &Actor,
        issuer: &IssuerName,
        new: &NewUser,
    ) -> Result<UserSummary, OperatorError> {
        self.rows(issuer).await?;
        let mut hashed = None;
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            if self.rules.clients.user(issuer, &new.name).await?.is_some() {
                let hint = "`ficha user password` sets the password, `ficha apply` alters the rest";
                return Err(OperatorError::refused(format!("there is a user {} already", new.name), hint));
            }
            check_scopes(&rows, &new.scopes)?;
            let (password, password_source) = match hashed.take() {
                Some(made) => made,
                None => self.taken_in(&rows, &new.name, &new.password).await?,
            };
            hashed = Some((password.clone(), password_source));
            let user = User {
                name: new.name.clone(),
                sub: new_subject(&*self.rules.chance)?,
                status: Status::Enabled,
                password,
                scopes: new.scopes.clone(),
                password_source,
            };
            let summary = UserSummary::of(&user);
            let said = Said::new("user.add", &new.name, format!("sub {}", user.sub));
            if self.commit(actor, &rows, Act::of(Edit::PutUser(user), said)).await? {
                return Ok(summary);
            }
        }
        Err(OperatorError::Contended)
    }

    /// The hash of a password, or the given hash with the digest by which `apply` knows it again.
    async fn taken_in(
        &self,
        rows: &IssuerRows,
        name: &Username,
        password: &DeclaredPassword,
    ) -> Result<(PasswordHash, Option<[u8; 32]>), OperatorError> {
        match password {
            DeclaredPassword::Hash(hash) => {
                let sealing = Sealing::open(&rows.issuer.name, &rows.sealing, &self.masters)?;
                let source = sealing.password_source(name.as_str(), &sha256(hash.expose().as_bytes()));
                let hash = taken_in(hash.expose()).map_err(|e| OperatorError::refused(e.to_string(), ""))?;
                Ok((hash, Some(source)))
            }
            DeclaredPassword::Plain(plain) if plain.expose().is_empty() => {
                Err(OperatorError::refused("the password is empty", "give one in a file or by standard input"))
            }
            DeclaredPassword::Plain(plain) => {
                let copy = Secret::new(plain.expose().to_owned());
                Ok((self.rules.passwords.hash(copy, &*self.rules.chance).await?, None))
            }
        }
    }

    /// Sets a user's password; unless `keep_tokens`, everything issued in the person's name until now is dead.
    ///
    /// # Errors
    /// As in any act.
    pub async fn user_password(
        &self,
        actor: &Actor,
        (issuer, name): (&IssuerName, &Username),
        (password, keep_tokens): (&DeclaredPassword, bool),
    ) -> Result<(), OperatorError> {
        let rows = self.rows(issuer).await?;
        let (hash, source) = self.taken_in(&rows, name, password).await?;
        let alter = |user: &User| User {
            password: hash.clone(),
            // The declared hash that was taken in stays known: applying it once more does not undo this.
            password_source: source.or(user.password_source),
            ..user.clone()
        };
        self.alter_user(
            actor,
            (issuer, name),
            (&alter, keep_tokens),
            Said::new("user.password", name, kept(keep_tokens)),
        )
        .await
    }

    /// Disables a user; unless `keep_tokens`, everything issued in the person's name until now is dead.
    ///
    /// # Errors
    /// As in any act.
    pub async fn user_disable(
        &self,
        actor: &Actor,
        (issuer, name): (&IssuerName, &Username),
        keep_tokens: bool,
    ) -> Result<(), OperatorError> {
        let alter = |user: &User| User { status: Status::Disabled, ..user.clone() };
        self.alter_user(
            actor,
            (issuer, name),
            (&alter, keep_tokens),
            Said::new("user.disable", name, kept(keep_tokens)),
        )
        .await
    }

    /// Enables a user. What a mark ended stays dead.
    ///
    /// # Errors
    /// As in any act.
    pub async fn user_enable(&self, actor: &Actor, issuer: &IssuerName, name: &Username) -> Result<(), OperatorError> {
        let alter = |user: &User| User { status: Status::Enabled, ..user.clone() };
        self.alter_user(actor, (issuer, name), (&alter, true), Said::new("user.enable", name, "")).await
    }

    async fn alter_user(
        &self,
        actor: &Actor,
        (issuer, name): (&IssuerName, &Username),
        (alter, keep_tokens): (&(dyn Fn(&User) -> User + Sync), bool),
        Said { action, detail, .. }: Said,
    ) -> Result<(), OperatorError> {
        for _ in 0..TRIES {
            let rows = self.rows(issuer).await?;
            let user = self.user_row(issuer, name).await?.user;
            let mut edits = vec![Edit::PutUser(alter(&user))];
            if !keep_tokens {
                edits.push(self.mark(Marked::User(user.sub.clone())));
            }
            let audit = vec![Said::new(action, name, detail.clone())];
            if self.commit(actor, &rows, Act { edits, audit }).await? {
                return Ok(());
            }
        }
        Err(OperatorError::Contended)
    }
}

fn kept(keep_tokens: bool) -> &'static str {
    if keep_tokens { "tokens kept" } else { "" }
}
