//! Asking the server: over its socket, or, when none runs, a router of our own on its data folder.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use axum::{Router, body::Body};
use bytes::Bytes;
use ficha_admin::ErrorBody;
use ficha_core::operator::{Actor, IssuerSummary};
use ficha_store::{OpenError, OpenFailure};
use ficha_types::IssuerName;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::net::UnixStream;
use tower::ServiceExt;

use crate::{
    admin_socket,
    cli::Global,
    commands::output::note,
    wire::{self, WrongUse},
};

/// The configuration that is looked for when none is named.
const CONFIG: &str = "ficha.toml";
/// The data folder when there is no configuration either.
const DEV_DATA: &str = "ficha-dev";

/// How often it is looked whether the process that has the database listens, or has gone: a server that begins has the one before
/// it makes the other, and a command that ends is gone soon.
const LOOKS: u32 = 26;
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

const NO_ANSWER: &str = "the server did not answer";
const ANOTHER_VERSION: &str = "the server's answer: is it of another version?";

/// The most issuers that are asked which one is meant.
const ISSUERS: usize = 100;

/// The server that is administered.
pub(crate) enum Server {
    /// It runs: its socket.
    Socket(PathBuf),
    /// It does not: the routes on its data folder, which is locked meanwhile, and who we are.
    Local(Router, Actor),
}

impl Server {
    /// The one that is meant: `--data`, else `--config`, else `./ficha.toml`, else `./ficha-dev`.
    pub(crate) async fn find(global: &Global) -> Result<Self> {
        let (data, config) = place(global)?;
        // A node of a shared database is administered from anywhere that may write to that.
        let shared = || {
            Ok::<_, WrongUse>(
                config.as_deref().map(wire::load_config).transpose()?.is_some_and(|c| c.store.is_shared()),
            )
        };
        if !data.is_dir() && !shared()? {
            return Err(WrongUse(format!(
                "there is no data folder {}: start the server once (`ficha dev`, `ficha serve`), or say which one with --data or --config",
                data.display()
            ))
            .into());
        }
        let socket = data.join(admin_socket::NAME);
        let mut looks = 0;
        loop {
            match UnixStream::connect(&socket).await {
                Ok(_) => return Ok(Self::Socket(socket)),
                // None was made, or who made it is gone.
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {}
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                    bail!("{}: only the user that runs the server may administer it", socket.display())
                }
                Err(e) => return Err(e).with_context(|| format!("the administration socket {}", socket.display())),
            }
            looks += 1;
            match wire::open_local(&data, config.as_deref()).await {
                Ok(router) => return Ok(Self::Local(router, ourselves()?)),
                Err(error) if looks < LOOKS && is_held(&error) => {
                    if looks == 1 {
                        note("another process uses the database: waiting until it listens or has ended");
                    }
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// `GET path`.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.ask(Method::GET, path, Bytes::new()).await
    }

    /// `POST path` with `body` in JSON.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.ask(Method::POST, path, serde_json::to_vec(body)?.into()).await
    }

    /// `DELETE path`.
    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        self.ask::<Value>(Method::DELETE, path, Bytes::new()).await.map(drop)
    }

    /// `POST path` with `body` in JSON; the answer comes in lines of JSON, each given to `line` until it has what it waits for.
    pub(crate) async fn follow<L: DeserializeOwned, T>(
        &self,
        path: &str,
        body: &impl Serialize,
        mut line: impl FnMut(L) -> Option<Result<T>>,
    ) -> Result<T> {
        let (status, mut frames) = self.send(Method::POST, path, serde_json::to_vec(body)?.into()).await?;
        if !status.is_success() {
            return Err(refused(status, &frames.collect().await?.to_bytes()));
        }
        let mut text = Vec::new();
        while let Some(frame) = frames.frame().await {
            text.extend_from_slice(frame.context(NO_ANSWER)?.data_ref().map_or(&[][..], |data| data));
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let whole: Vec<u8> = text.drain(..=end).collect();
                let read = serde_json::from_slice(&whole).context(ANOTHER_VERSION)?;
                if let Some(end) = line(read) {
                    return end;
                }
            }
        }
        bail!("the server broke off")
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T> {
        let (status, body) = self.send(method, path, body).await?;
        let body = body.collect().await.context(NO_ANSWER)?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body).context(ANOTHER_VERSION);
        }
        Err(refused(status, &body))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Body)> {
        let request = Request::builder().method(method).uri(path).header(header::HOST, "ficha");
        let mut request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body))?;
        match self {
            Self::Socket(socket) => over_socket(socket, request).await.context(NO_ANSWER),
            Self::Local(router, actor) => {
                request.extensions_mut().insert(actor.clone());
                let Ok(response) = router.clone().oneshot(request).await;
                Ok((response.status(), response.into_body()))
            }
        }
    }

    /// The issuer that is meant: the named one, the only one, or the only one that has `what`.
    pub(crate) async fn issuer(&self, asked: Option<&IssuerName>, what: Has<'_>) -> Result<String> {
        if let Some(name) = asked {
            return Ok(name.to_string());
        }
        let page = format!("/v1/issuers?limit={}", ISSUERS + 1);
        let mut names: Vec<_> = self.get::<Vec<IssuerSummary>>(&page).await?.into_iter().map(|i| i.name).collect();
        if names.len() > ISSUERS {
            return Err(WrongUse(format!("which issuer? There are more than {ISSUERS}: say --issuer")).into());
        }
        if names.len() > 1
            && let Some(path) = what.path()
        {
            let mut having = Vec::new();
            for name in names {
                if self.has(&format!("/v1/issuers/{name}{path}")).await? {
                    having.push(name);
                }
            }
            names = having;
        }
        match names.as_slice() {
            [one] => Ok(one.clone()),
            [] => match what {
                Has::Anything => bail!("there is no issuer yet: declare one in a file and `ficha apply` it"),
                Has::Api(_) | Has::Client(_) | Has::User(_) | Has::Key(_) => bail!("there is no {what}"),
            },
            many => Err(WrongUse(format!("which issuer? Say --issuer {}", many.join(" or --issuer "))).into()),
        }
    }

    async fn has(&self, path: &str) -> Result<bool> {
        match self.get::<Value>(path).await {
            Ok(_) => Ok(true),
            Err(error) => match error.downcast_ref::<Refused>() {
                Some(refused) if refused.status == StatusCode::NOT_FOUND => Ok(false),
                Some(_) | None => Err(error),
            },
        }
    }
}

