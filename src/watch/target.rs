//! From what a user typed to an endpoint and a way of reading it.

use url::Url;

use crate::transport::Transport;

/// A URL that can't be watched; says what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTarget(String);

/// The endpoint behind a URL, and the transport to read it by.
pub(super) fn resolve(text: &str, transport: Option<Transport>) -> Result<(Transport, Url), BadTarget> {
    let bad = |problem: String| BadTarget(format!("bad URL {text:?}: {problem}"));
    let mut url: Url = match text.parse() {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            return Err(bad(format!("write the scheme too, as in http://{text}")));
        }
        Err(error) => {
            return Err(bad(format!("{error}; write it as in http://127.0.0.1:3000/channels/demo")));
        }
    };
    match url.scheme() {
        "http" | "ws" => {}
        "https" | "wss" => return Err(bad("TLS is not spoken here: use http:// or ws://".to_owned())),
        // `localhost:3000/x` parses, with `localhost` for a scheme.
        _ => return Err(bad(format!("it has to begin with http:// or ws://, as in http://{text}"))),
    }
    let is_ws = url.scheme() == "ws";
    if let (true, Some(other)) = (is_ws, transport.filter(|&transport| transport != Transport::WebSocket)) {
        return Err(bad(format!(
            "a ws:// URL is read by websocket: leave --transport {other} out, or use http://"
        )));
    }
    let (is_channel, named) = named_by_path(&url);
    let transport = match (transport, named) {
        (Some(asked), Some(named)) if is_channel && asked != named => {
            return Err(bad(format!(
                "it is the channel's {named} endpoint: leave --transport {asked} or /{named} out"
            )));
        }
        (Some(asked), _) => asked,
        (None, Some(named)) => named,
        (None, None) if is_ws => Transport::WebSocket,
        (None, None) => Transport::Sse,
    };
    if is_channel && named.is_none() {
        let path = format!("{}/{}", url.path().trim_end_matches('/'), transport.slug());
        url.set_path(&path);
    }
    Ok((transport, url))
}

/// Whether a path is that of a channel of ours, or of one of its endpoints, and which transport it ends in.
fn named_by_path(url: &Url) -> (bool, Option<Transport>) {
    let mut segments: Vec<&str> = url.path().split('/').filter(|segment| !segment.is_empty()).collect();
    let named = segments.last().and_then(|last| last.parse().ok());
    if named.is_some() && segments.len() > 2 {
        segments.pop();
        return (segments[segments.len() - 2] == "channels", named);
    }
    let is_channel = segments.len() >= 2 && segments[segments.len() - 2] == "channels";
    // A channel may well be called `sse`.
    (is_channel, named.filter(|_| !is_channel))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transport_follows_from_the_url_unless_it_is_given() {
        use Transport::{LongPoll, ShortPoll, Sse, WebSocket};
        for (text, asked, transport, endpoint) in [
            ("http://h/channels/a", None, Sse, "http://h/channels/a/sse"),
            ("http://h/channels/a/", Some(LongPoll), LongPoll, "http://h/channels/a/long-poll"),
            ("ws://h/channels/a", None, WebSocket, "ws://h/channels/a/websocket"),
            ("http://h/channels/a/short-poll", None, ShortPoll, "http://h/channels/a/short-poll"),
            ("http://h/channels/a/websocket", Some(WebSocket), WebSocket, "http://h/channels/a/websocket"),
            ("http://h/channels/sse", None, Sse, "http://h/channels/sse/sse"),
            ("http://h/channels/a?limit=3", None, Sse, "http://h/channels/a/sse?limit=3"),
            ("http://h/dates", None, Sse, "http://h/dates"),
            ("http://h/api/long-poll", None, LongPoll, "http://h/api/long-poll"),
            ("http://h/events/sse", Some(ShortPoll), ShortPoll, "http://h/events/sse"),
            ("ws://h/echo", None, WebSocket, "ws://h/echo"),
        ] {
            let resolved = resolve(text, asked).map(|(transport, url)| (transport, url.to_string()));
            assert_eq!(resolved, Ok((transport, endpoint.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_read_is_refused_with_what_to_do() {
        for (text, asked, fix) in [
            ("127.0.0.1:3000/channels/a", None, "http://127.0.0.1:3000/channels/a"),
            ("localhost:3000/channels/a", None, "http://localhost:3000/channels/a"),
            ("https://h/x", None, "http://"),
            ("http://", None, "http://127.0.0.1:3000"),
            ("ws://h/x", Some(Transport::Sse), "leave --transport sse out"),
            ("http://h/channels/a/sse", Some(Transport::LongPoll), "leave --transport long-poll or /sse out"),
        ] {
            let error = resolve(text, asked).expect_err(text).to_string();
            assert!(error.contains(fix), "{error}");
        }
    }
}
