//! The example API as a program of its own. `cards-api --help` says how.

mod options;
mod serve;

use std::{fs, process::ExitCode};

use cards_api::PlainHttp;
use ficha_verify::Verifier;
use options::{Check, Options, Serving, USAGE, Wish};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)) {
        Ok(Wish::Help) => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Wish::Run(options)) => match run(&options).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("cards-api: {why}");
                ExitCode::FAILURE
            }
        },
        Err(why) => {
            eprintln!("cards-api: {why}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

async fn run(options: &Options) -> Result<(), String> {
    let verifier = verifier(options)?;
    let (acceptor, plain, scheme) = match &options.serving {
        Serving::Tls { cert, key } => (Some(serve::acceptor(cert, key)?), PlainHttp::Refused, "https"),
        Serving::LoopbackHttp => (None, PlainHttp::OnLoopback, "http"),
    };
    let listener = TcpListener::bind(options.listen).await.map_err(|why| format!("{}: {why}", options.listen))?;
    let address = listener.local_addr().map_err(|why| why.to_string())?;
    // The first token makes it try again; whoever starts this wants to know now.
    if verifier.ready().await.is_err() {
        eprintln!("cards-api: the issuer's keys can not be had yet, requests are answered by 503 until then");
    }
    println!("cards-api answers at {scheme}://{address}");
    tokio::select! {
        () = serve::serve(listener, acceptor, cards_api::router(verifier, plain)) => Ok(()),
        stop = tokio::signal::ctrl_c() => stop.map_err(|why| why.to_string()),
    }
}

fn verifier(options: &Options) -> Result<Verifier, String> {
    let mut builder = Verifier::builder(&options.issuer, &options.audience);
    if let Some(path) = &options.ca {
        builder = builder.root_ca_pem(&fs::read(path).map_err(|why| format!("{}: {why}", path.display()))?);
    }
    builder = match &options.check {
        Check::ByKeys { jwks: None } => builder,
        Check::ByKeys { jwks: Some(url) } => builder.jwks_url(url),
        Check::ByIntrospection { url, name, secret_file } => {
            let secret = fs::read_to_string(secret_file).map_err(|why| format!("{}: {why}", secret_file.display()))?;
            builder.introspection(url, name, secret.trim_end_matches(['\r', '\n']).to_owned())
        }
    };
    builder.build().map_err(|why| why.to_string())
}
