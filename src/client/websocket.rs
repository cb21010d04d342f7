//! WebSocket (RFC 6455).
//!
//! Bare, as the browser gives it, it ends when its connection does. The extra code that every application
//! then writes, to come back after a while and to say where it stood, is the policy.
//!
//! After the handshake a reader that only listens lets go of tungstenite's stream: what comes is read where it
//! lies (`frames`), in memory that all connections share. The plain way stays beside it
//! ([`Policy::plain`]), and is how one reads that also sends.

use std::{convert::Infallible, mem, ops::ControlFlow, sync::Arc, time::Duration};

use compact_str::CompactString;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Request, header};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tungstenite::{
    Error,
    error::ProtocolError,
    handshake::client::generate_key,
    protocol::{Message as Frame, Role, WebSocketConfig},
};

use super::{
    Cause, Observation, Policy, Subscription,
    dialect::Dialect,
    endpoint::{Endpoint, request_target},
    frames::{Frames, Said},
    lifecycle::{FAREWELL, Over, Session, Teller, until_stopped, within},
    limits,
    listening::{Watch, listen},
    message::{self, Message},
    publish::Outbox,
    quiet::unless_quiet,
    websocket_error::{describe, lost, refused},
};
use crate::{
    clock::Timestamp,
    event::DEFAULT_TYPE,
    link::{Counted, Tally},
};

pub(super) struct WebSocket {
    url: url::Url,
    policy: Policy,
    hearing: Hearing,
}

/// What messages are told with, and what they change.
///
/// It is little, so that it lies beside the rest of what a wake-up needs while a stream is read, as in `sse`.
#[derive(Default)]
struct Hearing {
    /// Where it stands; `None` until the server has said, and always with servers that never do.
    cursor: Option<CompactString>,
    /// What is to be sent on the same connection.
    outbox: Outbox,
    dialect: Option<Arc<Dialect>>,
}

/// The connection behind the handshake.
enum Shaken<'s> {
    /// It is read in the plain way, and may be written to.
    Socket(Box<WebSocketStream<&'s mut Counted>>),
    /// It is only read. Some was read ahead.
    Stream(&'s mut Counted, Vec<u8>),
}

impl WebSocket {
    pub(super) fn new(subscription: Subscription) -> Self {
        Self::sending(subscription, Outbox::default())
    }

    /// One that also sends what is put into the outbox.
    pub(super) fn sending(subscription: Subscription, outbox: Outbox) -> Self {
        let Subscription { url, after, policy, dialect } = subscription;
        let cursor = after.map(CompactString::from);
        WebSocket { url, policy, hearing: Hearing { cursor, outbox, dialect } }
    }

    /// Shakes hands, and tells that the subscription stands.
    async fn shake<'s>(
        &mut self,
        stream: &'s mut Counted,
        teller: &mut Teller<'_>,
    ) -> Result<Shaken<'s>, Over> {
        let (context, tally) = (teller.context, stream.tally());
        let request = self.request().map_err(Over::Fatal)?;
        tally.begin_request();
        let listens = !self.policy.plain && !self.hearing.outbox.may_send();
        if listens {
            // Whoever shakes hands would keep what the server says right behind its answer.
            tally.hold_behind_head();
        }
        let shaking = client_async_with_config(request, stream, Some(config()));
        let shaking = async { shaking.await.map_err(|error| refused(&error)) };
        let (socket, _) = until_stopped(&context.stop, within(self.policy.quiet_limit, shaking)).await?;
        // The server is expected to know where reading starts before it answers the handshake.
        teller.open(tally.read_at())?;
        if !listens {
            return Ok(Shaken::Socket(Box::new(socket)));
        }
        let stream = socket.into_inner();
        let ahead = stream.take_held();
        Ok(Shaken::Stream(stream, ahead))
    }

    /// Reads and sends in the plain way until the connection is over.
    async fn converse(&mut self, mut socket: WebSocketStream<&mut Counted>, teller: &mut Teller<'_>) -> Over {
        let (context, limit, tally) = (teller.context, self.policy.quiet_limit, socket.get_ref().tally());
        let following = unless_quiet(limit, context, &tally, self.follow(&mut socket, &tally, teller));
        let Err(over) = until_stopped(&context.stop, following).await;
        if matches!(over, Over::Stopped) {
            farewell(&mut socket).await;
        }
        over
    }

    /// Reads messages until the connection is over, in the plain way, and sends what is to be sent.
    async fn follow(
        &mut self,
        socket: &mut WebSocketStream<&mut Counted>,
        tally: &Tally,
        teller: &mut Teller<'_>,
    ) -> Result<Infallible, Over> {
        let mut is_first = true;
        // What was sent on an earlier connection will not be answered on this one.
        self.hearing.outbox.forget();
        loop {
            let frame = tokio::select! {
                biased;
                frame = socket.next() => frame,
                text = self.hearing.outbox.next() => {
                    socket.send(Frame::text(text)).await.map_err(|error| lost(&error))?;
                    continue;
                }
            };
            let Some(frame) = frame else { break };
            let at = tally.read_at();
            let frame = frame.map_err(|error| lost(&error))?;
            let told = self.hearing.tell(at, &frame, &mut is_first, teller);
            if frame.is_close() {
                // The answer to the close frame has still to go out. The server's end of the TCP connection,
                // which follows, is no news.
                let _ = socket.flush().await;
            }
            told?;
        }
        Err(Over::Lost(Cause::Closed(None)))
    }

    fn request(&self) -> Result<Request<()>, Cause> {
        let endpoint = Endpoint::of(&self.url)?;
        let host = endpoint.host_header();
        let name = match &self.hearing.dialect {
            None => Some("after"),
            Some(dialect) => dialect.after.as_deref(),
        };
        let after = name.zip(self.hearing.cursor.as_deref());
        // tungstenite wants an absolute URI, of which it sends the path and query.
        Request::get(format!("ws://{host}{}", request_target(&self.url, after.as_slice())))
            .header(header::HOST, host)
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, generate_key())
            .header(header::USER_AGENT, concat!("pushlab/", env!("CARGO_PKG_VERSION")))
            .body(())
            .map_err(|error| Cause::Refused(format!("{} makes no request: {error}", self.url)))
    }
}

