//! The token that changing things needs where the server is bound elsewhere than to the loopback.
//!
//! It is printed at start, inside of a URL. A page that is loaded with it gets a cookie that no script can
//! read and no other site can make a browser send, and goes on without the token in its address.

use std::{fmt, str::FromStr};

use axum::{
    extract::{Request, State as FromState},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::{State, connection::OnConnection, refusal::Refusal};

/// What whoever changes something has to show.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A token that is too short to be none's guess, or has characters that a URL or a cookie would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use 16 to 128 letters, digits, `-` or `_`")]
pub struct BadToken;

const SHORTEST: usize = 16;
const LONGEST: usize = 128;

impl Token {
    /// A new one, of 128 random bits.
    pub fn random() -> Self {
        Token(format!("{:032x}", rand::random::<u128>()))
    }

    /// Its text, for whoever is to be told it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares in a time that does not tell how much was right.
    fn is(&self, other: &str) -> bool {
        let (mine, theirs) = (self.0.as_bytes(), other.as_bytes());
        mine.len() == theirs.len()
            && mine.iter().zip(theirs).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let is_long = (SHORTEST..=LONGEST).contains(&text.len());
        if is_plain && is_long { Ok(Token(text.to_owned())) } else { Err(BadToken) }
    }
}

/// A log or a panic message is no place for it.
impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// Lets a request pass that changes nothing or shows the token.
pub(crate) async fn check(
    FromState(state): FromState<State>,
    connection: OnConnection,
    request: Request,
    next: Next,
) -> Response {
    let Some(token) = &state.config().token else { return next.run(request).await };
    let port = connection.0.local.map_or(0, |local| local.port());
    let shown_in_query = in_query(request.uri()).is_some_and(|shown| token.is(&shown));
    if !request.method().is_safe() {
        return if shown_in_query || is_shown(token, request.headers(), port) {
            next.run(request).await
        } else {
            refusal().into_response()
        };
    }
    if !shown_in_query {
        return next.run(request).await;
    }
    let mut response = if is_navigation(request.headers()) {
        // 303 to the same address without the token, which then is neither on the screen nor in bookmarks.
        let to = HeaderValue::from_str(&without_token(request.uri()));
        let to = to.unwrap_or_else(|_| HeaderValue::from_static("/"));
        (StatusCode::SEE_OTHER, [(header::LOCATION, to), no_store()]).into_response()
    } else {
        next.run(request).await
    };
    let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Strict", cookie_name(port), token.0);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Whether a request may change something: for what changes by other means than a method, as a message
/// on a WebSocket does.
pub(crate) fn may_change(state: &State, connection: &OnConnection, uri: &Uri, headers: &HeaderMap) -> bool {
    let Some(token) = &state.config().token else { return true };
    let port = connection.0.local.map_or(0, |local| local.port());
    in_query(uri).is_some_and(|shown| token.is(&shown)) || is_shown(token, headers, port)
}

/// What whoever has no token is told.
pub(crate) fn refusal() -> Refusal {
    Refusal::new(
        StatusCode::UNAUTHORIZED,
        "changing things here needs the token: open the address with ?token= that the server printed at its start, or send it as Authorization: Bearer",
    )
    .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

/// Cookies know no ports, so two servers of one machine have cookies of different names.
fn cookie_name(port: u16) -> String {
    format!("pushlab-token-{port}")
}

fn in_query(uri: &Uri) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.find(|(key, _)| key == "token").map(|(_, value)| value.into_owned())
}

fn is_shown(token: &Token, headers: &HeaderMap, port: u16) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let bearer = headers.get(header::AUTHORIZATION).map(text).unwrap_or_default();
    if let Some((scheme, shown)) = bearer.split_once(' ')
        && scheme.eq_ignore_ascii_case("bearer")
        && token.is(shown.trim())
    {
        return true;
    }
    let name = cookie_name(port);
    headers.get_all(header::COOKIE).iter().map(text).any(|cookies| {
        let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(key, value)| key == name && token.is(value))
    })
}

/// Whether this is somebody who opens a page, and not a script.
fn is_navigation(headers: &HeaderMap) -> bool {
    match headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_some_and(|accept| accept.contains("text/html")),
    }
}

/// The path and what is left of the query. A path that begins with two slashes would name another host.
fn without_token(uri: &Uri) -> String {
    let query: Vec<_> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && *pair != "token" && !pair.starts_with("token="))
        .collect();
    let path = format!("/{}", uri.path().trim_start_matches(['/', '\\']));
    if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
}

fn no_store() -> (header::HeaderName, HeaderValue) {
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_and_plain_and_not_shown_by_accident() {
        assert!("0123456789abcde".parse::<Token>().is_err());
        assert!("0123456789abcdef;".parse::<Token>().is_err());
        let token: Token = "0123456789-ABC_f".parse().expect("good");
        assert!(token.is("0123456789-ABC_f") && !token.is("0123456789-ABC_g") && !token.is(""));
        assert!(!format!("{token:?}").contains("0123"));
        let random = Token::random();
        assert_eq!(random.reveal().parse(), Ok(random.clone()));
        assert_ne!(random, Token::random());
    }

    #[test]
    fn the_address_loses_its_token_and_nothing_else() {
        for (uri, left) in [
            ("/?token=a", "/"),
            ("/demo/sse?x=1&token=a&y=2", "/demo/sse?x=1&y=2"),
            ("//evil.example/?token=a", "/evil.example/"),
            ("/tokens?tokens=1&token", "/tokens?tokens=1"),
        ] {
            let uri: Uri = uri.parse().expect("a URI");
            assert_eq!(without_token(&uri), left);
        }
    }
}
