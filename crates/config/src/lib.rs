//! Every option with its default, its unit and its check.
//!
//! An option has one home, a line in a file of `sections/`: the field, its type, its default, what it takes, and the text that
//! stands in the reference. Values come from a TOML file, and from the environment above it. All that is wrong is told at once.

mod document;
mod environment;
mod gate;
mod kinds;
mod load;
mod master_key;
mod nearest;
mod problem;
mod reader;
mod reference;
mod secret_file;
mod sections;

pub use document::{Entry, Node, Value, parse as parse_toml};
pub use gate::{GateConfig, load_gate, read_gate};
pub use load::{Config, load, read};
pub use master_key::{MasterKey, MasterKeyError, MasterKeySource, read_master_key};
pub use nearest::{did_you_mean, nearest};
pub use problem::{Place, Problem};
pub use reference::reference_markdown;
pub use secret_file::{SecretFileError, read_secret_file};
pub use sections::{
    CertificateFiles, Cluster, Dialects, Gate, GateProcess, Keys, Limits, Listen, LogFormat, Store, Telemetry, Tls,
    Tokens,
};