impl Hearing {
    /// Hears messages until the connection is over. Some was read ahead.
    async fn listen(
        &mut self,
        stream: &mut Counted,
        frames: &mut Frames,
        ahead: Vec<u8>,
        watch: &mut Watch,
        teller: &mut Teller<'_>,
    ) -> Over {
        let context = teller.context;
        let (mut answers, mut is_first, read_at) = (Vec::new(), true, stream.read_at());
        let mut hear = |at, bytes: &[u8], answers: &mut Vec<u8>| {
            frames.hear(bytes, answers, lost, |said| match said {
                Said::Text(text) => self.tell_text(at, text, mem::take(&mut is_first), teller),
                Said::Other(frame) => self.tell(at, &frame, &mut is_first, teller),
            })
        };
        let mut heard = hear(read_at, &ahead, &mut answers);
        drop(ahead);
        loop {
            if !answers.is_empty() {
                let writing =
                    async { stream.write_all(&answers).await.map_err(|error| lost(&Error::Io(error))) };
                let written = Box::pin(until_stopped(&context.stop, writing)).await;
                answers.clear();
                // An end that was heard is the reason for this one.
                heard = heard.and(written);
            }
            if let Err(over) = heard {
                return over;
            }
            let listening = listen(stream, watch, |at, bytes| {
                if bytes.is_empty() {
                    return ControlFlow::Break(Err(lost(&Error::Protocol(
                        ProtocolError::ResetWithoutClosingHandshake,
                    ))));
                }
                match hear(at, bytes, &mut answers) {
                    // These are to be written before more is read.
                    Ok(()) if answers.is_empty() => ControlFlow::Continue(()),
                    heard => ControlFlow::Break(heard),
                }
            });
            heard = match listening.await {
                Ok(heard) => heard,
                Err(over) => return over,
            };
        }
    }

    /// Tells what a message says.
    fn tell(
        &mut self,
        at: Timestamp,
        frame: &Frame,
        is_first: &mut bool,
        teller: &mut Teller<'_>,
    ) -> Result<(), Over> {
        match frame {
            Frame::Text(text) => self.tell_text(at, text, mem::take(is_first), teller),
            Frame::Binary(bytes) => {
                *is_first = false;
                let data = String::from_utf8_lossy(bytes);
                teller.tell(at, &Observation::Event { id: None, kind: DEFAULT_TYPE, data: &data })
            }
            // Pings are answered by tungstenite, at the next call to read.
            Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => Ok(()),
            Frame::Close(frame) => Err(Over::Lost(Cause::Closed(frame.as_ref().map(describe)))),
        }
    }

