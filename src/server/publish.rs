//! `POST /channels/{channel}/events`: publish an event.

use axum::{body::Body, extract::State as FromState, response::Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::{
    State,
    refusal::{Refusal, json_response},
    request::{self, Named},
};
use crate::{
    encoding,
    event::{Cursor, Draft},
    feed::Channel,
};

/// An event as a publisher sends it in JSON, by `POST` and by WebSocket.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Publication {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    data: String,
}

/// The answer to a publisher.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Published {
    pub(crate) id: Cursor,
}

/// Publishes a JSON event, or any text as the data of one.
pub(crate) async fn post(
    FromState(state): FromState<State>,
    Named(name): Named,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let kind = Kind::of(&headers)?;
    let bytes = request::body(body, state.config().max_body_bytes, state.config().body_timeout).await?;
    let publication = match kind {
        Kind::Json => serde_json::from_slice(&bytes).map_err(|error| {
            Refusal::bad_request(format!(
                "bad JSON: {error}: send {{\"data\": \"text\"}}, with \"type\" if it has one"
            ))
        })?,
        Kind::Text => Publication { kind: None, data: utf8(&bytes)? },
    };
    // The channel comes to be here, once there is something to put in it.
    let published = publish(&*state.feed().channel(&name)?, publication).await?;
    Ok(json_response(StatusCode::CREATED, encoding::json(&published)))
}

/// Checks an event and puts it in the log. What is answered has been stored.
pub(crate) async fn publish(channel: &Channel, publication: Publication) -> Result<Published, Refusal> {
    let draft = Draft::new(publication.kind.as_deref(), publication.data)?;
    Ok(Published { id: channel.submit(draft)?.stored().await? })
}

enum Kind {
    Json,
    Text,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        match request::media_type(headers).as_str() {
            "application/json" => Ok(Kind::Json),
            "text/plain" if is_utf8(headers) => Ok(Kind::Text),
            "text/plain" => Err(request::unsupported("send text in UTF-8")),
            _ => Err(request::unsupported(
                "send {\"type\"?, \"data\"} as application/json, or the data alone as text/plain",
            )),
        }
    }
}

/// Text without a charset is taken for UTF-8; its bytes are checked anyway.
fn is_utf8(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parameters = value.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    parameters.all(|(name, value)| {
        let value = value.trim().trim_matches('"');
        !name.trim().eq_ignore_ascii_case("charset")
            || ["utf-8", "utf8", "us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known))
    })
}

fn utf8(bytes: &[u8]) -> Result<String, Refusal> {
    let text = str::from_utf8(bytes).map_err(|error| {
        Refusal::bad_request(format!("the body is no UTF-8: {error}: send text in UTF-8"))
    })?;
    Ok(text.to_owned())
}
