//! What can go wrong between the rules and a store.

/// Why a step of the store has no outcome. Texts are for the log, never for the caller of a token endpoint.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written: no connection, locked, full, damaged, read-only.
    #[error("the store failed: {0}")]
    Unreachable(String),
    /// It may have been written: the connection was lost at commit. The same step may be sent again.
    #[error("the store did not say whether it committed: {0}")]
    OutcomeUnknown(String),
    /// The step contradicts what is there now, and nothing was written: for operators (a record changed meanwhile, a name is
    /// taken). Says what to mend.
    #[error("{0}")]
    Conflict(String),
}
