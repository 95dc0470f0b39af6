//! How clients prove who they are.

mod client_secret_basic;
mod client_secret_post;
mod guard;
mod id_alone;
