//! WebSocket (RFC 6455).
//!
//! Bare, as the browser gives it, it ends when its connection does. The extra code that every application
//! then writes, to come back after a while and to say where it stood, is the policy.
//!
//! After the handshake a reader that only listens lets go of tungstenite's stream: what comes is read where it
//! lies (`frames`), in memory that all connections share. The plain way stays beside it
//! ([`Policy::plain`]), and is how one reads that also sends.

use std::{convert::Infallible, future::poll_fn, sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use http::{Request, header};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tungstenite::{
    Error,
    error::ProtocolError,
    handshake::client::generate_key,
    protocol::{CloseFrame, Message as Frame, Role, WebSocketConfig},
};

use super::{
    Cause, Observation, Policy, Subscription,
    dialect::Dialect,
    endpoint::{Endpoint, request_target},
    frames::{Frames, Said},
    lifecycle::{FAREWELL, Over, Session, Teller, unless_quiet, until_stopped, within},
    limits,
    message::{self, Message},
    publish::Outbox,
    refusal::refusal,
};
use crate::{
    clock::Timestamp,
    event::DEFAULT_TYPE,
    link::{Counted, Tally},
};

pub(super) struct WebSocket {
    url: url::Url,
    policy: Policy,
    /// Where it stands; `None` until the server has said, and always with servers that never do.
    cursor: Option<String>,
    /// What is to be sent on the same connection.
    outbox: Outbox,
    dialect: Option<Arc<Dialect>>,
}

impl WebSocket {
    pub(super) fn new(subscription: Subscription) -> Self {
        Self::sending(subscription, Outbox::default())
    }

    /// One that also sends what is put into the outbox.
    pub(super) fn sending(subscription: Subscription, outbox: Outbox) -> Self {
        let Subscription { url, after, policy, dialect } = subscription;
        WebSocket { url, policy, cursor: after, outbox, dialect }
    }

    async fn read(&mut self, stream: &mut Counted, teller: &mut Teller<'_>) -> Over {
        let (context, limit) = (teller.context, self.policy.quiet_limit);
        let tally = stream.tally();
        let request = match self.request() {
            Ok(request) => request,
            Err(cause) => return Over::Fatal(cause),
        };
        tally.begin_request();
        let listens = !self.policy.plain && !self.outbox.may_send();
        if listens {
            // Whoever shakes hands would keep what the server says right behind its answer.
            tally.hold_behind_head();
        }
        let shaking = client_async_with_config(request, stream, Some(config()));
        let shaking = within(limit, async { shaking.await.map_err(|error| refused(&error)) });
        let (mut socket, _) = tokio::select! {
            shaken = shaking => match shaken {
                Ok(shaken) => shaken,
                Err(over) => return over,
            },
            () = context.stop.cancelled() => return Over::Stopped,
        };
        // The server is expected to know where reading starts before it answers the handshake.
        if let Err(over) = teller.open(tally.read_at()) {
            return over;
        }
        if !listens {
            let following = self.follow(&mut socket, &tally, teller);
            let following = unless_quiet(limit, context, &tally, following);
            let over = until_stopped(&context.stop, following).await;
            if matches!(over, Over::Stopped) {
                farewell(&mut socket).await;
            }
            return over;
        }
        let stream = socket.into_inner();
        let ahead = stream.take_held();
        let mut frames = Frames::new(config());
        let listening = self.listen(stream, &mut frames, &ahead, teller);
        let listening = unless_quiet(limit, context, &tally, listening);
        let over = until_stopped(&context.stop, listening).await;
        if matches!(over, Over::Stopped) {
            let (begun, config) = (frames.into_begun(), Some(config()));
            farewell(&mut WebSocketStream::from_partially_read(stream, begun, Role::Client, config).await)
                .await;
        }
        over
    }

    /// Hears messages until the connection is over. Some was read ahead.
    async fn listen(
        &mut self,
        stream: &mut Counted,
        frames: &mut Frames,
        ahead: &[u8],
        teller: &mut Teller<'_>,
    ) -> Result<Infallible, Over> {
        let (tally, mut answers, mut is_first) = (stream.tally(), Vec::new(), true);
        let mut hear = |bytes: &[u8], answers: &mut Vec<u8>| {
            let at = tally.read_at();
            frames.hear(bytes, answers, lost, |said| match said {
                Said::Text(text) => self.tell_text(at, text, std::mem::take(&mut is_first), teller),
                Said::Other(frame) => self.tell(at, &frame, &mut is_first, teller),
            })
        };
        let mut heard = hear(ahead, &mut answers);
        loop {
            if !answers.is_empty() {
                let written = stream.write_all(&answers).await;
                answers.clear();
                // An end that was heard is the reason for this one.
                heard = heard.and(written.map_err(|error| lost(&Error::Io(error))));
            }
            heard?;
            let read = poll_fn(|cx| {
                stream.poll_read_shared(cx, |bytes| {
                    if bytes.is_empty() {
                        return Err(lost(&Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)));
                    }
                    hear(bytes, &mut answers)
                })
            });
            heard = read.await.map_err(|error| lost(&Error::Io(error)))?;
        }
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
        self.outbox.forget();
        loop {
            let frame = tokio::select! {
                biased;
                frame = socket.next() => frame,
                text = self.outbox.next() => {
                    socket.send(Frame::text(text)).await.map_err(|error| lost(&error))?;
                    continue;
                }
            };
            let Some(frame) = frame else { break };
            let at = tally.read_at();
            let frame = frame.map_err(|error| lost(&error))?;
            let told = self.tell(at, &frame, &mut is_first, teller);
            if frame.is_close() {
                // The answer to the close frame has still to go out. The server's end of the TCP connection,
                // which follows, is no news.
                let _ = socket.flush().await;
            }
            told?;
        }
        Err(Over::Lost(Cause::Closed(None)))
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
            Frame::Text(text) => self.tell_text(at, text, std::mem::take(is_first), teller),
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
                // One buffer for the whole connection.
                let cursor = self.cursor.get_or_insert_default();
                cursor.clear();
                cursor.push_str(&id);
                teller.tell(at, &Observation::Event { id: Some(&id), kind: &kind, data: &data })
            }
            Message::Gap(gap) => teller.tell(at, &Observation::Gap(gap)),
            Message::Cursor(cursor) if is_first => {
                self.cursor = Some(cursor.into_owned());
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

    fn request(&self) -> Result<Request<()>, Cause> {
        let endpoint = Endpoint::of(&self.url)?;
        let host = endpoint.host_header();
        let name = match &self.dialect {
            None => Some("after"),
            Some(dialect) => dialect.after.as_deref(),
        };
        let after = name.zip(self.cursor.as_deref());
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
        let limit = self.policy.quiet_limit;
        let connecting = within(limit, async { endpoint.connect(context).await.map_err(Over::Lost) });
        let mut stream = tokio::select! {
            connected = connecting => match connected {
                Ok(stream) => stream,
                Err(over) => return over,
            },
            () = context.stop.cancelled() => return Over::Stopped,
        };
        let over = self.read(&mut stream, teller).await;
        if matches!(over, Over::Stopped | Over::Fatal(_)) {
            stream.close(FAREWELL).await;
        }
        if !self.policy.resume {
            self.cursor = None;
        }
        over
    }
}

/// What is no event, such as a greeting, is passed over.
fn tell_foreign(
    at: Timestamp,
    text: &str,
    dialect: &Dialect,
    cursor: &mut Option<String>,
    teller: &mut Teller<'_>,
) -> Result<(), Over> {
    if dialect.data.is_none() {
        return teller.tell(at, &Observation::Event { id: None, kind: DEFAULT_TYPE, data: text });
    }
    let Some(told) = dialect.event(text) else { return Ok(()) };
    let event = Observation::Event { id: told.id.as_deref(), kind: &told.kind, data: &told.data };
    teller.tell(at, &event)?;
    if told.id.is_some() {
        *cursor = told.id;
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

fn describe(frame: &CloseFrame) -> String {
    let code = u16::from(frame.code);
    if frame.reason.is_empty() { code.to_string() } else { format!("{code} {}", frame.reason) }
}

/// Why a handshake failed. Any answer but 101 fails it, a redirect too; a page is told nothing of the answer
/// but that (close code 1006), and so comes back or not whatever it was.
fn refused(error: &Error) -> Over {
    let refused = |cause| Over::Refused { cause, retry_after: None };
    match error {
        Error::Http(response) => {
            refused(refusal(response.status(), response.body().as_deref().unwrap_or_default()))
        }
        Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            Over::Lost(Cause::Broken("the connection ended before the handshake was answered".to_owned()))
        }
        Error::Io(error) => Over::Lost(Cause::Broken(error.to_string())),
        other => refused(Cause::Refused(format!("the handshake's answer is not a WebSocket's: {other}"))),
    }
}

/// Why reading failed.
fn lost(error: &Error) -> Over {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            Over::Lost(Cause::Broken("the connection ended without a close frame".to_owned()))
        }
        Error::Capacity(_) => Over::Fatal(limits::too_large("a message", limits::MESSAGE_BYTES)),
        Error::Io(error) => Over::Lost(Cause::Broken(error.to_string())),
        other => Over::Lost(Cause::Broken(other.to_string())),
    }
}
