//! Who may follow, and taking a seat.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use ficha_jose::Compact;
use ficha_telemetry::metrics::metrics;
use ficha_types::{ApiName, ClientId, IssuerName, Seconds, Secret, Subject, TokenId, UnixSeconds};

use super::{Feeds, Follower, IssuerFeed, State, channel::Channel, channel::Voice, key, publish};
use crate::{
    Refusal,
    client_auth::prove_api,
    ports::{Against, StoreError},
    records::Api,
    refusal::ClientFailure,
    token::{Caller, Credentials, read_access_token, standing},
    views::Place,
};

/// The scope that a token needs to follow.
pub const FOLLOW_SCOPE: &str = "ficha:revocations";

/// How often a seat is looked for while issuers come and go.
const TRIES: usize = 5;

/// Who asks to follow.
#[derive(Debug)]
pub enum WhoFollows {
    /// An API by its own secret.
    Secret(Credentials),
    /// Whoever holds an access token of the API with [`FOLLOW_SCOPE`].
    Token(Secret),
}

/// Why nobody follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFollowed {
    /// As at any endpoint.
    Refused(Refusal),
    /// The token is not one of this issuer's, has expired or was revoked (RFC 6750 §3.1 `invalid_token`).
    BadToken,
    /// It lacks the scope (`insufficient_scope`).
    NoScope,
}

impl From<Refusal> for NotFollowed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for NotFollowed {
    fn from(error: StoreError) -> Self {
        Self::Refused(error.into())
    }
}

/// By what somebody follows: when it is no longer good, the stream ends.
#[derive(Debug)]
pub(super) enum Held {
    /// A secret of the API; its id.
    Secret(String),
    /// A token.
    Token(Box<HeldToken>),
}

#[derive(Debug)]
pub(super) struct HeldToken {
    id: TokenId,
    client: ClientId,
    user: Option<Subject>,
    issued_at: UnixSeconds,
    expires_at: UnixSeconds,
    kid: Option<String>,
}

impl Held {
    /// Whether it is still good now, after `facts`.
    pub(super) fn is_good(&self, voice: &Voice, facts: &[Against], now: UnixSeconds) -> bool {
        match self {
            Self::Secret(id) => voice.api.secrets.iter().any(|secret| secret.id.as_str() == id),
            Self::Token(token) => {
                let mut keys = voice.view.keys.iter();
                let kid = token.kid.as_deref();
                let signed = kid.is_none_or(|kid| keys.any(|key| key.row.published_kid() == kid));
                signed && token.expires_at > now && !facts.iter().any(|fact| token.is_ended_by(fact))
            }
        }
    }
}

impl HeldToken {
    fn is_ended_by(&self, fact: &Against) -> bool {
        match fact {
            Against::Token(id, _) => *id == self.id,
            Against::Family(family, _) => self.id.family().as_ref() == Some(family),
            Against::Client(client, at) => *client == self.client && self.issued_at <= *at,
            Against::User(user, at) => Some(user) == self.user.as_ref() && self.issued_at <= *at,
            Against::Issuer(at) => self.issued_at <= *at,
            Against::Key(_) => false,
        }
    }
}

/// One place of a follower, on the node and at its API.
pub(super) struct Seat {
    feeds: Arc<Feeds>,
    channel: Arc<Channel>,
}

impl Seat {
    fn take(feeds: &Arc<Feeds>, channel: &Arc<Channel>) -> Result<Self, Refusal> {
        // Made first: whatever is refused below gives both places back.
        feeds.seats.fetch_add(1, Ordering::AcqRel);
        let of_api = channel.followers.fetch_add(1, Ordering::AcqRel);
        metrics().feed_followers.up(());
        let seat = Self { feeds: feeds.clone(), channel: channel.clone() };
        if feeds.followers() > feeds.limits.followers {
            return Err(Refusal::Busy("followers"));
        }
        if of_api >= feeds.limits.followers_per_api {
            return Err(Refusal::TooMany(Seconds(5)));
        }
        Ok(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.feeds.seats.fetch_sub(1, Ordering::AcqRel);
        self.channel.followers.fetch_sub(1, Ordering::AcqRel);
        metrics().feed_followers.down(());
    }
}

impl Feeds {
    /// Lets somebody follow what concerns an API: from `resume` on, the last number that it knows, else from a snapshot.
    ///
    /// # Errors
    /// [`NotFollowed`]; 429 when the API has its bound of followers, 503 when the node has.
    pub async fn follow(
        self: &Arc<Self>,
        place: &Place,
        caller: &Caller,
        who: &WhoFollows,
        resume: Option<i64>,
    ) -> Result<Follower, NotFollowed> {
        let (api, held) = self.authorize(place, caller, who).await?;
        let (channel, seat) = self.join(place.issuer.name(), &api.name).await?;
        Ok(Follower::new((self.clone(), channel, seat), held, resume))
    }

