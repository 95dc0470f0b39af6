//! What the tests share.

mod answer;
mod callers;
mod certificates;
mod cli;
mod config;
mod door;
mod feed;
mod jwt;
mod ledger;
mod operations;
mod patience;
mod program;
pub mod secrets;
mod server;
mod shared;
mod wait;

pub use answer::Answer;
pub use callers::{Asker, Callers};
pub use certificates::{Authority, Issued};
pub use cli::{Output, dev, ficha, run};
pub use config::{Config, Engine, master_key};
pub use door::{Base, Call, Connection, Door};
pub use feed::{Feed, Said};
pub use jwt::{Parts, claims, signature, verified_by};
pub use ledger::{Chain, Ledger, Live};
pub use operations::sum;
pub use patience::bear_with;
pub use program::program;
pub use server::{Addresses, Places, Server};
pub use shared::Shared;
pub use wait::{LONG, eventually, now, wait_for};
