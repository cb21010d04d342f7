//! What handlers take from a request: the channel, the query, the body.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequestParts, Path},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header, request::Parts};
use http_body_util::BodyExt as _;

use super::{State, refusal::Refusal};
use crate::{
    event::Cursor,
    feed::{Channel, ChannelName},
};

/// The channel that a path names; it need not exist.
#[derive(Debug)]
pub(crate) struct Named(pub(crate) ChannelName);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Refusal::bad_request(rejection.body_text()))?;
        Ok(Named(name.parse()?))
    }
}

/// A channel, which comes to be on first use, and its name.
#[derive(Debug)]
pub(crate) struct Used {
    pub(crate) name: ChannelName,
    pub(crate) channel: Arc<Channel>,
}

impl FromRequestParts<State> for Used {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Refusal> {
        let Named(name) = Named::from_request_parts(parts, state).await?;
        let channel = state.feed().channel(&name)?;
        Ok(Used { name, channel })
    }
}

/// A reader's query. Keys that are not ours are left alone, since pages add them to get round caches; of
/// a key that comes twice the first counts.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// Where the reader stands; an empty `after` is none.
    pub(crate) after: Option<Cursor>,
    /// Events at most.
    pub(crate) limit: Option<usize>,
    /// How long to wait.
    pub(crate) wait: Option<Duration>,
    /// Whether a stream is not to say `retry:`, so that the browser's own reconnection time applies.
    pub(crate) without_retry: bool,
}

/// The most events that one poll may ask for.
pub(crate) const MAX_LIMIT: usize = 10_000;

/// The longest that a poll may ask to wait. Below the minute after which much of what stands between a
/// browser and a server gives a silent request up.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(55);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Query::parse(parts.uri.query().unwrap_or_default())
    }
}

impl Query {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let value = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(text.as_bytes());
            pairs.find(|(key, _)| key == name).map(|(_, value)| value)
        };
        let after = match value("after").as_deref() {
            None | Some("") => None,
            Some(after) => Some(after.parse()?),
        };
        let limit = value("limit").map(|text| match text.parse() {
            Ok(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
            _ => Err(bad_value("limit", &text, "a whole number of events from 1 to 10000")),
        });
        let wait = value("wait").map(|text| match text.parse::<f64>() {
            Ok(wait) if (0.0..=MAX_WAIT.as_secs_f64()).contains(&wait) => Ok(Duration::from_secs_f64(wait)),
            _ => Err(bad_value("wait", &text, "a number of seconds from 0 to 55")),
        });
        let without_retry = match value("retry").as_deref() {
            None => false,
            Some("none") => true,
            Some(text) => return Err(bad_value("retry", text, "none, or leave it out")),
        };
        Ok(Query { after, limit: limit.transpose()?, wait: wait.transpose()?, without_retry })
    }
}

fn bad_value(key: &str, text: &str, wanted: &str) -> Refusal {
    let text: String = text.chars().take(40).collect();
    Refusal::bad_request(format!("bad {key} {text:?}: use {wanted}"))
}

/// How far over its limit a body is still read, so that its sender gets to see the answer: a connection
/// that is closed with unread data is reset, and the reset may overtake the answer.
const DISCARDED_BYTES: usize = 4 << 20;

/// The whole body, within a limit and a time.
pub(crate) async fn body(mut body: Body, limit: usize, within: Duration) -> Result<Bytes, Refusal> {
    let read = async {
        let mut read = BytesMut::new();
        let mut discarded = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame
                .map_err(|error| Refusal::bad_request(format!("the body broke off: {error}")))?
                .into_data()
            else {
                continue;
            };
            if discarded == 0 && read.len() + data.len() <= limit {
                read.extend_from_slice(&data);
            } else {
                discarded += data.len();
            }
            if discarded > DISCARDED_BYTES {
                break;
            }
        }
        if discarded == 0 {
            return Ok(read.freeze());
        }
        let message = format!("the body is larger than {limit} bytes: send less, in several requests");
        Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message))
    };
    let late = || {
        let message =
            format!("the body did not arrive within {} s: send it without a pause", within.as_secs_f64());
        Refusal::new(StatusCode::REQUEST_TIMEOUT, message)
    };
    tokio::time::timeout(within, read).await.unwrap_or_else(|_| Err(late()))
}

/// The media type of a body, in lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A small JSON body of a control request.
pub(crate) async fn json<T: serde::de::DeserializeOwned>(
    state: &State,
    headers: &HeaderMap,
    from: Body,
    shape: &str,
) -> Result<T, Refusal> {
    if media_type(headers) != "application/json" {
        return Err(unsupported(&format!("send {shape} as application/json")));
    }
    let bytes = body(from, state.config().max_body_bytes.min(64 << 10), state.config().body_timeout).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::bad_request(format!("bad JSON: {error}: send {shape}")))
}

/// A body of a type that is not read here.
pub(crate) fn unsupported(what_to_do: &str) -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("unsupported content type: {what_to_do}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_within_its_bounds() {
        let query = Query::parse("limit=10000&wait=55&after=&x=1").expect("good");
        assert_eq!((query.after, query.limit, query.wait), (None, Some(10_000), Some(MAX_WAIT)));
        assert_eq!(Query::parse("after=a-1").expect("good").after, "a-1".parse().ok());
        assert_eq!(Query::parse("wait=0.5").expect("good").wait, Some(Duration::from_millis(500)));
        assert!(Query::parse("retry=none").expect("good").without_retry);
        for bad in [
            "retry=5",
            "limit=0",
            "limit=10001",
            "limit=x",
            "wait=56",
            "wait=-1",
            "wait=NaN",
            "wait=inf",
            "after=x",
        ] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }
}
