//! What every page is sent with: which sources it may load from, and what it tells others.

use axum::{
    extract::{Request, State as FromState},
    middleware::Next,
    response::Response,
};
use http::{HeaderName, HeaderValue, header, uri::Authority};

use super::{State, connection::OnConnection, networks, second_origin};

/// Puts the policy on pages, unless one brought its own. Other answers stay as they are: the heads of the
/// transports are measured, and a policy means nothing to them.
pub(crate) async fn apply(
    FromState(state): FromState<State>,
    connection: OnConnection,
    request: Request,
    next: Next,
) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let mut response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        return response;
    }
    let headers = response.headers_mut();
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let second = second_origin::url(&state, &connection, host.as_deref());
        let doors = networks::ports_for(&state, connection.0.local, host.as_deref());
        let policy = policy(host.as_deref(), second.as_deref(), &doors);
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    headers
        .entry(HeaderName::from_static("x-content-type-options"))
        .or_insert(HeaderValue::from_static("nosniff"));
    response
}

/// No inline script or style, nothing from elsewhere; connections to this server, also as a WebSocket,
/// which not every browser counts as `'self'`, to the second origin of the tour, and to the networks' doors.
fn policy(host: Option<&str>, second: Option<&str>, doors: &[u16]) -> String {
    let mut connect = String::from("'self'");
    // The host was checked to be one of ours; written from its parts so that nothing else slips in.
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    if let Some(host) = host.filter(|host| !host.host().contains([';', ',', '\'', '*'])) {
        let port = host.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        let name = host.host();
        connect += &format!(" ws://{name}{port} wss://{name}{port}");
        for door in doors {
            connect += &format!(" http://{name}:{door} ws://{name}:{door}");
        }
    }
    if let Some(second) = second {
        connect += " ";
        connect += second;
    }
    format!(
        "default-src 'self'; connect-src {connect}; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_may_connect_to_its_server_the_networks_and_the_second_origin_only() {
        let policy = policy(Some("127.0.0.1:3000"), Some("http://127.0.0.1:4000"), &[5000]);
        assert!(policy.contains(
            "connect-src 'self' ws://127.0.0.1:3000 wss://127.0.0.1:3000 http://127.0.0.1:5000 \
             ws://127.0.0.1:5000 http://127.0.0.1:4000;"
        ));
        assert!(!policy.contains("unsafe") && !policy.contains('*'));
    }

    #[test]
    fn a_strange_host_adds_nothing() {
        for host in ["a;script-src", "*", "a b", "'unsafe-inline'"] {
            assert!(policy(Some(host), None, &[5000]).contains("connect-src 'self';"), "{host}");
        }
    }
}
