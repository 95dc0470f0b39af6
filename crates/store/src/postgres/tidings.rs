//! `NOTIFY` and `LISTEN`: that something changed, told from node to node. Only to shorten the wait: whoever misses it sees
//! the counters at the next look.

use std::{sync::Arc, time::Duration};

use deadpool_postgres::Pool;
use futures_util::{StreamExt, stream::poll_fn};
use tokio::{sync::Notify, task::AbortHandle};
use tokio_postgres::{AsyncMessage, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Between two tellings. A commit that notifies takes its turn among all of the server's that do, so the steps themselves don't:
/// what they changed is told in one go once they stand.
const PAUSE: Duration = Duration::from_millis(20);

/// Between two attempts to listen, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// The tasks that tell and listen, ended with this value.
#[derive(Debug)]
pub(super) struct Tidings {
    told: Arc<Notify>,
    heard: Arc<Notify>,
    tasks: Vec<AbortHandle>,
}

impl Tidings {
    /// Tells through `pool`, and listens on a connection of its own: to nobody where none may be held.
    pub(super) fn start(listened: Option<(Config, MakeRustlsConnect)>, pool: Pool) -> Self {
        let (told, heard) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut tasks = vec![tokio::spawn(tell(told.clone(), pool)).abort_handle()];
        if let Some((config, tls)) = listened {
            tasks.push(tokio::spawn(listen(config, tls, heard.clone())).abort_handle());
        }
        Self { told, heard, tasks }
    }

    /// Something changed.
    pub(super) fn tell(&self) {
        self.told.notify_one();
    }

    /// Resolves when another node, or this one, has told of a change.
    pub(super) async fn heard(&self) {
        self.heard.notified().await;
    }
}

impl Drop for Tidings {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn tell(told: Arc<Notify>, pool: Pool) {
    loop {
        told.notified().await;
        // What can't be told now is seen at the next look.
        if let Ok(connection) = pool.get().await {
            let _ = connection.batch_execute("NOTIFY ficha").await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn listen(config: Config, tls: MakeRustlsConnect, heard: Arc<Notify>) {
    let mut pause = BACKOFF.0;
    loop {
        match until_it_ends(&config, tls.clone(), &heard).await {
            Ok(()) => pause = BACKOFF.0,
            Err(error) => tracing::debug!(%error, "not listening to other nodes' changes"),
        }
        // Something may have been missed.
        heard.notify_one();
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF.1);
    }
}

/// Listens until the connection ends; an error when it never came to that.
async fn until_it_ends(config: &Config, tls: MakeRustlsConnect, heard: &Arc<Notify>) -> Result<(), Error> {
    let (client, mut connection) = config.connect(tls).await?;
    let mut messages = poll_fn(move |context| connection.poll_message(context));
    let follow = async {
        while let Some(message) = messages.next().await {
            match message {
                Ok(AsyncMessage::Notification(_)) => heard.notify_one(),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    let asked = async {
        let asked = client.batch_execute("LISTEN ficha").await;
        // What came before it listened was not heard.
        heard.notify_one();
        // Held until the connection ends.
        asked.map(|()| client)
    };
    let (followed, asked) = tokio::join!(follow, asked);
    asked?;
    if let Err(error) = followed {
        tracing::debug!(%error, "the connection that listened to other nodes' changes has ended");
    }
    Ok(())
}
