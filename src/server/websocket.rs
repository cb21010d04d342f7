//! `GET /channels/{channel}/websocket`: JSON messages, in both directions.
//!
//! The first message tells the reader's cursor, then each event is one message; the client may publish on
//! the same connection. A WebSocket has no reconnect and no `Last-Event-ID` of its own, so what a browser
//! does by itself for SSE is the page's task here: open again with `?after=` the last id.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State as FromState},
    response::Response,
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tungstenite::{Error, Message, Utf8Bytes, protocol::frame::coding::CloseCode};

use super::{
    State,
    connection::{Cut, OnConnection},
    handover::{Format, Handed, text_frame},
    publish::{Publication, Published, publish},
    readers::Reader,
    refusal::Refusal,
    request::{Query, Used},
    token,
    upgrade::{self, Socket, farewell, frame, verdict},
};
use crate::{
    encoding,
    event::{Cursor, Gap},
    feed::{Batch, Channel, Follower},
    transport::Transport,
};

/// A peer that leaves so many pings without any sign of life is given up at the next.
const MAX_UNANSWERED: u32 = 2;

/// Why a binary message ends the session.
pub(crate) const TEXT_ONLY: &str = "send JSON as a text message";

/// Upgrades and streams the events after the reader's cursor.
pub(crate) async fn get(
    FromState(state): FromState<State>,
    connection: OnConnection,
    used: Used,
    query: Query,
    request: Request,
) -> Result<Response, Refusal> {
    let follower = used.channel.follow(query.after, state.config().write_batch)?;
    let cut = Arc::clone(&connection.0.cut);
    let reader = state
        .readers()
        .join(&used.name, Transport::WebSocket, Arc::clone(&cut))
        .map_err(|full| Refusal::busy(full.to_string()))?;
    let may_publish = token::may_change(&state, &connection, request.uri(), request.headers());
    if !state.config().plain {
        let cursor = follower.cursor();
        let mut opening = Vec::new();
        text_frame(&mut opening, encoding::json(&Notice::Cursor(cursor)).as_bytes());
        let handed = Handed {
            reader: Some(reader),
            opening: opening.into(),
            may_publish,
            ..Handed::new(used.channel, Format::WebSocket, cursor)
        };
        return upgrade::hand_over(&connection, &request, handed);
    }
    let session = Session {
        channel: used.channel,
        may_publish,
        follower,
        cut,
        heartbeat: state.config().heartbeat,
        dead_after: state.config().dead_after(),
        _reader: reader,
    };
    upgrade::accept(&state, &connection, &request, |socket| session.run(socket))
}

/// What a client may send.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Command {
    publish: Publication,
}

