//! Nodes on one PostgreSQL while parts of it fail: the database is away, its primary dies, a connection is cut at the worst moment,
//! a node stands still, a release follows another; and what nodes promise together under load. The servers are real ones.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, waits for other processes and measures how long that takes"
)]

mod balancer;
mod changes;
mod commit;
mod failover;
mod live_token;
mod load;
mod moved;
mod nodes;
mod outage;
mod patroni;
mod paused;
mod proxy;
mod rolling;