/// What tells an issuer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Has<'a> {
    /// Nothing does.
    Anything,
    Api(&'a str),
    Client(&'a str),
    User(&'a str),
    Key(&'a str),
}

impl Has<'_> {
    fn path(self) -> Option<String> {
        let (noun, name) = match self {
            Self::Anything => return None,
            Self::Api(name) => ("apis", name),
            Self::Client(name) => ("clients", name),
            Self::User(name) => ("users", name),
            Self::Key(name) => ("keys", name),
        };
        Some(format!("/{noun}/{}", segment(name)))
    }
}

impl fmt::Display for Has<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anything => f.write_str("issuer"),
            Self::Api(name) => write!(f, "API {name}"),
            Self::Client(name) => write!(f, "client {name}"),
            Self::User(name) => write!(f, "user {name}"),
            Self::Key(name) => write!(f, "key {name}"),
        }
    }
}

/// A name as one segment of a path.
pub(crate) fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = fmt::Write::write_fmt(&mut out, format_args!("%{byte:02X}"));
        }
    }
    out
}

/// Whether another process has the database.
fn is_held(error: &anyhow::Error) -> bool {
    let held = |cause: &OpenError| matches!(cause.why, OpenFailure::Held(_));
    error.chain().any(|cause| cause.downcast_ref().is_some_and(held))
}

/// The data folder, and the configuration that names it.
pub(crate) fn place(global: &Global) -> Result<(PathBuf, Option<PathBuf>)> {
    if let Some(data) = &global.data {
        return Ok((data.clone(), global.config.clone()));
    }
    let default = Path::new(CONFIG);
    let config = global.config.clone().or_else(|| default.exists().then(|| default.to_owned()));
    match config {
        Some(config) => Ok((wire::load_config(&config)?.store.data, Some(config))),
        None => Ok((DEV_DATA.into(), None)),
    }
}

/// The user that we run as.
pub(crate) fn ourselves() -> Result<Actor> {
    let (one_end, _) = UnixStream::pair()?;
    Ok(Actor::uid(one_end.peer_cred()?.uid()))
}

async fn over_socket(socket: &Path, request: Request<Body>) -> Result<(StatusCode, Body)> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // What the connection has to say is said by the answer, or by its breaking off.
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    Ok((response.status(), Body::new(response.into_body())))
}

/// What the server would not do.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    body: ErrorBody,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.body.message)?;
        for problem in &self.body.problems {
            write!(f, "\n  {problem}")?;
        }
        if self.body.hint.is_empty() { Ok(()) } else { write!(f, "\n{}", self.body.hint) }
    }
}

impl std::error::Error for Refused {}

fn refused(status: StatusCode, body: &[u8]) -> anyhow::Error {
    let Ok(body) = serde_json::from_slice::<ErrorBody>(body) else {
        return anyhow!("the server answered {status}, and nothing else that can be read");
    };
    let refused = Refused { status, body };
    // A declaration that is wrong is a wrong configuration, whoever finds it.
    if refused.body.problems.is_empty() { refused.into() } else { WrongUse(refused.to_string()).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_it_holds() {
        assert_eq!(segment("3LBFuOiEHrl4"), "3LBFuOiEHrl4");
        assert_eq!(segment("k1/refresh"), "k1%2Frefresh");
        assert_eq!(segment("../a b?c#d%"), "%2E%2E%2Fa%20b%3Fc%23d%25");
        assert_eq!(segment("año"), "a%C3%B1o");
    }

    #[test]
    fn a_refusal_reads_message_problems_and_hint_a_line_each() {
        let body = br#"{"error":"refused","message":"app has two secrets already","hint":"remove one"}"#;
        assert_eq!(
            refused(StatusCode::UNPROCESSABLE_ENTITY, body).to_string(),
            "app has two secrets already\nremove one"
        );
    }
}