    fn tell_text(
        &mut self,
        at: Timestamp,
        text: &str,
        is_first: bool,
        teller: &mut Teller<'_>,
    ) -> Result<(), Over> {
        if let Some(dialect) = &self.dialect {
            return tell_foreign(at, text, dialect, &mut self.cursor, teller);
        }
        let other = |kind, data| Observation::Event { id: None, kind, data };
        match message::parse(text) {
            Message::Event { id, kind, data } => {
                self.cursor = Some(CompactString::from(&*id));
                teller.tell(at, &Observation::Event { id: Some(&id), kind: &kind, data: &data })
            }
            Message::Gap(gap) => teller.tell(at, &Observation::Gap(gap)),
            Message::Cursor(cursor) if is_first => {
                self.cursor = Some(CompactString::from(cursor));
                Ok(())
            }
            Message::Published => {
                self.outbox.answered(Ok(at), text.len());
                Ok(())
            }
            Message::Error(error) if self.outbox.awaits_answer() => {
                self.outbox.answered(Err(Cause::Refused(error.into_owned())), text.len());
                Ok(())
            }
            Message::Error(error) => teller.tell(at, &other("error", &error)),
            // A later `{"cursor"}` is none of our server's.
            Message::Cursor(_) | Message::Other => teller.tell(at, &other(DEFAULT_TYPE, text)),
        }
    }
}

impl Session for WebSocket {
    fn standard_wait(&self) -> Option<Duration> {
        None
    }

    async fn run(&mut self, teller: &mut Teller<'_>) -> Over {
        let context = teller.context;
        let endpoint = match Endpoint::of(&self.url) {
            Ok(endpoint) => endpoint,
            Err(cause) => return Over::Fatal(cause),
        };
        let connecting = async { endpoint.connect(context).await.map_err(Over::Lost) };
        let connecting = until_stopped(&context.stop, within(self.policy.quiet_limit, connecting));
        let mut stream = match Box::pin(connecting).await {
            Ok(stream) => stream,
            Err(over) => return over,
        };
        // What shaking hands takes is much, and needed no longer when the stream is read.
        let over = match Box::pin(self.shake(&mut stream, teller)).await {
            Err(over) => over,
            Ok(Shaken::Socket(socket)) => Box::pin(self.converse(*socket, teller)).await,
            Ok(Shaken::Stream(stream, ahead)) => {
                let mut frames = Frames::new(config);
                // Out of the session, whose memory is elsewhere, for as long as the stream lasts.
                let mut hearing = mem::take(&mut self.hearing);
                let mut watch = Watch::new(context, self.policy.quiet_limit);
                let over = hearing.listen(stream, &mut frames, ahead, &mut watch, teller).await;
                self.hearing = hearing;
                if matches!(over, Over::Stopped) {
                    Box::pin(async {
                        let (begun, config) = (frames.into_begun(), Some(config()));
                        let socket =
                            WebSocketStream::from_partially_read(stream, begun, Role::Client, config);
                        farewell(&mut socket.await).await;
                    })
                    .await;
                }
                over
            }
        };
        Box::pin(over.part_with(stream)).await;
        if !self.policy.resume {
            self.hearing.cursor = None;
        }
        over
    }
}

/// What is no event, such as a greeting, is passed over.
fn tell_foreign(
    at: Timestamp,
    text: &str,
    dialect: &Dialect,
    cursor: &mut Option<CompactString>,
    teller: &mut Teller<'_>,
) -> Result<(), Over> {
    if dialect.data.is_none() {
        return teller.tell(at, &Observation::Event { id: None, kind: DEFAULT_TYPE, data: text });
    }
    let Some(told) = dialect.event(text) else { return Ok(()) };
    let event = Observation::Event { id: told.id.as_deref(), kind: &told.kind, data: &told.data };
    teller.tell(at, &event)?;
    if told.id.is_some() {
        *cursor = told.id.map(CompactString::from);
    }
    Ok(())
}

fn config() -> WebSocketConfig {
    // The default read buffer of 128 KiB is allocated at once, and zero-filled at each attempt to read.
    WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(64 << 10)
        .max_message_size(Some(limits::MESSAGE_BYTES))
        .max_frame_size(Some(limits::MESSAGE_BYTES))
}

/// Sends a close frame and waits, within bounds, for the server's.
async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) {
    let exchange = async {
        socket.close(None).await?;
        while let Some(frame) = socket.next().await {
            frame?;
        }
        Ok::<_, Error>(())
    };
    // Whether it worked makes no difference: the connection is over either way.
    let _ = tokio::time::timeout(FAREWELL, exchange).await;
}
