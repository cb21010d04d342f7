//! A poll's answer, head and body, read where it lies.
//!
//! HTTP's rules for a head are httparse's, which hyper asks too. Usually an answer comes in one piece, with its length, and
//! is told from the memory into which it was read; what comes otherwise is kept until it is whole.

use std::mem::{self, MaybeUninit};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};

use super::{
    Cause,
    chunks::{Body, Found},
    lifecycle::Over,
    limits,
    poll::{Head, no_page},
};

/// Headers of an answer at most, as many as hyper takes.
const HEADERS: usize = 100;

/// As much of an answer as has come, where that is not all of it.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// The beginning of a head.
    start: Vec<u8>,
    begun: Option<Begun>,
}

/// An answer whose head has been read.
#[derive(Debug)]
struct Begun {
    head: Head,
    body: Body,
    bytes: Vec<u8>,
}

impl Reply {
    /// Whether nothing has come of it.
    pub(super) fn is_to_come(&self) -> bool {
        self.start.is_empty() && self.begun.is_none()
    }

    /// Hears bytes, and tells the answer if that is all of it. Usually it comes in one piece, and is told from where
    /// it lies. `count_head` is told how long its head was.
    pub(super) fn hear<T>(
        &mut self,
        bytes: &[u8],
        is_conditional: bool,
        count_head: impl FnOnce(u64),
        tell: impl FnOnce(Head, &[u8]) -> Result<T, Over>,
    ) -> Result<Option<T>, Over> {
        if self.begun.is_some() {
            return self.go_on(bytes, tell);
        }
        let mut joined = mem::take(&mut self.start);
        if !joined.is_empty() {
            joined.extend_from_slice(bytes);
        }
        let bytes = if joined.is_empty() { bytes } else { &joined[..] };
        let Some((head, body, length)) = parse(bytes, is_conditional)? else {
            if bytes.len() > limits::HEAD_BYTES {
                return Err(Over::Fatal(limits::too_large("the answer's head", limits::HEAD_BYTES)));
            }
            self.start = bytes.to_vec();
            return Ok(None);
        };
        count_head(length as u64);
        let rest = &bytes[length..];
        if body == Body::Length(rest.len() as u64) && rest.len() <= head.body_limit() {
            return tell(head, rest).map(Some);
        }
        self.begun = Some(Begun { head, body, bytes: Vec::new() });
        self.go_on(rest, tell)
    }

    /// Hears more of a body.
    fn go_on<T>(
        &mut self,
        mut more: &[u8],
        tell: impl FnOnce(Head, &[u8]) -> Result<T, Over>,
    ) -> Result<Option<T>, Over> {
        let Some(begun) = &mut self.begun else { return Ok(None) };
        loop {
            match begun.body.next(&mut more) {
                Ok(Found::Data(piece)) if begun.bytes.len() + piece.len() > begun.head.body_limit() => {
                    if !begun.head.is_refusal() {
                        return Err(Over::Fatal(limits::too_large("the answer", limits::BODY_BYTES)));
                    }
                    // What there is says why.
                    return self.end(tell);
                }
                Ok(Found::Data(piece)) => begun.bytes.extend_from_slice(piece),
                Ok(Found::Nothing) => return Ok(None),
                Ok(Found::End) if more.is_empty() => return self.end(tell),
                Ok(Found::End) => return Err(said_too_much()),
                Err(broken) => return Err(Over::Lost(Cause::Broken(broken.to_string()))),
            }
        }
    }

    /// Tells the answer, if no more of it is to come once the connection has ended.
    pub(super) fn end<T>(
        &mut self,
        tell: impl FnOnce(Head, &[u8]) -> Result<T, Over>,
    ) -> Result<Option<T>, Over> {
        match self.begun.take_if(|begun| begun.body.may_end() || begun.head.is_refusal()) {
            Some(Begun { head, bytes, .. }) => tell(head, &bytes).map(Some),
            None => Ok(None),
        }
    }
}

/// The server has said something unasked.
pub(super) fn said_too_much() -> Over {
    Over::Lost(Cause::Broken("the server said more than it was asked for".to_owned()))
}

/// The head that bytes begin with, how its body is delimited, and how long the head is; `None` where its end is to
/// come.
fn parse(bytes: &[u8], is_conditional: bool) -> Result<Option<(Head, Body, usize)>, Over> {
    let mut start = 0;
    loop {
        // There is room for many headers, and few come: it is not written to first.
        let mut lines = [const { MaybeUninit::uninit() }; HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut response, &bytes[start..], &mut lines)
            .map_err(|error| Over::Fatal(Cause::Refused(format!("not an HTTP answer: {error}"))))?;
        let httparse::Status::Complete(length) = parsed else { return Ok(None) };
        start += length;
        let code = response.code.unwrap_or_default();
        // An interim answer (100 Continue, 103 Early Hints) is followed by the real one.
        if (100..200).contains(&code) && code != 101 {
            continue;
        }
        if let Some(body) = usual(&response).filter(|_| !is_conditional) {
            return Ok(Some((Head::ok(), body, start)));
        }
        let version = if response.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
        let headers = headers(response.headers);
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut head = Head::of(status, version, &headers, is_conditional);
        let body = if head.has_no_body() { Some(Body::Length(0)) } else { Body::of(version, &headers) };
        let body = body.ok_or_else(|| no_page("where its body ends is not clear"))?;
        head.is_last |= body == Body::ToTheEnd;
        return Ok(Some((head, body, start)));
    }
}

