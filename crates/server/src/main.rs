//! ficha: the OAuth 2.0 token service that a company with an API runs in front of it.

mod admin_socket;
mod clock;
mod dev;
mod dev_certificates;
mod master;
mod ops;
mod run;
mod serve;
mod upkeep;
mod wire;

use clap::Parser;
#[derive(Parser)]
enum Tmp {
    Dev(dev::DevArgs),
    Serve(serve::ServeArgs),
}
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().unwrap();
    match Tmp::parse() {
        Tmp::Dev(a) => dev::dev(a).await,
        Tmp::Serve(a) => serve::serve(a).await,
    }
}
