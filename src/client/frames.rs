//! What a WebSocket's server says, read where it lies.
//!
//! Nearly all of it is whole text messages of one frame each, whose text can be told from the memory into which
//! it was read. The machine that knows all the rules (fragments, control frames, closing, limits;
//! tungstenite's) is made when anything else comes, is given these frames and no others, and is dropped when it
//! has nothing more to wait for: it has buffers of its own, and fills them with zeros before each attempt to
//! read.

use std::{
    io::{self, Read, Write},
    mem, str,
};

use tungstenite::{
    Error,
    protocol::{Message, Role, WebSocketConfig, WebSocketContext},
};

/// What was said.
#[derive(Debug)]
pub(super) enum Said<'a> {
    /// A text message of one frame.
    Text(&'a str),
    /// Anything else.
    Other(Message),
}

/// Reads frames from bytes, whatever the pieces in which these come.
#[derive(Debug)]
pub(super) struct Frames {
    /// Has the rules made; a value of it would be most of what is touched at each frame.
    config: fn() -> WebSocketConfig,
    /// The longest message, in bytes.
    most: u64,
    /// The beginning of a frame that has not come whole.
    begun: Vec<u8>,
    /// What knows the rules, while it is needed.
    rules: Option<Box<WebSocketContext>>,
    /// Bytes still to come of the frame that is for the rules.
    for_rules: u64,
    /// That frame's first byte.
    first: u8,
    /// A message has begun and not ended.
    is_fragmented: bool,
}

/// Room that is kept for the beginnings of frames.
const KEPT_BYTES: usize = 4 << 10;

/// A whole text message, unmasked as a server's are.
const TEXT: u8 = 0x81;

/// What bytes at a frame's beginning are.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// Too few: at least so many are needed to go on.
    Needs(usize),
    /// A whole text message, with its text there.
    Text { start: usize, end: usize },
    /// Something for the rules, of so many bytes.
    Other(u64),
}

impl Frames {
    pub(super) fn new(config: fn() -> WebSocketConfig) -> Self {
        let most = config().max_message_size.map_or(u64::MAX, |most| most as u64);
        Frames { config, most, begun: Vec::new(), rules: None, for_rules: 0, first: 0, is_fragmented: false }
    }

    /// Hears bytes and tells what they complete. What is to be answered is added to `answers`, whatever comes of
    /// it otherwise. `lost` makes what is returned of a break with the rules.
    pub(super) fn hear<E>(
        &mut self,
        mut bytes: &[u8],
        answers: &mut Vec<u8>,
        lost: impl Fn(&Error) -> E,
        mut tell: impl FnMut(Said<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            if self.for_rules > 0 {
                let here = usize::try_from(self.for_rules).unwrap_or(usize::MAX).min(bytes.len());
                let (frame, rest) = bytes.split_at(here);
                bytes = rest;
                self.apply_rules(frame, answers, &lost, &mut tell)?;
                continue;
            }
            if self.begun.is_empty() {
                match self.look(bytes) {
                    Look::Text { start, end } => {
                        let (frame, rest) = bytes.split_at(end);
                        bytes = rest;
                        self.tell_text(frame, start, answers, &lost, &mut tell)?;
                    }
                    Look::Other(length) => (self.for_rules, self.first) = (length, bytes[0]),
                    Look::Needs(_) => {
                        self.begun.extend_from_slice(bytes);
                        return Ok(());
                    }
                }
                continue;
            }
            let needed = match self.look(&self.begun) {
                Look::Needs(needed) => needed,
                _ => self.begun.len(),
            };
            let missing = needed - self.begun.len();
            let (more, rest) = bytes.split_at(missing.min(bytes.len()));
            bytes = rest;
            self.begun.extend_from_slice(more);
            match self.look(&self.begun) {
                Look::Needs(_) => {}
                Look::Text { start, .. } => {
                    let mut frame = mem::take(&mut self.begun);
                    self.tell_text(&frame, start, answers, &lost, &mut tell)?;
                    if frame.capacity() <= KEPT_BYTES {
                        frame.clear();
                        self.begun = frame;
                    }
                }
                Look::Other(length) => {
                    let head = mem::take(&mut self.begun);
                    (self.for_rules, self.first) = (length, head[0]);
                    self.apply_rules(&head, answers, &lost, &mut tell)?;
                }
            }
        }
        Ok(())
    }

