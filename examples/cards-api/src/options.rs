//! What is said on the command line.

use std::{net::SocketAddr, path::PathBuf};

/// How to use it.
pub(crate) const USAGE: &str = "\
Usage: cards-api --issuer URL --audience AUDIENCE (--cert FILE --key FILE | --loopback-http) [OPTION]…

  --issuer URL              the issuer, as tokens say it in `iss`
  --audience AUDIENCE       this API, as tokens say it in `aud`
  --listen ADDRESS          where to listen (127.0.0.1:8444)
  --cert FILE --key FILE    certificate chain and private key (PEM) to serve HTTPS with
  --loopback-http           serve plain HTTP, on a loopback address only
  --ca FILE                 root certificates (PEM) to trust beside the system's when the issuer is asked
  --jwks URL                the issuer's key set, instead of looking it up in its metadata
  --introspection URL       ask the issuer about each token instead of checking it by keys
  --follow                  follow the issuer's revocation feed: a revoked token is refused within a second or so
  --api-name NAME --api-secret-file FILE
                            this API's name and secret at the issuer, for --introspection and --follow
  --help                    print this";

/// What is wished for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Help,
    Run(Box<Options>),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) listen: SocketAddr,
    pub(crate) serving: Serving,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) check: Check,
    pub(crate) follow: bool,
    /// This API's name at the issuer, and where its secret is.
    pub(crate) account: Option<(String, PathBuf)>,
}

/// How requests come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Serving {
    Tls { cert: PathBuf, key: PathBuf },
    LoopbackHttp,
}

/// How a token is checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Check {
    ByKeys { jwks: Option<String> },
    ByIntrospection { url: String },
}

/// Options with a value, in the order in which they are taken out.
const WITH_VALUE: [&str; 10] = [
    "--issuer",
    "--audience",
    "--listen",
    "--cert",
    "--key",
    "--ca",
    "--jwks",
    "--introspection",
    "--api-name",
    "--api-secret-file",
];

/// Who asks or follows does it as somebody, and who does neither needs no secret.
const WITH_ACCOUNT: &str = "--api-name and --api-secret-file are for --introspection and --follow, which need them";

impl Options {
    /// The options, or what is wrong with them.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Wish, String> {
        let mut values: [Option<String>; WITH_VALUE.len()] = Default::default();
        let (mut plain, mut follow) = (false, false);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => return Ok(Wish::Help),
                "--loopback-http" => plain = true,
                "--follow" => follow = true,
                name => {
                    let place = WITH_VALUE.iter().zip(&mut values).find(|(known, _)| **known == name);
                    let (_, place) = place.ok_or_else(|| format!("{name} is no option"))?;
                    let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
                    if place.replace(value).is_some() {
                        return Err(format!("{name} is there twice"));
                    }
                }
            }
        }
        let [issuer, audience, listen, cert, key, ca, jwks, introspection, name, secret_file] = values;
        let listen = listen.unwrap_or_else(|| "127.0.0.1:8444".to_owned());
        let listen: SocketAddr = listen.parse().map_err(|_| format!("{listen} is no address with a port"))?;
        let serving = match (cert, key, plain) {
            (Some(cert), Some(key), false) => Serving::Tls { cert: cert.into(), key: key.into() },
            (None, None, true) if listen.ip().is_loopback() => Serving::LoopbackHttp,
            (None, None, true) => return Err("--loopback-http is for a loopback address only".into()),
            _ => return Err("either --cert and --key, or --loopback-http".into()),
        };
        let check = match (introspection, jwks) {
            (None, jwks) => Check::ByKeys { jwks },
            (Some(url), None) => Check::ByIntrospection { url },
            (Some(_), Some(_)) => return Err("either --jwks or --introspection".into()),
        };
        let account = match (name, secret_file) {
            (Some(name), Some(file)) => Some((name, file.into())),
            (None, None) => None,
            _ => return Err("--api-name and --api-secret-file go together".into()),
        };
        let needs_account = follow || matches!(check, Check::ByIntrospection { .. });
        if needs_account != account.is_some() {
            return Err(WITH_ACCOUNT.into());
        }
        let needed = |value: Option<String>, name: &str| value.ok_or_else(|| format!("{name} is needed"));
        let (issuer, audience) = (needed(issuer, "--issuer")?, needed(audience, "--audience")?);
        let ca = ca.map(PathBuf::from);
        Ok(Wish::Run(Box::new(Self { issuer, audience, listen, serving, ca, check, follow, account })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Wish, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn what_is_said_is_what_is_done() {
        let Ok(Wish::Run(options)) = parse(
            "--issuer https://a --audience b --cert c --key d --listen [::1]:7 --ca e --introspection https://f \
             --api-name g --api-secret-file h --follow",
        ) else {
            panic!("it is complete")
        };
        assert_eq!((options.issuer.as_str(), options.audience.as_str()), ("https://a", "b"));
        assert_eq!(options.listen, "[::1]:7".parse().unwrap());
        assert_eq!(options.serving, Serving::Tls { cert: "c".into(), key: "d".into() });
        assert_eq!(options.ca, Some("e".into()));
        assert_eq!(options.check, Check::ByIntrospection { url: "https://f".to_owned() });
        assert_eq!((options.follow, options.account), (true, Some(("g".to_owned(), "h".into()))));
        assert_eq!(parse("--issuer a --help"), Ok(Wish::Help));
    }

    #[test]
    fn what_does_not_fit_together_is_said() {
        let base = "--issuer https://a --audience b";
        for (more, why) in [
            ("", "either --cert and --key, or --loopback-http"),
            ("--cert c", "either --cert and --key, or --loopback-http"),
            ("--cert c --key d --loopback-http", "either --cert and --key, or --loopback-http"),
            ("--loopback-http --listen 0.0.0.0:1", "--loopback-http is for a loopback address only"),
            ("--loopback-http --listen here", "here is no address with a port"),
            ("--loopback-http --api-name g", "--api-name and --api-secret-file go together"),
            ("--loopback-http --jwks x --introspection y", "either --jwks or --introspection"),
            ("--loopback-http --follow", WITH_ACCOUNT),
            ("--loopback-http --introspection y", WITH_ACCOUNT),
            ("--loopback-http --api-name g --api-secret-file h", WITH_ACCOUNT),
            ("--loopback-http --issuer c", "--issuer is there twice"),
            ("--loopback-http --isuer c", "--isuer is no option"),
            ("--loopback-http --ca", "--ca needs a value"),
        ] {
            assert_eq!(parse(&format!("{base} {more}")), Err(why.to_owned()), "{more}");
        }
        assert_eq!(parse("--loopback-http --issuer a"), Err("--audience is needed".to_owned()));
    }
}
