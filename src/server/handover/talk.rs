//! What a WebSocket's client says: the other direction, which few use and the standard has many rules for.
//!
//! Most readers only listen, and answer a ping now and then. So the machine that knows the rules (masks,
//! fragments, control frames, UTF-8, limits; tungstenite's) is made when bytes come in, and dropped when
//! they are used up between two messages: a silent reader pays for no read buffer.

use std::{
    fmt,
    future::Future,
    io::{self, Read, Write},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tungstenite::{
    Error, Message,
    protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext, frame::coding::CloseCode},
};

use super::format::text_frame;
use crate::{
    feed::Channel,
    server::{upgrade, websocket, wire::Boundary},
};

/// Once so much is to be answered, nothing further is heard until it has been written: a client that sends
/// and never reads can not make answers pile up.
const ANSWER_BYTES: usize = 4 << 10;

/// A conversation in the middle of something.
pub(super) struct Talk {
    rules: WebSocketContext,
    boundary: Boundary,
    /// An event that the client published and that is being stored.
    publishing: Option<Pin<Box<dyn Future<Output = String> + Send>>>,
    /// What came after a message that has to be answered first.
    unheard: Vec<u8>,
    /// The rules have nothing further to tell before more bytes come.
    is_used_up: bool,
}

impl fmt::Debug for Talk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Talk").field("rules", &self.rules).finish_non_exhaustive()
    }
}

/// How a conversation came to its end. What is to be written last is among the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// We said goodbye, and the client is to answer.
    Ours,
    /// Nothing more is to be said.
    Both,
    /// Nobody is there.
    Dead,
}

impl Talk {
    pub(super) fn new(protocol: WebSocketConfig) -> Self {
        Talk {
            rules: WebSocketContext::new(Role::Server, Some(protocol)),
            boundary: Boundary::default(),
            publishing: None,
            unheard: Vec::new(),
            is_used_up: true,
        }
    }

    /// Whether it can be dropped: the next byte begins a new message.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_publishing() && !self.has_unheard() && self.boundary.is_between_messages()
    }

    /// Whether an event is being stored. Nothing further is heard meanwhile, so that answers come in the
    /// order of the questions.
    pub(super) fn is_publishing(&self) -> bool {
        self.publishing.is_some()
    }

    /// Whether there is more to hear than has been answered. More bytes are not to be brought then.
    pub(super) fn has_unheard(&self) -> bool {
        !self.unheard.is_empty() || !self.is_used_up
    }

    /// Says goodbye first.
    pub(super) fn leave(&mut self, code: CloseCode, reason: &str, answers: &mut Vec<u8>) {
        let mut ears = Ears { incoming: &[], boundary: &mut self.boundary, answers };
        // Memory takes whatever is written.
        let _ = self.rules.close(&mut ears, Some(upgrade::frame(code, reason)));
    }

    /// Hears bytes, and what was left of those before; adds what is to be written. Without a channel the
    /// stream is leaving: what else comes is heard out and not obeyed.
    pub(super) fn hear(
        &mut self,
        bytes: &[u8],
        channel: Option<&Arc<Channel>>,
        may_publish: bool,
        context: &mut Context<'_>,
        answers: &mut Vec<u8>,
    ) -> Result<(), Over> {
        self.unheard.extend_from_slice(bytes);
        if !self.has_stored(context, answers) {
            return Ok(());
        }
        let unheard = mem::take(&mut self.unheard);
        let mut incoming = unheard.as_slice();
        self.is_used_up = false;
        let heard = loop {
            if answers.len() > ANSWER_BYTES || self.is_publishing() {
                break Ok(());
            }
            let mut ears = Ears { incoming, boundary: &mut self.boundary, answers };
            let read = self.rules.read(&mut ears);
            incoming = ears.incoming;
            match (read, channel) {
                (Ok(Message::Text(text)), Some(channel)) => {
                    let answer = websocket::answer(Arc::clone(channel), may_publish, text);
                    self.publishing = Some(Box::pin(answer));
                    // Without a disk it is stored at once.
                    self.has_stored(context, answers);
                }
                (Ok(Message::Binary(_)), Some(_)) => {
                    self.leave(CloseCode::Unsupported, websocket::TEXT_ONLY, answers);
                    break Err(Over::Ours);
                }
                // A ping's answer, or a close frame's, is written by the next read.
                (Ok(_), _) => {}
                (Err(Error::Io(error)), _) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.is_used_up = true;
                    break Ok(());
                }
                (Err(Error::ConnectionClosed), _) => break Err(Over::Both),
                (Err(error), _) => break Err(self.judge(&error, answers)),
            }
        };
        self.unheard = incoming.to_vec();
        heard
    }

    /// Whether no event is being stored, or it is by now, and has been answered.
    fn has_stored(&mut self, context: &mut Context<'_>, answers: &mut Vec<u8>) -> bool {
        let Some(publishing) = &mut self.publishing else { return true };
        let Poll::Ready(answer) = publishing.as_mut().poll(context) else { return false };
        text_frame(answers, answer.as_bytes());
        self.publishing = None;
        true
    }

    fn judge(&mut self, error: &Error, answers: &mut Vec<u8>) -> Over {
        let Some(CloseFrame { code, reason }) = upgrade::verdict(error) else { return Over::Dead };
        self.leave(code, &reason, answers);
        Over::Both
    }
}