    /// What was heard of a frame that has not come whole.
    pub(super) fn into_begun(self) -> Vec<u8> {
        self.begun
    }

    fn look(&self, bytes: &[u8]) -> Look {
        let &[first, second, ref rest @ ..] = bytes else { return Look::Needs(2) };
        let (head, payload) = match (second & 0x7f, rest) {
            (126, &[a, b, ..]) => (4, u64::from(u16::from_be_bytes([a, b]))),
            (126, _) => return Look::Needs(4),
            (127, rest) => match rest.first_chunk() {
                Some(length) => (10, u64::from_be_bytes(*length)),
                None => return Look::Needs(10),
            },
            (length, _) => (2, u64::from(length)),
        };
        let is_masked = second & 0x80 != 0;
        let length = payload.saturating_add(head as u64 + if is_masked { 4 } else { 0 });
        if first != TEXT || is_masked || self.is_fragmented || payload > self.most {
            return Look::Other(length);
        }
        let end = usize::try_from(length).unwrap_or(usize::MAX);
        if bytes.len() < end { Look::Needs(end) } else { Look::Text { start: head, end } }
    }

    fn tell_text<E>(
        &mut self,
        frame: &[u8],
        start: usize,
        answers: &mut Vec<u8>,
        lost: &impl Fn(&Error) -> E,
        tell: &mut impl FnMut(Said<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        match str::from_utf8(&frame[start..]) {
            Ok(text) => tell(Said::Text(text)),
            // The rules have a word for it.
            Err(_) => {
                (self.for_rules, self.first) = (frame.len() as u64, frame[0]);
                self.apply_rules(frame, answers, lost, tell)
            }
        }
    }

    /// Gives the rules more of their frame, and tells what they make of it.
    fn apply_rules<E>(
        &mut self,
        bytes: &[u8],
        answers: &mut Vec<u8>,
        lost: &impl Fn(&Error) -> E,
        tell: &mut impl FnMut(Said<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_rules -= bytes.len() as u64;
        let new = || Box::new(WebSocketContext::new(Role::Client, Some((self.config)())));
        let rules = self.rules.get_or_insert_with(new);
        let mut ends = Ends { incoming: bytes, answers };
        loop {
            match rules.read(&mut ends) {
                Ok(message) => {
                    if message.is_close() {
                        // Its answer would go out at the next read, and there is none. Memory takes whatever is
                        // written.
                        let _ = rules.flush(&mut ends);
                    }
                    tell(Said::Other(message))?;
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(lost(&error)),
            }
        }
        if self.for_rules == 0 {
            let (is_last, is_control) = (self.first & 0x80 != 0, self.first & 0x08 != 0);
            if !is_control {
                self.is_fragmented = !is_last;
            }
            if !self.is_fragmented {
                self.rules = None;
            }
        }
        Ok(())
    }
}

/// The rules' two ends: what has come, and what is to be written.
struct Ends<'a> {
    incoming: &'a [u8],
    answers: &'a mut Vec<u8>,
}

impl Read for Ends<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.incoming.read(buffer)
    }
}