/// The body behind a head that says nothing else than that all is well and how long the body is.
fn usual(response: &httparse::Response<'_, '_>) -> Option<Body> {
    if (response.code, response.version) != (Some(200), Some(1)) {
        return None;
    }
    let mut length = None;
    for line in &*response.headers {
        let is = |name: HeaderName| line.name.eq_ignore_ascii_case(name.as_str());
        if is(header::CONTENT_LENGTH) {
            if length.is_some() {
                return None;
            }
            length = Some(Body::of_length(line.value)?);
        } else if is(header::CONNECTION) || is(header::TRANSFER_ENCODING) {
            return None;
        }
    }
    length
}

/// Headers as a map, without those whose name or value is none.
fn headers(lines: &[httparse::Header<'_>]) -> HeaderMap {
    let line = |line: &httparse::Header<'_>| {
        Some((HeaderName::try_from(line.name).ok()?, HeaderValue::from_bytes(line.value).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.iter().filter_map(line) {
        headers.append(name, value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is told of bytes in pieces of these lengths, behind which the connection ends: status and body.
    fn told(bytes: &[u8], cuts: &[usize]) -> Result<Option<(u16, Vec<u8>)>, Over> {
        let (mut reply, mut rest) = (Reply::default(), bytes);
        let tell = |head: Head, body: &[u8]| Ok((head.status.as_u16(), body.to_vec()));
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            let (piece, left) = rest.split_at(cut.min(rest.len()));
            rest = left;
            if !piece.is_empty()
                && let Some(whole) = reply.hear(piece, false, drop, tell)?
            {
                return Ok(Some(whole));
            }
        }
        reply.end(tell)
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_same_answer(
            body in proptest::collection::vec(any::<u8>(), 0..60),
            status in prop_oneof![Just(200_u16), Just(206), Just(503), Just(404)],
            interim: bool,
            delimited in 0..3,
            cuts in proptest::collection::vec(0_usize..30, 0..20),
        ) {
            let mut bytes = Vec::new();
            if interim {
                bytes.extend(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            bytes.extend(format!("HTTP/1.1 {status} Any\r\nx-y: z\r\n").bytes());
            match delimited {
                0 => bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes()),
                1 => bytes.extend(b"\r\n"),
                _ => bytes.extend(b"transfer-encoding: chunked\r\n\r\n"),
            }
            if delimited == 2 {
                for chunk in body.chunks(7) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                }
                bytes.extend(b"0\r\n\r\n");
            } else {
                bytes.extend(&body);
            }
            prop_assert_eq!(told(&bytes, &cuts).expect("an answer"), Some((status, body)));
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..60), cuts in proptest::collection::vec(1_usize..9, 0..9)) {
            let _ = told(&bytes, &cuts);
            let _ = told(&[b"HTTP/1.1 200 OK\r\n", &bytes[..]].concat(), &cuts);
        }
    }

    #[test]
    fn a_part_is_no_answer_but_says_why_something_was_refused() {
        let part = |status: &str| {
            let bytes = format!("HTTP/1.1 {status}\r\ncontent-length: 9\r\n\r\nhello");
            told(bytes.as_bytes(), &[]).expect("no mistake")
        };
        assert_eq!(part("200 OK"), None);
        assert_eq!(part("503 Away"), Some((503, b"hello".to_vec())));
        let long = "x".repeat(limits::ERROR_BYTES + 1);
        let bytes = format!("HTTP/1.1 500 Broken\r\n\r\n{long}");
        let cuts = vec![1_000; 5];
        let (status, body) = told(bytes.as_bytes(), &cuts).expect("no mistake").expect("an answer");
        assert!(status == 500 && !body.is_empty() && body.len() <= limits::ERROR_BYTES);
    }

    #[test]
    fn bounds_and_mistakes_are_told() {
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(limits::HEAD_BYTES));
        let over = |bytes: &str| format!("{:?}", told(bytes.as_bytes(), &[]).expect_err("over"));
        for (bytes, what) in [
            (&*endless, "Fatal(Refused(\"the answer's head is larger"),
            ("SSH-2.0-x\r\n\r\n", "Fatal(Refused(\"not an HTTP answer"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhello", "Lost(Broken(\"the server said more"),
            ("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\nhello", "Refused { cause"),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx", "Lost(Broken(\"the answer's chunks"),
        ] {
            let said = over(bytes);
            assert!(said.starts_with(what), "{said}");
        }
    }
}
