//! The shared phases of every grant.

mod answer;
mod exchange;
mod few_revoked;
mod introspect;
mod issue;
mod read;
mod refresh;
mod request;
mod reuse;
mod revoke;
mod target;

pub use answer::{AccessToken, Issued, TokenAnswer};
pub(crate) use exchange::counted;
pub use exchange::exchange;
pub(crate) use introspect::standing;
pub use introspect::{ActiveToken, Introspected, Introspection, introspect, look};
pub use refresh::take_apart;
pub use request::{Caller, Credentials, GrantRequest, Reading, Target, TokenRequest};
pub use revoke::{Revoked, revoke_at_api, revoke_token, set_mark};

pub(crate) use issue::latest_mark;
pub(crate) use read::read_access_token;
pub(crate) use refresh::{RefreshFacts, Spent, read_refresh_token};
pub(crate) use target::{Scoped, all_held, choose_api, held, narrow};
