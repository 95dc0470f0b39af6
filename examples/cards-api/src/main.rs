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
    // It goes on trying; whoever starts this wants to know now.
    if let Err(why) = verifier.ready().await {
        eprintln!("cards-api: the issuer is away, requests may be answered by 503 until it is back: {why}");
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
    let account = match &options.account {
        Some((name, file)) => {
            let secret = fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()))?;
            Some((name, secret.trim_end_matches(['\r', '\n']).to_owned()))
        }
        None => None,
    };
    if let (true, Some((name, secret))) = (options.follow, &account) {
        builder = builder.follow(cards_api::feed(name, secret.clone()));
    }
    builder = match (&options.check, account) {
        (Check::ByKeys { jwks: Some(url) }, _) => builder.jwks_url(url),
        (Check::ByIntrospection { url }, Some((name, secret))) => builder.introspection(url, name, secret),
        (Check::ByKeys { jwks: None } | Check::ByIntrospection { .. }, _) => builder,
    };
    builder.build().map_err(|why| why.to_string())
}
