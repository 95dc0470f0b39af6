//! The revocation feed: an API follows what stands against its tokens, as Server-Sent Events. The format is that of
//! `docs/revocation-feed.md`.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use ficha_core::{
    Malformed, Refusal,
    revocation_feed::{Chunk, FOLLOW_SCOPE, Feeds, Follower, NotFollowed, Signed, WhoFollows, feed_keys},
};
use ficha_types::Secret;
use futures_util::stream;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
};

use super::{Told, public_json};
use crate::{
    dialect::{Answer, Asked, Endpoint, basic},
    face::{Call, response},
};

/// The number of the last event that a follower knows.
const LAST_EVENT_ID: &str = "last-event-id";

/// The keys that sign the feed; not those that sign tokens.
pub(crate) async fn keys(call: &Call<'_>) -> (Answer, Told) {
    match feed_keys(call.rules, call.place).await {
        Ok(set) => (public_json(serde_json::to_vec(&set).expect("a set of public keys is always JSON")), Told::Nothing),
        Err(refusal) => {
            let asked = Asked::of(Endpoint::FeedJwks, &call.parts.headers);
            (call.dialect.render_refusal(&refusal, asked), Told::refused(&refusal))
        }
    }
}

/// Answers with a stream that goes on until either side ends it.
pub(crate) async fn follow(feeds: &Arc<Feeds>, call: &Call<'_>) -> (Response, Told) {
    let headers = &call.parts.headers;
    let from = last_event(headers);
    let followed = async {
        let who = who(headers)?;
        feeds.follow(call.place, &call.caller, &who, from).await
    };
    match followed.await {
        Ok(stream) => {
            let told = Told::Follows { api: stream.api(), from };
            (streaming(stream), told)
        }
        Err(NotFollowed::Refused(refusal)) => {
            let asked = Asked::of(Endpoint::Feed, headers);
            (response(call.dialect.render_refusal(&refusal, asked)), Told::refused(&refusal))
        }
        Err(NotFollowed::BadToken) => {
            let said = "The access token is not valid here, or no longer.";
            (bearer((StatusCode::UNAUTHORIZED, "invalid_token"), said), Told::Refused("bad_token"))
        }
        Err(NotFollowed::NoScope) => {
            let said = "The access token lacks the scope ficha:revocations.";
            (bearer((StatusCode::FORBIDDEN, "insufficient_scope"), said), Told::Refused("no_scope"))
        }
    }
}

/// An event as it is written in `text/event-stream`. None of its parts holds a line break.
pub(crate) fn render(event: &Signed) -> Bytes {
    format!("id: {}\nevent: {}\ndata: {}\n\n", event.to, event.kind.as_str(), event.jws).into()
}

/// By Basic, as at introspection, or by a token (RFC 6750 §2.1).
fn who(headers: &HeaderMap) -> Result<WhoFollows, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    if let (Some(value), None) = (values.next(), values.next())
        && let Some(token) = after_bearer(value.as_bytes())
    {
        let token = std::str::from_utf8(token).map_err(|_| Malformed::Authorization("the token is not ASCII"))?;
        return Ok(WhoFollows::Token(Secret::new(token.to_owned())));
    }
    Ok(WhoFollows::Secret(basic::credentials(headers)?))
}

fn after_bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

/// What is no number is as good as none: the stream begins with a snapshot.
fn last_event(headers: &HeaderMap) -> Option<i64> {
    headers.get(LAST_EVENT_ID)?.to_str().ok()?.parse().ok()
}

fn streaming(follower: Follower) -> Response {
    let events = stream::unfold(follower, |mut follower| async move {
        let chunk = match follower.next().await? {
            Chunk::Retry(wait) => Bytes::from(format!("retry: {}\n\n", wait.as_millis())),
            Chunk::Event(event) => event,
        };
        Some((Ok::<_, Infallible>(chunk), follower))
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        // nginx and others who know it must not gather events.
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(events)).into_response()
}

/// RFC 6750 §3: the one challenge that names the scope.
fn bearer((status, error): (StatusCode, &'static str), description: &'static str) -> Response {
    let challenge = format!("Bearer error=\"{error}\", error_description=\"{description}\", scope=\"{FOLLOW_SCOPE}\"");
    let body = serde_json::json!({ "error": error, "error_description": description }).to_string();
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (WWW_AUTHENTICATE, HeaderValue::from_str(&challenge).unwrap_or(HeaderValue::from_static("Bearer"))),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn a_follower_comes_by_basic_or_by_a_token_and_never_by_both() {
        let token = who(&headers(&[("authorization", "bearer  t.o.k ")])).unwrap();
        assert!(matches!(token, WhoFollows::Token(token) if token.expose() == "t.o.k"));
        assert!(matches!(who(&headers(&[("authorization", "Basic YTpi")])).unwrap(), WhoFollows::Secret(_)));
        let mut both = headers(&[("authorization", "Bearer t")]);
        both.append(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        assert!(who(&both).is_err());
        assert!(who(&headers(&[("authorization", "Digest x")])).is_err());
    }

    #[test]
    fn a_number_that_makes_no_sense_is_none() {
        let sent = [("17", Some(17)), ("-1", Some(-1)), ("x", None), ("99999999999999999999", None), ("", None)];
        for (sent, read) in sent {
            assert_eq!(last_event(&headers(&[(LAST_EVENT_ID, sent)])), read, "{sent}");
        }
    }

    #[test]
    fn an_event_has_its_number_its_kind_and_one_line_of_data() {
        let event = Signed { kind: ficha_core::revocation_feed::Kind::Batch, to: 17, jws: "a.b.c".into() };
        assert_eq!(render(&event), "id: 17\nevent: batch\ndata: a.b.c\n\n");
    }
}
