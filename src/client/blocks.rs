//! What an event stream says, read where it lies.
//!
//! Nearly all of it is whole blocks of the usual form: an id, perhaps a type, one line of data, each line ended by a
//! line feed. Their text can be told from the memory into which it was read. The machine that knows all the rules
//! (`sse-core`'s) is made when anything else comes, is given everything up to the next blank line, and is
//! dropped there. It is also given what a stream begins with, since only there a byte order mark is none
//! of the text.

use std::{num::NonZeroUsize, str, sync::Arc, time::Duration};

use compact_str::{CompactString, ToCompactString as _};
use memchr::{memchr, memchr2, memmem};
use sse_core::{SseDecoder, SseEvent};

use crate::event::DEFAULT_TYPE;

/// What was said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said<'a> {
    /// An event.
    Event { id: Option<&'a str>, kind: &'a str, data: &'a str },
    /// How long to wait before connecting again.
    Retry(Duration),
}

/// More than the limit in one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Reads blocks from bytes, whatever the pieces in which these come.
#[derive(Debug)]
pub(super) struct Blocks {
    /// The last event id, which holds for all events until there is another. A short one lies here and nowhere else.
    id: Option<CompactString>,
    /// What knows the rules, while it is needed.
    rules: Option<Box<Rules>>,
    limit: NonZeroUsize,
}

#[derive(Debug)]
struct Rules {
    decoder: SseDecoder,
    /// The last byte that it was given ended a line.
    ended_line: bool,
}

/// A whole block of the usual form.
#[derive(Debug, Default)]
struct Usual<'a> {
    id: Option<&'a str>,
    kind: Option<&'a str>,
    data: Option<&'a str>,
}

impl Blocks {
    /// A stream from its beginning, with so many bytes at most to an event.
    pub(super) fn new(limit: NonZeroUsize) -> Self {
        let mut blocks = Blocks { id: None, rules: None, limit };
        blocks.begin_again();
        blocks
    }

    /// The last event id.
    pub(super) fn id(&self) -> Option<&str> {
        match &self.rules {
            Some(rules) => rules.decoder.last_event_id().map(AsRef::as_ref),
            None => self.id.as_deref(),
        }
    }

    /// Another stream begins. A block that was not ended is forgotten, with its id.
    pub(super) fn begin_again(&mut self) {
        let mut decoder = SseDecoder::with_limit(self.limit);
        decoder.reconnect_with_id(self.id().map(Arc::from));
        self.rules = Some(Box::new(Rules { decoder, ended_line: false }));
    }

    /// The last event id holds no longer.
    pub(super) fn forget_id(&mut self) {
        (self.id, self.rules) = (None, None);
        self.begin_again();
    }

    /// Hears bytes and tells what they complete.
    pub(super) fn hear<E: From<TooLarge>>(
        &mut self,
        mut bytes: &[u8],
        mut tell: impl FnMut(Said<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            if let Some(rules) = &mut self.rules {
                let end = rules.end(bytes);
                let (here, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
                bytes = rest;
                rules.apply(here, &mut tell)?;
                if end.is_some() {
                    let last = self.rules.take().and_then(|rules| rules.decoder.last_event_id().cloned());
                    self.id = last.map(|id| id.to_compact_string());
                }
                continue;
            }
            // What is larger than the limit is for the rules to judge.
            let is_short = |rest: &[u8]| bytes.len() - rest.len() <= self.limit.get();
            let Some((block, rest)) = Usual::first(bytes).filter(|(_, rest)| is_short(rest)) else {
                self.begin_again();
                // An empty line, which says nothing: this is not where a stream begins.
                if let Some(rules) = &mut self.rules {
                    rules.apply(b"\n", &mut tell)?;
                    rules.ended_line = false;
                }
                continue;
            };
            bytes = rest;
            if let Some(id) = block.id {
                self.id = Some(CompactString::from(id));
            }
            if let Some(data) = block.data {
                let (id, kind) = (self.id.as_deref(), block.kind.unwrap_or(DEFAULT_TYPE));
                tell(Said::Event { id, kind, data })?;
            }
        }
        Ok(())
    }
}

impl Rules {
    /// Where in these bytes the block ends; `None` where it does not.
    ///
    /// Behind two line feeds the rules have nothing in mind, whatever came before: the first ends a line, and
    /// the second is a line of its own and empty.
    fn end(&self, bytes: &[u8]) -> Option<usize> {
        if self.ended_line && bytes.first() == Some(&b'\n') {
            return Some(1);
        }
        memmem::find(bytes, b"\n\n").map(|at| at + 2)
    }

