//! The floor under all transports: the same payload over a bare TCP stream.
//!
//! The client sends one line, `<channel>` or `<channel> <after>`. The server answers four bytes of ones
//! once the subscription stands, and then frames: the length of the data as four bytes, the highest
//! first, and the data. Nothing else is on the stream, so this is what TCP itself costs.

use std::{mem, net::SocketAddr, ops::ControlFlow, time::Duration};

use tokio::io::AsyncWriteExt as _;

use super::{
    Cause, Client, Observation, Reconnect, Subscriber,
    lifecycle::{FAREWELL, Over, Session, Teller},
    limits,
    listening::{Watch, go_on, listen},
};
use crate::{clock::Timestamp, event::DEFAULT_TYPE, link::Counted};

/// A reader of the floor. It never connects again.
pub fn subscriber(addr: SocketAddr, channel: &str, after: Option<String>) -> Box<dyn Subscriber> {
    let after = after.map(|after| format!(" {after}")).unwrap_or_default();
    Client::boxed(Floor { addr, greeting: format!("{channel}{after}\n") }, Reconnect::Never)
}

/// What stands in the place of a length once the subscription stands.
const SUBSCRIBED: u32 = u32::MAX;

struct Floor {
    addr: SocketAddr,
    greeting: String,
}

impl Session for Floor {
    fn standard_wait(&self) -> Option<Duration> {
        None
    }

    async fn run(&mut self, teller: &mut Teller<'_>) -> Over {
        let context = teller.context;
        let connecting = Counted::connect(self.addr, context.clock, &context.meter);
        let mut stream = tokio::select! {
            connected = connecting => match connected {
                Ok(stream) => stream,
                Err(error) => return Over::Lost(Cause::Connect(format!("{}: {error}", self.addr))),
            },
            () = context.stop.cancelled() => return Over::Stopped,
        };
        let over = read(&mut stream, &self.greeting, teller).await;
        if matches!(over, Over::Stopped) {
            stream.close(FAREWELL).await;
        }
        over
    }
}

async fn read(stream: &mut Counted, greeting: &str, teller: &mut Teller<'_>) -> Over {
    // It is too short for any socket to be too full for it.
    if let Err(error) = stream.write_all(greeting.as_bytes()).await {
        return Over::Lost(Cause::Broken(error.to_string()));
    }
    let (mut watch, mut begun) = (Watch::new(teller.context, None), Vec::new());
    let heard = listen(stream, &mut watch, |at, bytes| {
        if !bytes.is_empty() {
            return go_on(hear(&mut begun, bytes, at, teller));
        }
        ControlFlow::Break(Over::Lost(if begun.is_empty() {
            Cause::Closed(None)
        } else {
            Cause::Broken("the stream ended in the middle of a frame".to_owned())
        }))
    });
    heard.await.unwrap_or_else(|over| over)
}

/// Tells what bytes complete; what has `begun` of a frame is kept for the next ones.
fn hear(begun: &mut Vec<u8>, bytes: &[u8], at: Timestamp, teller: &mut Teller<'_>) -> Result<(), Over> {
    let mut joined = mem::take(begun);
    if !joined.is_empty() {
        joined.extend_from_slice(bytes);
    }
    let all = if joined.is_empty() { bytes } else { &joined[..] };
    let mut rest = all;
    while let Some((head, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*head);
        if length == SUBSCRIBED {
            rest = behind;
            teller.open(at)?;
            continue;
        }
        let length = length as usize;
        if length > limits::EVENT_BYTES {
            return Err(Over::Fatal(limits::too_large("a frame", limits::EVENT_BYTES)));
        }
        let Some((data, behind)) = behind.split_at_checked(length) else { break };
        rest = behind;
        let data = String::from_utf8_lossy(data);
        teller.tell(at, &Observation::Event { id: None, kind: DEFAULT_TYPE, data: &data })?;
    }
    // A large frame comes in many pieces, and is not copied with each.
    *begun = if rest.len() == joined.len() { joined } else { rest.to_vec() };
    Ok(())
}
