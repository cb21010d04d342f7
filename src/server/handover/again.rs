//! A poll that asks again what it asked before.
//!
//! From one poll of a client to the next nothing changes but the cursor: path, query and headers are the same. HTTP
//! has judged them, whatever there is to judge (the host, the origin, the bounds of the query), and the answer had
//! a head. So a request that is byte for byte the one before, but for a cursor which is the one that its connection was
//! answered with, is as good and has the same head: it waits again where it stands. Any other is
//! HTTP's to judge.

use std::sync::Arc;

use bytes::Bytes;

use super::{attend::Gone, crowd::Audience, format::Format, stream::Phase, writer::Writer};
use crate::event::Cursor;

/// A request that HTTP has judged, without its cursor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    before: Bytes,
    after: Bytes,
}

const END: &[u8] = b"\r\n\r\n";

impl Request {
    /// What there is to be remembered of a request, which had this cursor by HTTP's judgement. `None` where it is not
    /// clear which of its bytes that was.
    pub(super) fn new(request: &[u8], cursor: Cursor) -> Option<Request> {
        if find(request, END)? + END.len() != request.len() {
            return None;
        }
        let line = &request[..find(request, b"\r\n")?];
        // With escapes a key could be there twice in different letters.
        if line.contains(&b'%') {
            return None;
        }
        let key =
            [&b"?after="[..], b"&after="].into_iter().filter_map(|key| Some(find(line, key)? + key.len()));
        let start = key.min()?;
        let end = start + line[start..].iter().position(|byte| matches!(byte, b'&' | b' '))?;
        let is_it = std::str::from_utf8(&line[start..end]).ok()?.parse() == Ok(cursor);
        let part = Bytes::copy_from_slice;
        is_it.then(|| Request { before: part(&request[..start]), after: part(&request[end..]) })
    }

    /// How long the request at the front of `said` is, if it is this one with that cursor.
    fn length_in(&self, said: &[u8], cursor: Cursor) -> Option<usize> {
        let rest = said.strip_prefix(&self.before[..])?;
        // Much cheaper than to write the cursor out, and nothing else is written like it.
        let length = rest.iter().position(|byte| matches!(byte, b'&' | b' '))?;
        let is_it = std::str::from_utf8(&rest[..length]).ok()?.parse() == Ok(cursor);
        (is_it && rest[length..].starts_with(&self.after))
            .then(|| self.before.len() + length + self.after.len())
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The requests that were judged last: most clients of a channel ask alike, so one copy serves for many.
#[derive(Debug, Default)]
pub(super) struct Requests(Vec<Arc<Request>>);

/// How many are remembered for those who come to ask alike. Each poll keeps its own however many there are.
const REMEMBERED: usize = 4;

impl Requests {
    /// The one copy of a request.
    pub(super) fn shared(&mut self, request: Request) -> Arc<Request> {
        if let Some(known) = self.0.iter().find(|known| ***known == request) {
            return Arc::clone(known);
        }
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        let request = Arc::new(request);
        self.0.push(Arc::clone(&request));
        request
    }
}

impl Writer {
    /// Lets an answered poll wait again, or answers it at once, where its next request is the one before. False
    /// where it is another, which is HTTP's to judge.
    pub(super) fn asks_again(&mut self, key: u32) -> Result<bool, Gone> {
        let stream = self.streams.get(key).ok_or(Gone)?;
        let Some(poll) = &mut stream.poll else { return Ok(false) };
        // Whoever looks at the bytes is to be told of each request.
        if stream.wire.is_watched() {
            return Ok(false);
        }
        let asked = poll.request.as_ref().zip(poll.channel.upgrade());
        let Some((channel, length)) = asked
            .and_then(|(request, channel)| Some((channel, request.length_in(&poll.ahead, stream.cursor)?)))
        else {
            return Ok(false);
        };
        poll.take(length);
        poll.until = self.now + poll.time;
        let audience =
            Audience { channel, format: Format::LongPoll, limit: poll.limit, head: poll.head.clone() };
        stream.phase = Phase::Open;
        self.join_crowd(key, audience);
        self.catch_up(key)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(text: &str) -> Cursor {
        text.parse().expect("a good cursor")
    }

    fn request(cursor: &str) -> String {
        format!(
            "GET /channels/a/long-poll?limit=5&after={cursor}&wait=9 HTTP/1.1\r\nhost: x\r\nreferer: /?after=1\r\n\r\n"
        )
    }

    #[test]
    fn the_same_request_is_known_again_by_its_bytes() {
        let known = Request::new(request("aaaaaaaa-1").as_bytes(), cursor("aaaaaaaa-1")).expect("clear");
        let next = request("aaaaaaaa-12");
        assert_eq!(known.length_in(next.as_bytes(), cursor("aaaaaaaa-12")), Some(next.len()));
        let two = next.repeat(2);
        assert_eq!(
            known.length_in(two.as_bytes(), cursor("aaaaaaaa-12")),
            Some(next.len()),
            "the next one is behind it"
        );
        assert_eq!(known.length_in(next.as_bytes(), cursor("aaaaaaaa-11")), None, "another cursor");
        assert_eq!(
            known.length_in(next.replace("host: x", "host: y").as_bytes(), cursor("aaaaaaaa-12")),
            None
        );
        assert_eq!(known.length_in(next.replace("wait=9", "wait=8").as_bytes(), cursor("aaaaaaaa-12")), None);
        for end in 0..next.len() {
            assert_eq!(known.length_in(&next.as_bytes()[..end], cursor("aaaaaaaa-12")), None, "a part of it");
        }
    }

    #[test]
    fn what_is_not_clear_is_not_remembered() {
        let good = request("aaaaaaaa-1");
        for unclear in [
            good.replace("limit", "%6cimit"),
            good.replace("after", "before"),
            good.repeat(2),
            good.trim_end().to_owned(),
            format!("{good}x"),
        ] {
            assert_eq!(Request::new(unclear.as_bytes(), cursor("aaaaaaaa-1")), None, "{unclear:?}");
        }
        assert_eq!(Request::new(good.as_bytes(), cursor("aaaaaaaa-2")), None, "HTTP saw another cursor");
        let twice = good.replace("limit=5", "after=aaaaaaaa-7");
        assert_eq!(Request::new(twice.as_bytes(), cursor("aaaaaaaa-1")), None, "of two the first counts");
        assert!(Request::new(twice.as_bytes(), cursor("aaaaaaaa-7")).is_some());
    }

    #[test]
    fn who_asks_alike_shares_one_copy() {
        let mut requests = Requests::default();
        let mut shared = |line: &str| {
            let text = request("aaaaaaaa-1").replace("/channels/a", line);
            requests.shared(Request::new(text.as_bytes(), cursor("aaaaaaaa-1")).expect("clear"))
        };
        let first = shared("/channels/a");
        assert!(Arc::ptr_eq(&first, &shared("/channels/a")));
        for number in 0..REMEMBERED {
            shared(&format!("/channels/{number}"));
        }
        assert!(!Arc::ptr_eq(&first, &shared("/channels/a")), "there is a bound to what is remembered");
    }
}