    fn apply<E: From<TooLarge>>(
        &mut self,
        mut bytes: &[u8],
        tell: &mut impl FnMut(Said<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.ended_line = bytes.last() == Some(&b'\n');
        while let Some(event) = self.decoder.next(&mut bytes) {
            match event.map_err(|_| TooLarge)? {
                SseEvent::Retry(millis) => tell(Said::Retry(Duration::from_millis(millis.into())))?,
                SseEvent::Message(message) => {
                    let id = message.last_event_id.as_deref();
                    tell(Said::Event { id, kind: &message.event, data: &message.data })?;
                }
            }
        }
        Ok(())
    }
}

impl<'a> Usual<'a> {
    /// The first of these bytes' blocks and what is behind it; `None` where it is not whole or not of the usual
    /// form.
    fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (mut block, mut rest) = (Usual::default(), bytes);
        loop {
            if let Some(behind) = rest.strip_prefix(b"\n") {
                return Some((block, behind));
            }
            // A carriage return ends a line too.
            let end = memchr2(b'\n', b'\r', rest).filter(|end| rest[*end] == b'\n')?;
            let (line, behind) = (&rest[..end], &rest[end + 1..]);
            rest = behind;
            let (field, value) = match line {
                [b':', ..] => continue,
                [b'd', b'a', b't', b'a', b':', value @ ..] => (&mut block.data, value),
                [b'i', b'd', b':', value @ ..] => (&mut block.id, value),
                [b'e', b'v', b'e', b'n', b't', b':', value @ ..] => (&mut block.kind, value),
                _ => return None,
            };
            let value = value.strip_prefix(b" ").unwrap_or(value);
            let is_data = line[0] == b'd';
            // A second line of the same field, an id that is none and an empty name have rules of their own.
            if field.is_some() || !is_data && (value.is_empty() || memchr(0, value).is_some()) {
                return None;
            }
            *field = Some(str::from_utf8(value).ok()?);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Fail;

    impl From<TooLarge> for Fail {
        fn from(_: TooLarge) -> Self {
            Fail
        }
    }

    fn limit() -> NonZeroUsize {
        NonZeroUsize::new(1 << 10).expect("more than nothing")
    }

    /// What is said in pieces of these lengths, a line each, and the last event id.
    fn told(blocks: &mut Blocks, bytes: &[u8], cuts: &[usize]) -> (Vec<String>, Option<String>) {
        let (mut lines, mut rest) = (Vec::new(), bytes);
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            let (piece, left) = rest.split_at(cut.min(rest.len()));
            rest = left;
            let heard = blocks.hear(piece, |said| {
                lines.push(format!("{said:?}"));
                Ok(())
            });
            if heard == Err(Fail) {
                lines.push("too large".to_owned());
                break;
            }
        }
        (lines, blocks.id().map(str::to_owned))
    }

    /// The same as the rules tell it.
    fn by_the_rules(decoder: &mut SseDecoder, mut bytes: &[u8]) -> (Vec<String>, Option<String>) {
        let mut lines = Vec::new();
        while let Some(event) = decoder.next(&mut bytes) {
            let Ok(event) = event else {
                lines.push("too large".to_owned());
                break;
            };
            lines.push(match &event {
                SseEvent::Retry(millis) => {
                    format!("{:?}", Said::Retry(Duration::from_millis((*millis).into())))
                }
                SseEvent::Message(it) => {
                    let (id, kind, data) = (it.last_event_id.as_deref(), &*it.event, &*it.data);
                    format!("{:?}", Said::Event { id, kind, data })
                }
            });
        }
        (lines, decoder.last_event_id().map(|id| id.to_string()))
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let field = prop_oneof![
            6 => "(data|id|event): ?[a-z0-9é ]{0,9}",
            2 => "(data|id|event|retry|dat|datas|)(:|: |)[0-9a:\u{0}\u{feff}]{0,3}",
            1 => "data: [a-z]{0,1300}",
        ];
        let end = prop_oneof![8 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\r")];
        let text = (field, end).prop_map(|(field, end)| (field + end).into_bytes());
        prop_oneof![
            12 => text,
            8 => Just(b"\n".to_vec()),
            1 => Just(b"\xef\xbb\xbf".to_vec()),
            1 => Just(b"data: \xff\n".to_vec()),
            1 => Just(b"\r\n\r\n".to_vec()),
        ]
    }

    proptest! {
        #[test]
        fn any_lines_in_any_pieces_are_told_as_the_rules_tell_them(
            streams in proptest::collection::vec(proptest::collection::vec(line(), 0..16), 1..3),
            cuts in proptest::collection::vec(0_usize..40, 0..40),
        ) {
            let (mut blocks, mut decoder) = (Blocks::new(limit()), SseDecoder::with_limit(limit()));
            for lines in streams {
                let bytes = lines.concat();
                let expected = by_the_rules(&mut decoder, &bytes);
                prop_assert_eq!(told(&mut blocks, &bytes, &cuts), expected);
                blocks.begin_again();
                decoder.reconnect();
            }
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            told(&mut Blocks::new(limit()), &bytes, &[1, 1, 3, 7]);
        }
    }

    #[test]
    fn behind_the_first_block_events_are_told_where_they_lie() {
        let bytes = b"retry: 9\nid: e-1\n\nid: e-2\nevent: tick\ndata: hello\n\ndata: more\n\n";
        let mut blocks = Blocks::new(limit());
        let range = bytes.as_ptr_range();
        let mut said = Vec::new();
        let heard = blocks.hear(bytes, |it| {
            if let Said::Event { id, kind, data } = it {
                assert!(range.contains(&data.as_ptr()), "no copy");
                said.push(format!("{id:?} {kind} {data}"));
            }
            Ok::<_, Fail>(())
        });
        assert_eq!(heard, Ok(()));
        assert_eq!(said, [r#"Some("e-2") tick hello"#, r#"Some("e-2") message more"#]);
        assert!(blocks.rules.is_none(), "nothing is kept for it");
        assert_eq!(blocks.id(), Some("e-2"));
    }

    #[test]
    fn an_id_is_forgotten_when_it_is_to_be_and_with_a_block_that_was_cut() {
        let mut blocks = Blocks::new(limit());
        let id = |blocks: &mut Blocks, bytes: &[u8]| told(blocks, bytes, &[]).1;
        assert_eq!(id(&mut blocks, b"id: 1\ndata: a\n\nid: 2\nda").as_deref(), Some("1"));
        blocks.begin_again();
        assert_eq!(id(&mut blocks, b"data: b\n\n").as_deref(), Some("1"));
        blocks.forget_id();
        assert_eq!(id(&mut blocks, b"data: c\n\n"), None);
    }
}