impl Write for Ends<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.answers.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tungstenite::protocol::frame::{Frame, coding::Data, coding::OpCode};

    use super::*;

    fn config() -> WebSocketConfig {
        WebSocketConfig::default().max_message_size(Some(1 << 20)).max_frame_size(Some(1 << 20))
    }

    /// What is said in pieces of these lengths, a line each, and what is answered.
    fn told(bytes: &[u8], cuts: &[usize]) -> (Vec<String>, Vec<u8>) {
        let (mut frames, mut lines, mut answers) = (Frames::new(config), Vec::new(), Vec::new());
        let mut rest = bytes;
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            let (piece, left) = rest.split_at(cut.min(rest.len()));
            rest = left;
            let heard = frames.hear(piece, &mut answers, ToString::to_string, |said| {
                lines.push(match said {
                    Said::Text(text) => format!("text {text}"),
                    Said::Other(Message::Text(text)) => format!("text {text}"),
                    Said::Other(other) => format!("{other:?}"),
                });
                Ok(())
            });
            if let Err(error) = heard {
                lines.push(error);
                break;
            }
        }
        (lines, answers)
    }

    /// The same as tungstenite tells it.
    fn by_the_rules(bytes: &[u8]) -> Vec<String> {
        let (mut rules, mut answers) = (WebSocketContext::new(Role::Client, Some(config())), Vec::new());
        let mut ends = Ends { incoming: bytes, answers: &mut answers };
        let mut lines = Vec::new();
        loop {
            match rules.read(&mut ends) {
                Ok(Message::Text(text)) => lines.push(format!("text {text}")),
                Ok(other) => lines.push(format!("{other:?}")),
                Err(Error::Io(_)) => return lines,
                Err(error) => {
                    lines.push(error.to_string());
                    return lines;
                }
            }
        }
    }

    fn frame() -> impl Strategy<Value = Vec<Frame>> {
        let data = |fin, opcode| move |text: String| Frame::message(text, OpCode::Data(opcode), fin);
        prop_oneof![
            4 => "[a-zé]{0,9}".prop_map(move |text| vec![data(true, Data::Text)(text)]),
            1 => "[a-z]{120,140}".prop_map(move |text| vec![data(true, Data::Text)(text)]),
            1 => "[a-z]{0,9}".prop_map(move |text| vec![data(true, Data::Binary)(text)]),
            1 => "[a-z]{0,9}".prop_map(|text| vec![Frame::ping(text)]),
            1 => ("[a-zé]{0,9}", "[a-zé]{0,9}").prop_map(move |(a, b)| vec![
                data(false, Data::Text)(a),
                Frame::ping("within"),
                data(true, Data::Continue)(b),
            ]),
        ]
    }

    proptest! {
        #[test]
        fn any_frames_in_any_pieces_are_told_as_the_rules_tell_them(
            messages in proptest::collection::vec(frame(), 0..8),
            cuts in proptest::collection::vec(0_usize..40, 0..40),
        ) {
            let mut bytes = Vec::new();
            for frame in messages.concat() {
                frame.format(&mut bytes).expect("memory takes it");
            }
            let (lines, answers) = told(&bytes, &cuts);
            prop_assert_eq!(lines, by_the_rules(&bytes));
            let pings = messages.concat().iter().filter(|it| it.header().opcode.to_string() == "PING").count();
            prop_assert_eq!(answers.is_empty(), pings == 0, "each ping is answered");
        }

        #[test]
        fn no_bytes_break_it_and_all_are_judged_alike(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let (lines, _) = told(&bytes, &[1, 1, 3, 7]);
            let rules = by_the_rules(&bytes);
            // A frame that is not whole yet is judged when it is.
            prop_assert_eq!(&lines[..], &rules[..lines.len()]);
        }
    }

    #[test]
    fn after_a_ping_texts_are_told_where_they_lie_again() {
        let mut bytes = Vec::new();
        Frame::ping("x").format(&mut bytes).expect("memory takes it");
        let mut frames = Frames::new(config);
        let mut answers = Vec::new();
        let mut places = Vec::new();
        bytes.extend(b"\x81\x02hi");
        let heard = frames.hear(&bytes, &mut answers, ToString::to_string, |said| {
            places.push(matches!(said, Said::Text("hi")));
            Ok(())
        });
        assert_eq!((heard, places), (Ok(()), vec![false, true]));
        assert!(frames.rules.is_none(), "nothing is kept for it");
        assert_eq!(answers.len(), 2 + 4 + 1, "a masked pong");
    }

    #[test]
    fn a_close_is_answered_and_told() {
        let (lines, answers) = told(b"\x88\x02\x03\xe8", &[]);
        assert!(
            matches!(lines.as_slice(), [one] if one.starts_with("Close")) || lines.len() == 2,
            "{lines:?}"
        );
        assert_eq!(answers[0], 0x88);
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_has_come() {
        let (lines, _) = told(b"\x81\x7f\x00\x00\x00\x00\x00\x20\x00\x00", &[]);
        assert_eq!(lines, by_the_rules(b"\x81\x7f\x00\x00\x00\x00\x00\x20\x00\x00"));
        assert_eq!(lines.len(), 1);
    }
}
