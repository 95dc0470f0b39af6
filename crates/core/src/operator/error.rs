//! Why an act of administration was not done.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Refusal, master::MasterError, ports::StoreError, views::ViewError};

/// One thing that is wrong with a declaration. Reads `file:line: key: what was expected`. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The file as it was named.
    pub file: String,
    /// The line, 1 first.
    pub line: usize,
    /// The key with its tables, `issuer.client.scopes`.
    pub key: String,
    /// What was expected, and the nearest known name where there is one.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.key, self.message)
    }
}

/// Why an act of administration was not done. Nothing was written, but for [`StoreError::OutcomeUnknown`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum OperatorError {
    /// There is none of that name.
    #[error("there is no {kind} {name}")]
    NotFound {
        /// What: `client`, `issuer`, …
        kind: &'static str,
        /// The name that was given.
        name: String,
    },
    /// It contradicts what there is, or a rule.
    #[error("{message}")]
    Refused {
        /// What is wrong.
        message: String,
        /// What to do instead; may be empty.
        hint: String,
    },
    /// The declaration is wrong in these places.
    #[error("the declaration can't be applied: {} {}", .0.len(), if .0.len() == 1 { "problem" } else { "problems" })]
    Declaration(Vec<Problem>),
    /// Others administer the same issuer at the same time.
    #[error("the issuer was changed by others again and again meanwhile")]
    Contended,
    /// A bounded queue is full; its name.
    #[error("too much at once: {0}")]
    Busy(&'static str),
    /// The store could not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys can't be opened or made.
    #[error("{0}")]
    Keys(String),
}

impl OperatorError {
    /// What to do about it, for a person to read; empty when the message says all.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotFound { kind, .. } => format!("`ficha {kind} list` shows what there is"),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Declaration(_) => "nothing was written: mend the files and apply them again".into(),
            Self::Contended | Self::Busy(_) => "repeat the command".into(),
            Self::Store(StoreError::Unreachable(_)) => "nothing was written: look at the log of the server".into(),
            Self::Store(StoreError::OutcomeUnknown(_)) => {
                "it may have been done: look, and repeat the command if it was not".into()
            }
            Self::Store(StoreError::Conflict(_)) => String::new(),
            Self::Keys(_) => "the master key must be the one under which the database was made".into(),
        }
    }

    /// A refusal with the way out.
    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hint: hint.into() }
    }
}

impl From<MasterError> for OperatorError {
    fn from(error: MasterError) -> Self {
        Self::Keys(error.to_string())
    }
}

impl From<ViewError> for OperatorError {
    fn from(error: ViewError) -> Self {
        Self::Keys(error.to_string())
    }
}

impl From<Refusal> for OperatorError {
    /// Of the refusals only those of a full queue and of an absent store can meet an administrator.
    fn from(refusal: Refusal) -> Self {
        if let Refusal::Busy(queue) = refusal {
            return Self::Busy(queue);
        }
        Self::Store(StoreError::Unreachable(format!("the rules answered {}", refusal.name())))
    }
}
