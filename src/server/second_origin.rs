//! The second origin: the same machine under another port, which is another origin to a browser.
//!
//! A page of the first origin looks at three streams from outside. They differ in what they tell the
//! browser about being read: anybody may, without cookies; our pages may, with cookies; nobody may. The
//! server sends the same in all three cases, and it is the browser that hands it on or not.

use std::net::IpAddr;

use axum::{
    Router,
    extract::State as FromState,
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header, uri::Authority};
use serde_json::json;

use super::{
    State, connection::OnConnection, cors, envelope, hosts, only, pages, refusal::json_response, tutorial,
};
use crate::encoding;

/// Connections at a time: these streams are for looking at, not for measuring.
pub(crate) const MAX_CONNECTIONS: usize = 1_024;

/// The cookie that the streams tell about. They tell no other.
const COOKIE: &str = "pushlab-tour";

/// Every endpoint of the second origin.
pub(crate) fn app(state: State) -> Router {
    Router::new()
        .route("/healthz", only("GET, HEAD", get(pages::healthz)))
        .route("/tour/cors/open", only("GET, HEAD", get(open)))
        .route("/tour/cors/credentials", only("GET, HEAD", get(credentials)))
        .route("/tour/cors/closed", only("GET, HEAD", get(closed)))
        .fallback(pages::not_found)
        .layer(from_fn_with_state(state.clone(), hosts::check))
        .layer(from_fn(envelope::wrap))
        .with_state(state)
}

/// `GET /origins` on the first origin: where the second one is, `null` where there is none.
pub(crate) async fn origins(
    FromState(state): FromState<State>,
    connection: OnConnection,
    headers: HeaderMap,
) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let second = url(&state, &connection, host);
    json_response(StatusCode::OK, encoding::json(&json!({ "second": second })))
}

/// The second origin's URL for a page of this host. Its host is the page's wherever the second listener
/// can be reached by it, since a browser sends a cookie to the same host whatever the port.
pub(crate) fn url(state: &State, connection: &OnConnection, host: Option<&str>) -> Option<String> {
    let second = state.second_origin()?;
    let local = connection.0.local.map(|local| local.ip().to_canonical());
    let authority = host.and_then(|host| host.parse::<Authority>().ok());
    let named = authority.as_ref().map(Authority::host).filter(|name| {
        let ip = name.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        match ip {
            Some(ip) => second.ip().is_unspecified() || ip == second.ip(),
            None => {
                name.eq_ignore_ascii_case("localhost")
                    && (second.ip().is_loopback() || second.ip().is_unspecified())
            }
        }
    });
    let ip = if second.ip().is_unspecified() { local.unwrap_or(second.ip()) } else { second.ip() };
    let name = named.map_or_else(
        || match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        },
        str::to_owned,
    );
    Some(format!("http://{name}:{}", second.port()))
}

/// Anybody may read, but not with cookies: a browser hands nothing on to `withCredentials`.
async fn open(connection: OnConnection, headers: HeaderMap) -> Response {
    let mut response = stream(connection, &headers);
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// Pages of the first origin may read, also with cookies.
async fn credentials(
    FromState(state): FromState<State>,
    connection: OnConnection,
    headers: HeaderMap,
) -> Response {
    let local = connection.0.local.map(|local| local.ip());
    let mut response = stream(connection, &headers);
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = headers.get(header::ORIGIN)
        && state.hosts().serves_pages_of(origin.to_str().unwrap_or_default(), local)
    {
        cors::with_credentials(response.headers_mut(), origin.clone());
    }
    response
}

/// Nobody of another origin may read.
async fn closed(connection: OnConnection, headers: HeaderMap) -> Response {
    stream(connection, &headers)
}

/// Each second, what the server was sent: the page's origin, and the tour's cookie.
fn stream(connection: OnConnection, headers: &HeaderMap) -> Response {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let origin = headers.get(header::ORIGIN).map(text);
    let cookies = headers.get_all(header::COOKIE).iter().map(text).collect::<Vec<_>>().join("; ");
    let cookie = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
    let cookie = cookie.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned()).next();
    let seen = encoding::json(&json!({ "origin": origin, "cookie": cookie }));
    tutorial::each_second(connection, move |_| format!("data: {seen}\n\n"))
}