/// What it is sent besides events.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Notice<'a> {
    Cursor(Cursor),
    Gap(Gap),
    Published(&'a Published),
    Error(&'a str),
}

struct Session {
    channel: Arc<Channel>,
    /// Whether the handshake showed the token, where there is one.
    may_publish: bool,
    follower: Follower,
    cut: Arc<Cut>,
    heartbeat: Duration,
    dead_after: Duration,
    _reader: Reader,
}

/// How a session came to its end.
enum End {
    /// The server ends it.
    Ours(CloseCode, &'static str),
    /// The client said goodbye, or broke the rules.
    Theirs(Option<tungstenite::protocol::CloseFrame>),
    /// Nobody is there.
    Dead,
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        verdict(&error).map_or(End::Dead, |frame| End::Theirs(Some(frame)))
    }
}

impl Session {
    async fn run(mut self, mut socket: Socket) {
        let frame = match self.converse(&mut socket).await {
            Ok(never) => match never {},
            Err(End::Ours(code, reason)) => Some(frame(code, reason)),
            Err(End::Theirs(frame)) => frame,
            Err(End::Dead) => return,
        };
        farewell(socket, frame).await;
    }

    async fn converse(&mut self, socket: &mut Socket) -> Result<std::convert::Infallible, End> {
        // The reader's own position, as in SSE's opening block.
        self.write(socket, [notice(&Notice::Cursor(self.follower.cursor()))]).await?;
        let mut ticks = interval_at(Instant::now() + self.heartbeat, self.heartbeat);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut unanswered = 0;
        loop {
            tokio::select! {
                // What was heard comes before the clock: after a stall of our own, answers are waiting.
                biased;
                () = self.cut.closed() => return Err(End::Ours(CloseCode::Away, "the server ends the stream")),
                message = socket.next() => {
                    unanswered = 0;
                    if let Some(answer) = self.hear(message).await? {
                        self.write(socket, [answer]).await?;
                    }
                }
                batch = self.follower.next() => self.write(socket, messages(&batch)).await?,
                _ = ticks.tick() => {
                    // Anything heard is a sign of life; a peer that only listens answers our pings. They
                    // are counted, not timed, so that a stall of our own is not held against it.
                    if unanswered == MAX_UNANSWERED {
                        return Err(End::Dead);
                    }
                    unanswered += 1;
                    self.write(socket, [Message::Ping(bytes::Bytes::new())]).await?;
                }
            }
        }
    }

    /// Takes a message from the client; what is returned is the answer.
    async fn hear(&self, message: Option<Result<Message, Error>>) -> Result<Option<Message>, End> {
        match message {
            None => Err(End::Dead),
            Some(Err(error)) => Err(error.into()),
            // tungstenite has queued the answering close frame; the farewell flushes it.
            Some(Ok(Message::Close(_))) => Err(End::Theirs(None)),
            Some(Ok(Message::Text(text))) => {
                Ok(Some(Message::text(answer(Arc::clone(&self.channel), self.may_publish, text).await)))
            }
            Some(Ok(Message::Binary(_))) => Err(End::Ours(CloseCode::Unsupported, TEXT_ONLY)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        }
    }

    /// Writes messages with one flush, so that a wake-up is one write to the socket. A peer that takes
    /// nothing for as long as one may be silent is given up; one that is slow but reads is not.
    async fn write(
        &self,
        socket: &mut Socket,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<(), End> {
        let write = async {
            for message in messages {
                socket.feed(message).await?;
            }
            socket.flush().await
        };
        tokio::select! {
            biased;
            written = tokio::time::timeout(self.dead_after, write) => match written {
                Ok(written) => written.map_err(End::from),
                Err(_) => Err(End::Dead),
            },
            // The socket is full, so there is no room for a close frame either.
            () = self.cut.closed() => Err(End::Dead),
        }
    }
}

/// Does what a client's message asks for, and gives the JSON to answer with.
pub(crate) async fn answer(channel: Arc<Channel>, may_publish: bool, text: Utf8Bytes) -> String {
    let published = match serde_json::from_str::<Command>(&text) {
        Ok(_) if !may_publish => Err(token::refusal().message().to_owned()),
        Ok(command) => {
            publish(&channel, command.publish).await.map_err(|refusal| refusal.message().to_owned())
        }
        Err(error) => Err(format!(
            "bad message: {error}: send {{\"publish\": {{\"data\": \"text\"}}}}, with \"type\" if it has one"
        )),
    };
    encoding::json(&match &published {
        Ok(published) => Notice::Published(published),
        Err(error) => Notice::Error(error),
    })
}

fn notice(notice: &Notice<'_>) -> Message {
    Message::text(encoding::json(notice))
}

fn messages(batch: &Batch) -> impl Iterator<Item = Message> {
    let gap = batch.gap.map(|gap| notice(&Notice::Gap(gap)));
    gap.into_iter().chain(batch.entries.iter().map(|entry| {
        // The bytes are shared with all other readers; looking whether they are UTF-8, which they are, is
        // what it costs to say so without unsafe code.
        Utf8Bytes::try_from(entry.json().clone())
            .map_or_else(|_| Message::text(encoding::event_json(entry)), Message::Text)
    }))
}