    async fn authorize(
        &self,
        place: &Place,
        caller: &Caller,
        who: &WhoFollows,
    ) -> Result<(Arc<Api>, Held), NotFollowed> {
        // Without the store a wrong secret may be a new one.
        place.trust.confirmed()?;
        let rules = &*self.rules;
        let token = match who {
            WhoFollows::Secret(credentials) => {
                let (api, n) = prove_api(rules, place, caller, credentials)?;
                let secret = api.secrets.get(n).ok_or(Refusal::Client(ClientFailure::WrongSecret))?;
                let held = Held::Secret(secret.id.as_str().to_owned());
                return Ok((api, held));
            }
            WhoFollows::Token(token) => token.expose(),
        };
        let read = read_access_token(place, &*rules.dialects, token).ok_or(NotFollowed::BadToken)?;
        if read.facts.expires_at <= rules.clock.now() || standing(rules, place, &read.api, &read).await?.is_none() {
            return Err(NotFollowed::BadToken);
        }
        if !read.facts.scope.split(' ').any(|scope| scope == FOLLOW_SCOPE) {
            return Err(NotFollowed::NoScope);
        }
        let kid = Compact::parse(token).ok().and_then(|read| read.header().kid.clone());
        let facts = read.facts;
        let held = HeldToken {
            id: facts.id,
            client: facts.client,
            user: facts.user,
            issued_at: facts.issued_at,
            expires_at: facts.expires_at,
            kid: kid.map(Into::into),
        };
        Ok((read.api, Held::Token(Box::new(held))))
    }

    /// The channel of an API, and a seat there.
    async fn join(self: &Arc<Self>, issuer: &IssuerName, api: &ApiName) -> Result<(Arc<Channel>, Seat), Refusal> {
        for _ in 0..TRIES {
            let feed = self.issuer_feed(issuer).await?;
            let mut state = feed.state.lock().await;
            if state.gone {
                continue;
            }
            let channel = match state.channels.get(api) {
                Some(channel) => channel.clone(),
                None => {
                    // It was there when its secret was proved: it went meanwhile.
                    let record = state.view.api(api).ok_or(Refusal::Client(ClientFailure::Unknown))?;
                    let voice = Voice { view: state.view.clone(), api: record.clone() };
                    let now = self.rules.clock.monotonic();
                    let channel = Arc::new(Channel::new(voice, (state.last, now), feed.known_at.clone()));
                    state.channels.insert(api.clone(), channel.clone());
                    channel
                }
            };
            let seat = Seat::take(self, &channel)?;
            return Ok((channel, seat));
        }
        Err(Refusal::Unavailable)
    }

    /// The issuer among those that are followed, read and put there when it is not; then the publisher runs.
    async fn issuer_feed(self: &Arc<Self>, name: &IssuerName) -> Result<Arc<IssuerFeed>, Refusal> {
        if let Some(feed) = self.known(name)? {
            return Ok(feed);
        }
        let _few_at_a_time = self.making.acquire().await.map_err(|_| Refusal::Unavailable)?;
        if let Some(feed) = self.known(name)? {
            return Ok(feed);
        }
        let known_at = self.rules.clock.now_ms().0;
        let view = key::read_with_key(&self.rules, name).await?.ok_or(Refusal::NotFound)?;
        let state = State {
            last: view.change,
            view,
            channels: HashMap::new(),
            fresh: self.rules.clock.monotonic(),
            idle_since: None,
            gone: false,
        };
        let feed = IssuerFeed {
            name: name.clone(),
            known_at: Arc::new(AtomicI64::new(known_at)),
            state: tokio::sync::Mutex::new(state),
        };
        let mut issuers = self.issuers();
        if issuers.closed {
            return Err(Refusal::Unavailable);
        }
        let feed = issuers.by_name.entry(name.clone()).or_insert_with(|| Arc::new(feed)).clone();
        if !std::mem::replace(&mut issuers.running, true) {
            tokio::spawn(publish::run(self.clone()));
        }
        Ok(feed)
    }

    fn known(&self, name: &IssuerName) -> Result<Option<Arc<IssuerFeed>>, Refusal> {
        let issuers = self.issuers();
        if issuers.closed { Err(Refusal::Unavailable) } else { Ok(issuers.by_name.get(name).cloned()) }
    }
}