/// The stream that the rules read from and write to: bytes that are there already, and memory.
struct Ears<'i, 'a> {
    incoming: &'i [u8],
    boundary: &'a mut Boundary,
    answers: &'a mut Vec<u8>,
}

impl Read for Ears<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let before = self.incoming;
        let read = self.incoming.read(buffer)?;
        self.boundary.pass(&before[..read]);
        Ok(read)
    }
}

impl Write for Ears<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.answers.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tungstenite::protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    };

    use super::*;
    use crate::feed::Limits;

    const PUBLISH: &str = r#"{"publish":{"data":"x"}}"#;

    fn masked(mut frame: Frame) -> Vec<u8> {
        frame.header_mut().mask = Some([1, 2, 3, 4]);
        let mut bytes = Vec::new();
        frame.format(&mut bytes).expect("memory");
        bytes
    }

    fn text(text: &str, opcode: Data, is_final: bool) -> Vec<u8> {
        masked(Frame::message(text.to_owned(), OpCode::Data(opcode), is_final))
    }

    fn hear(talk: &mut Talk, bytes: &[u8], channel: &Arc<Channel>) -> (Vec<u8>, Result<(), Over>) {
        let mut answers = Vec::new();
        let context = &mut Context::from_waker(Waker::noop());
        let heard = talk.hear(bytes, Some(channel), true, context, &mut answers);
        (answers, heard)
    }

    #[test]
    fn a_talk_is_idle_only_between_messages() {
        let channel = Arc::new(Channel::new(Limits::default()));
        let mut talk = Talk::new(WebSocketConfig::default());
        let (first, second) = PUBLISH.split_at(9);
        let mut bytes = text(first, Data::Text, false);
        // A control frame may come between fragments.
        bytes.extend(masked(Frame::ping(&b"hi"[..])));
        bytes.extend(text(second, Data::Continue, true));
        let last = bytes.len() - 1;
        let mut answers = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            let (answer, heard) = hear(&mut talk, &[*byte], &channel);
            heard.expect("a good message");
            assert_eq!(talk.is_idle(), at == last, "byte {at}");
            answers.extend(answer);
        }
        assert_eq!(answers[..4], [0x8a, 2, b'h', b'i'], "a pong at once");
        assert_eq!(channel.holdings().events, 1);
        assert!(String::from_utf8_lossy(&answers).contains("published"));
    }

    #[test]
    fn a_client_that_breaks_the_rules_is_told_which() {
        let channel = Arc::new(Channel::new(Limits::default()));
        let close = |code: u16| code.to_be_bytes();
        let cases: [(Vec<u8>, u16, Over); 5] = [
            (vec![0x81, 1, b'x'], 1002, Over::Both),
            (text("x", Data::Continue, true), 1002, Over::Both),
            (masked(Frame::message(&b"\xff"[..], OpCode::Data(Data::Text), true)), 1007, Over::Both),
            (text(&"x".repeat(200), Data::Text, true), 1009, Over::Both),
            (text("x", Data::Binary, true), 1003, Over::Ours),
        ];
        for (bytes, code, over) in cases {
            let protocol = WebSocketConfig::default().max_message_size(Some(100)).max_frame_size(Some(100));
            let (answers, heard) = hear(&mut Talk::new(protocol), &bytes, &channel);
            assert_eq!(heard, Err(over), "{code}");
            assert_eq!((answers[0], &answers[2..4]), (0x88, &close(code)[..]));
        }
        let goodbye = masked(Frame::close(Some(upgrade::frame(CloseCode::Normal, "bye"))));
        let (answers, heard) = hear(&mut Talk::new(WebSocketConfig::default()), &goodbye, &channel);
        assert_eq!((heard, &answers[2..4]), (Err(Over::Both), &close(1000)[..]));
    }

    #[test]
    fn a_client_that_does_not_read_is_heard_no_further_than_its_answers_fit() {
        let channel = Arc::new(Channel::new(Limits::default()));
        let mut talk = Talk::new(WebSocketConfig::default());
        let messages = text(PUBLISH, Data::Text, true).repeat(1_000);
        let (mut answers, heard) = hear(&mut talk, &messages, &channel);
        heard.expect("good messages");
        assert!(answers.len() < 2 * ANSWER_BYTES && !talk.is_idle());
        for _ in 0..1_000 {
            answers.extend(hear(&mut talk, &[], &channel).0);
        }
        assert!(talk.is_idle());
        assert_eq!(channel.holdings().events, 1_000, "none is lost");
    }
}
