//! What a server says when it does not give what was asked for.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::Cause;

/// The status, and the beginning of what the body says: the `error` of a JSON object, else its first line.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> Cause {
    #[derive(Deserialize)]
    struct Said {
        error: String,
    }
    let said = match serde_json::from_slice::<Said>(body) {
        Ok(said) => said.error,
        Err(_) => String::from_utf8_lossy(body).trim().lines().next().unwrap_or_default().to_owned(),
    };
    let said: String = said.chars().take(200).collect();
    Cause::Refused(if said.is_empty() { status.to_string() } else { format!("{status}: {said}") })
}

/// Whether another attempt may go better: the server is overloaded, or is being restarted.
pub(super) fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}

/// How long a server asks to be left alone, as seconds or as a date (RFC 9110, 10.2.3); a date that is past
/// asks for nothing.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_asks_for_a_time_or_until_a_time() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        for (value, seconds) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(30)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ] {
            let headers = [(header::RETRY_AFTER, value.parse().expect("a value"))].into_iter().collect();
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn the_body_says_why_in_a_line() {
        let long = "x".repeat(300);
        for (body, said) in [
            (r#"{"error":"bad cursor"}"#, "400 Bad Request: bad cursor"),
            ("\n no such thing\nsecond line", "400 Bad Request: no such thing"),
            ("", "400 Bad Request"),
            (&long, &format!("400 Bad Request: {}", &long[..200])),
        ] {
            assert_eq!(refusal(StatusCode::BAD_REQUEST, body.as_bytes()), Cause::Refused(said.to_owned()));
        }
    }

    #[test]
    fn only_what_may_pass_is_worth_another_attempt() {
        assert!(may_pass(StatusCode::SERVICE_UNAVAILABLE) && may_pass(StatusCode::TOO_MANY_REQUESTS));
        assert!(!may_pass(StatusCode::BAD_REQUEST) && !may_pass(StatusCode::NOT_FOUND));
    }
}
