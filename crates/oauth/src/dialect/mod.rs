//! The dialect engine: one vendor's wire contract is one TOML file, checked whole when it is loaded and compiled into plain
//! structs. The engine knows no vendor by name, and no rule: those are core's, a dialect only chooses among them.
//!
//! [`DialectSet::load`] reads the files; [`Compiled`] reads requests, writes answers and refusals, and says how tokens look.

pub mod basic;
mod check;
mod claims;
mod compiled;
mod endpoints;
mod fields;
mod form;
mod json;
mod load;
mod merge;
mod parse;
mod problem;
mod refusals;
mod render;
mod section;
mod set;
mod standard_form;
mod template;
mod toml_text;
mod tree;
mod variables;

pub use compiled::{Compiled, RevokeRule};
pub use endpoints::{Endpoint, Endpoints};
pub use fields::Text;
pub use parse::{Asked, Refused, RevokeRequest, Sent};
pub use problem::Problem;
pub use render::Answer;
pub use set::{DialectSet, LoadError, Summary};
pub use standard_form::StandardForm;
