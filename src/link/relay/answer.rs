//! Answers in the server's place: what a proxy, or a server that is not well, says to who connects again.
//!
//! The answer comes from a TCP connection of its own, so that all that the relay does to bytes (delay, rate,
//! other faults) is done to it as it is done to the server's.

use std::{future::pending, io, net::Ipv4Addr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// A whole HTTP/1.1 response, after which the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 500 Internal Server Error.
    InternalServerError,
    /// 503 Service Unavailable, with `Retry-After`.
    Unavailable {
        /// Seconds after which it asks to be tried again.
        retry_after_s: u32,
    },
    /// 204 No Content.
    NoContent,
    /// 307 Temporary Redirect to the place that was asked for.
    Redirect,
    /// 200 OK with a page in `text/html`, as a login page or an error page of a proxy is.
    WrongType,
}

/// The longest request head that is read, in bytes.
const HEAD: usize = 16 << 10;

/// A connection to `answer` in the place of one to the server, and what has to be driven beside it.
pub(super) async fn instead_of_server(
    answer: Answer,
) -> io::Result<(TcpStream, impl Future<Output = std::convert::Infallible>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
    let (near, (mut far, from)) = (near?, far?);
    if near.local_addr()? != from {
        return Err(io::Error::other("somebody else connected to the answer's port"));
    }
    Ok((near, async move {
        // Whatever goes wrong here is the client's having left.
        let _ = give(answer, &mut far).await;
        // Kept open, since a socket that is closed with unread bytes resets.
        let mut rest = [0_u8; 1024];
        while matches!(far.read(&mut rest).await, Ok(1..)) {}
        pending().await
    }))
}

async fn give(answer: Answer, stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    stream.write_all(response(answer, &head).as_bytes()).await?;
    stream.shutdown().await
}

fn response(answer: Answer, request: &[u8]) -> String {
    let (status, field, body) = match answer {
        Answer::InternalServerError => ("500 Internal Server Error", String::new(), "out of order\n"),
        Answer::Unavailable { retry_after_s } => {
            ("503 Service Unavailable", format!("retry-after: {retry_after_s}\r\n"), "too busy\n")
        }
        Answer::NoContent => return "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned(),
        Answer::Redirect => {
            ("307 Temporary Redirect", format!("location: {}\r\n", target(request)), "over there\n")
        }
        Answer::WrongType => ("200 OK", String::new(), "<!doctype html><title>Please log in</title>\n"),
    };
    let kind = if answer == Answer::WrongType { "text/html" } else { "text/plain" };
    format!(
        "HTTP/1.1 {status}\r\n{field}content-type: {kind}; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The path and query that a request asks for.
fn target(request: &[u8]) -> String {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let target = line.split(|byte| *byte == b' ').nth(1).map(String::from_utf8_lossy).unwrap_or_default();
    // Two slashes would name a host.
    if target.starts_with('/') && !target.starts_with("//") { target.into_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_to_where_it_came_from() {
        for (line, location) in [
            ("GET /a/b?c=d HTTP/1.1", "/a/b?c=d"),
            ("GET //elsewhere.example/ HTTP/1.1", "/"),
            ("nonsense", "/"),
        ] {
            let response = response(Answer::Redirect, format!("{line}\r\nhost: x\r\n\r\n").as_bytes());
            assert!(response.contains(&format!("\r\nlocation: {location}\r\n")), "{response}");
        }
    }

    #[test]
    fn each_answer_says_how_long_it_is() {
        for answer in [
            Answer::InternalServerError,
            Answer::Unavailable { retry_after_s: 2 },
            Answer::Redirect,
            Answer::WrongType,
        ] {
            let response = response(answer, b"GET / HTTP/1.1\r\n\r\n");
            let (head, body) = response.split_once("\r\n\r\n").expect("a head and a body");
            assert!(head.contains(&format!("content-length: {}", body.len())), "{response}");
            let waits = matches!(answer, Answer::Unavailable { .. });
            assert_eq!(head.contains("retry-after: 2"), waits, "{response}");
        }
        // RFC 9110, 8.6: a 204 has no Content-Length.
        assert!(!response(Answer::NoContent, b"").contains("content-length"));
    }
}
