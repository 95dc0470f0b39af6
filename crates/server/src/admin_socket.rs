//! Administration over a Unix socket in the data folder, for the user that runs the server alone (0600).

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{Router, extract::Request};
use ficha_core::operator::Actor;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// The socket's name in the data folder.
pub(crate) const NAME: &str = "admin.sock";

/// How long an administrator's act that was begun may take when the server goes down.
const FINISH: Duration = Duration::from_secs(10);

/// A bound socket; removed when it was served.
pub(crate) struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl AdminSocket {
    /// Makes the socket in `data`, in the place of one that a killed server left: the caller holds the lock of the
    /// store or of the folder. It is made
    /// in a folder of mode 0700 and moved, so it never stands open to others, not for a moment.
    pub(crate) fn bind(data: &Path) -> io::Result<Self> {
        let path = data.join(NAME);
        if fs::symlink_metadata(&path).is_ok_and(|there| !there.file_type().is_socket()) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} is there and no socket", path.display()),
            ));
        }
        let hidden = data.join(".admin");
        match fs::DirBuilder::new().mode(0o700).create(&hidden) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => fs::set_permissions(&hidden, fs::Permissions::from_mode(0o700))?,
        }
        let made = hidden.join("s");
        match fs::remove_file(&made) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&made)?;
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, &path)?;
        fs::remove_dir(&hidden)?;
        Ok(Self { listener, path })
    }

    /// Serves until `stop`; what was begun is finished.
    pub(crate) async fn serve(self, router: Router, stop: CancellationToken) {
        let graceful = GracefulShutdown::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => answer(stream, &router, &graceful),
                    // Out of files or memory: others end meanwhile.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
            }
        }
        let _ = fs::remove_file(&self.path);
        let _ = tokio::time::timeout(FINISH, graceful.shutdown()).await;
    }
}

fn answer(stream: UnixStream, router: &Router, graceful: &GracefulShutdown) {
    // Who can't be told may do nothing.
    let Ok(peer) = stream.peer_cred() else { return };
    let actor = Actor::uid(peer.uid());
    let service = router.clone().map_request(move |mut request: Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(actor.clone());
        request
    });
    let http = auto::Builder::new(TokioExecutor::new());
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an administrator's connection broke");
        }
    });
}
