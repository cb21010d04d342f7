//! WebSocket, echo and broadcast: frames of all sizes and sorts, and everybody hears everything once.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use tungstenite::{
    Message,
    protocol::frame::{
        CloseFrame, Frame,
        coding::{CloseCode, Data, OpCode},
    },
};

use crate::workshop::{
    excerpt::one_line,
    finding::{Expectation, Saw},
    http::{Place, Trouble},
    judge::{Judge, Stop},
    socket::{Heard, Socket},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "opens",
        expects: "GET /ws is answered with 101 and the right Sec-WebSocket-Accept",
        next: "Let the package do the handshake at the path /ws. By hand: SHA-1 of the key and the constant, \
               as bytes, in Base64.",
    },
    Expectation {
        name: "echo",
        expects: "a text comes back to the one who sent it, as a text",
        next: "Send each message to every open socket, that of the sender too.",
    },
    Expectation {
        name: "all-get",
        expects: "four readers send 25 texts each, at once: all four get all 100, in each sender's order, 0 \
                  lost, 0 twice",
        next: "Keep a list of all open sockets, and send each message to all in it.",
    },
    Expectation {
        name: "binary",
        expects: "bytes come as bytes, in a binary message",
        next: "Look at what sort of message came, and send the same sort.",
    },
    Expectation {
        name: "lengths",
        expects: "texts of 125, 126, 65535, 65536 and 200000 bytes come whole",
        next: "A length of 126 means that the next two bytes say it, 127 that the next eight do: read it so, \
               and write it so.",
    },
    Expectation {
        name: "fragments",
        expects: "a message in three frames, with a ping between them, comes as one message",
        next: "Gather the payloads until a frame has the FIN bit, and only then make a text of them.",
    },
    Expectation {
        name: "ping",
        expects: "a ping is answered with a pong that has the same payload",
        next: "On a frame with opcode 9, send its payload back in one with opcode 10.",
    },
    Expectation {
        name: "close",
        expects: "a close frame is answered with one of the same code, and then the connection ends",
        next: "On a frame with opcode 8, send its payload back with the same opcode, and end the connection.",
    },
    Expectation {
        name: "gone",
        expects: "after two have left, one of them without a goodbye, the others still hear everything",
        next: "Take a socket out of the list when it closes, and let an error of sending to one of them stop \
               nothing for the others.",
    },
];

const READERS: usize = 4;
const EACH: usize = 25;
const LENGTHS: [usize; 5] = [125, 126, 65535, 65536, 200_000];
/// How long what must come may take, however loaded the machine is.
const WITHIN: Duration = Duration::from_secs(3);

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let server = judge.server()?;
    let mut sockets = Vec::new();
    for _ in 0..READERS {
        sockets.push(judge.need("opens", Socket::open(&server, "/ws").await)?);
    }
    judge.expect("opens", true, format!("{READERS} open sockets"));
    echo(judge, &mut sockets[0]).await?;
    for (reader, socket) in sockets.iter_mut().enumerate().skip(1) {
        let heard = judge.need("all-get", socket.message(WITHIN).await)?;
        let saw = format!("reader 0 said \"hello\", and reader {reader} heard {}", shown(&heard));
        judge.require("all-get", heard == Heard::Text("hello".into()), saw)?;
    }
    all_get(judge, &mut sockets).await?;
    binary(judge, &mut sockets).await?;
    lengths(judge, &mut sockets).await?;
    fragments(judge, &mut sockets).await?;
    ping(judge, &mut sockets[0]).await?;
    close(judge, &mut sockets).await?;
    gone(judge, &server, sockets).await
}

async fn echo(judge: &mut Judge, socket: &mut Socket) -> Result<(), Stop> {
    let sent = socket.send(Message::text("hello")).await;
    judge.need("echo", sent)?;
    let heard = match socket.message(WITHIN).await {
        Ok(heard) => heard,
        // Whoever leaves the masks on sends back what is no text any more.
        Err(trouble) => {
            let saw = Saw::from(trouble)
                .next("By hand: undo the mask, each byte of the payload XOR the mask's four in turn.");
            return judge.require("echo", false, saw);
        }
    };
    let saw = Saw::new(format!("after \"hello\" came {}", shown(&heard)));
    let saw = match &heard {
        Heard::Binary(_) => saw.next(
            "Send it as a text: `ws` hands every message over as a Buffer, and sends a Buffer as binary \
             unless told { binary: isBinary }.",
        ),
        _ => saw,
    };
    judge.require("echo", heard == Heard::Text("hello".into()), saw)
}

/// All send at once, and all listen to all.
async fn all_get(judge: &mut Judge, sockets: &mut [Socket]) -> Result<(), Stop> {
    for (sender, socket) in sockets.iter_mut().enumerate() {
        let texts = (0..EACH).map(|number| Message::text(format!("{sender}/{number}"))).collect();
        let sent = socket.send_at_once(texts).await;
        judge.need("all-get", sent)?;
    }
    let heard = join_all(sockets.iter_mut().map(|socket| texts(socket, READERS * EACH))).await;
    // What comes twice comes before this, or beside it.
    let sent = sockets[0].send(Message::text("the end")).await;
    judge.need("all-get", sent)?;
    let after = join_all(sockets.iter_mut().map(|socket| until(socket, "the end"))).await;
    let (mut worst, mut all_heard) = ((0, String::new()), true);
    for (reader, (heard, after)) in heard.into_iter().zip(after).enumerate() {
        let mut heard = judge.need("all-get", heard)?;
        heard.extend(judge.need("all-get", after)?);
        all_heard &=
            (0..READERS).all(|sender| heard.iter().any(|text| text.starts_with(&format!("{sender}/"))));
        let (lost, twice, disordered) = account(&heard);
        let wrong = lost + twice + disordered;
        let text = format!("reader {reader}: {lost} lost, {twice} twice, {disordered} out of order");
        if wrong > worst.0 {
            worst = (wrong, text);
        }
    }
    let (wrong, text) = worst;
    if wrong == 0 {
        let saw = format!("all {READERS} heard all {}, each once", READERS * EACH);
        return judge.require("all-get", true, saw);
    }
    let saw = Saw::new(text).figure(wrong as f64, "messages", "0 lost, 0 twice, 0 out of order");
    // Whoever was heard at all has its place in the list.
    let saw = if all_heard {
        saw.next(
            "Every sender is heard, and not to the end. By hand: a chunk that you read may hold several frames \
             or half of one. Keep what is left over, and take frame after frame from it.",
        )
    } else {
        saw
    };
    judge.require("all-get", false, saw)
}

async fn binary(judge: &mut Judge, sockets: &mut [Socket]) -> Result<(), Stop> {
    let bytes = vec![0, 1, 2, 255, 128, 10, 13, 0];
    let sent = sockets[0].send(Message::binary(bytes.clone())).await;
    judge.need("binary", sent)?;
    for socket in sockets {
        let heard = judge.need("binary", socket.message(WITHIN).await)?;
        let saw = format!("8 bytes, and what came was {}", shown(&heard));
        judge.require("binary", heard == Heard::Binary(bytes.clone()), saw)?;
    }
    judge.expect("binary", true, "all heard the same 8 bytes");
    Ok(())
}

async fn lengths(judge: &mut Judge, sockets: &mut [Socket]) -> Result<(), Stop> {
    for length in LENGTHS {
        let text = "0123456789".chars().cycle().take(length).collect::<String>();
        let sent = sockets[0].send(Message::text(text.clone())).await;
        judge.need("lengths", sent)?;
        for socket in &mut *sockets {
            let heard = match socket.message(WITHIN).await {
                Ok(heard) => heard,
                Err(trouble) => {
                    let what = format!("of {length} bytes: {}", trouble.what);
                    return judge.require("lengths", false, Saw::new(what));
                }
            };
            let is_whole = heard == Heard::Text(text.clone());
            let saw = format!("of {length} bytes came {}", shown(&heard));
            judge.require("lengths", is_whole, saw)?;
        }
    }
    judge.expect("lengths", true, format!("all {} came whole", LENGTHS.len()));
    Ok(())
}

async fn fragments(judge: &mut Judge, sockets: &mut [Socket]) -> Result<(), Stop> {
    let whole = "one message in three pièces";
    // The second cut is within a character.
    let (first, rest) = whole.as_bytes().split_at(15);
    let (second, third) = rest.split_at(8);
    let frame = |part: &[u8], kind, is_last| {
        Message::Frame(Frame::message(part.to_vec(), OpCode::Data(kind), is_last))
    };
    let frames = vec![
        frame(first, Data::Text, false),
        Message::Ping(b"between".as_slice().into()),
        frame(second, Data::Continue, false),
        frame(third, Data::Continue, true),
    ];
    let sent = sockets[0].send_at_once(frames).await;
    judge.need("fragments", sent)?;
    for socket in sockets {
        let heard = judge.need("fragments", socket.message(WITHIN).await)?;
        let saw = format!("{whole:?} in three frames came as {}", shown(&heard));
        judge.require("fragments", heard == Heard::Text(whole.into()), saw)?;
    }
    judge.expect("fragments", true, "three frames came as one message");
    Ok(())
}

async fn ping(judge: &mut Judge, socket: &mut Socket) -> Result<(), Stop> {
    let payload = b"are you there?";
    let sent = socket.send(Message::Ping(payload.as_slice().into())).await;
    judge.need("ping", sent)?;
    let asked = Instant::now();
    loop {
        match judge.need("ping", socket.hear(WITHIN.saturating_sub(asked.elapsed())).await)? {
            // The ping between the fragments may have its answer still on the way.
            Heard::Pong(other) if other != payload && asked.elapsed() < WITHIN => {}
            Heard::Ping(_) if asked.elapsed() < WITHIN => {}
            heard => {
                let millis = asked.elapsed().as_millis() as f64;
                let saw = Saw::new(format!("after a ping came {}", shown(&heard)));
                let met = heard == Heard::Pong(payload.to_vec());
                let saw = if met { saw.figure(millis, "ms", "at most 3000 ms") } else { saw };
                return judge.require("ping", met, saw);
            }
        }
    }
}

/// One says goodbye, and is taken out of the list here.
async fn close(judge: &mut Judge, sockets: &mut Vec<Socket>) -> Result<(), Stop> {
    let Some(mut leaves) = sockets.pop() else { return Ok(()) };
    let goodbye = CloseFrame { code: CloseCode::Normal, reason: "enough".into() };
    let sent = leaves.send(Message::Close(Some(goodbye))).await;
    judge.need("close", sent)?;
    let heard = judge.need("close", leaves.message(WITHIN).await)?;
    let saw = format!("after a close frame with code 1000 came {}", shown(&heard));
    judge.require("close", heard == Heard::Close(Some(1000)), saw)?;
    let asked = Instant::now();
    let heard = judge.need("close", leaves.hear(WITHIN).await)?;
    let saw = match heard {
        Heard::End => Saw::new("a close frame with code 1000, then the connection's end"),
        _ => Saw::new(format!("a close frame with code 1000, then {}", shown(&heard)))
            .next("End the TCP connection after the answer: the server is the one that does it."),
    };
    let figure = saw.figure(asked.elapsed().as_millis() as f64, "ms", "at most 3000 ms");
    judge.require("close", heard == Heard::End, figure)
}

async fn gone(judge: &mut Judge, server: &Place, mut sockets: Vec<Socket>) -> Result<(), Stop> {
    if let Some(leaves) = sockets.pop() {
        leaves.reset();
    }
    // Several, since the first write to a connection that is gone often seems to succeed.
    let texts: Vec<_> = (0..5).map(|number| format!("still here {number}")).collect();
    for text in &texts {
        let sent = sockets[0].send(Message::text(text.clone())).await;
        judge.need("gone", sent)?;
        for (reader, socket) in sockets.iter_mut().enumerate() {
            let heard = judge.need("gone", socket.message(WITHIN).await)?;
            let saw = format!("reader {reader} waited for {text:?}, and there came {}", shown(&heard));
            judge.require("gone", heard == Heard::Text(text.clone()), saw)?;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut late = judge.need("gone", Socket::open(server, "/ws").await)?;
    let sent = sockets[0].send(Message::text("welcome")).await;
    judge.need("gone", sent)?;
    let heard = judge.need("gone", late.message(WITHIN).await)?;
    let met = heard == Heard::Text("welcome".into());
    let saw = if met {
        "the others heard all 5, and so did one who came later".to_owned()
    } else {
        format!("one who came later waited for \"welcome\", and there came {}", shown(&heard))
    };
    judge.require("gone", met, saw)
}

/// Texts until one is this, which is among them, or nothing more comes.
async fn until(socket: &mut Socket, last: &str) -> Result<Vec<String>, Trouble> {
    let mut heard = Vec::new();
    while heard.last().is_none_or(|text| text != last) && heard.len() < 10 * READERS * EACH {
        match socket.message(WITHIN).await? {
            Heard::Text(text) => heard.push(text),
            _ => break,
        }
    }
    Ok(heard)
}

/// So many texts, or as many as come.
async fn texts(socket: &mut Socket, count: usize) -> Result<Vec<String>, Trouble> {
    let mut heard = Vec::new();
    while heard.len() < count {
        match socket.message(WITHIN).await? {
            Heard::Text(text) => heard.push(text),
            _ => break,
        }
    }
    Ok(heard)
}

/// How many of all that was sent are missing, came again, and came before an earlier one of the same sender.
fn account(heard: &[String]) -> (usize, usize, usize) {
    let (mut lost, mut twice, mut disordered) = (0, 0, 0);
    for sender in 0..READERS {
        let mut latest = 0;
        for number in 0..EACH {
            let text = format!("{sender}/{number}");
            let times = heard.iter().filter(|&it| *it == text).count();
            twice += times.saturating_sub(1);
            match heard.iter().position(|it| *it == text) {
                None => lost += 1,
                Some(place) if place < latest => disordered += 1,
                Some(place) => latest = place,
            }
        }
    }
    (lost, twice, disordered)
}

fn shown(heard: &Heard) -> String {
    match heard {
        Heard::Text(text) if text.len() > 100 => format!("a text of {} bytes", text.len()),
        Heard::Text(text) => format!("the text \"{}\"", one_line(text)),
        Heard::Binary(bytes) => format!("a binary message of {} bytes", bytes.len()),
        Heard::Ping(_) => "a ping".to_owned(),
        Heard::Pong(payload) => format!("a pong with {} bytes", payload.len()),
        Heard::Close(Some(code)) => format!("a close frame with code {code}"),
        Heard::Close(None) => "a close frame without a code".to_owned(),
        Heard::End => "the connection's end without a close frame".to_owned(),
        Heard::Quiet => format!("nothing within {} s", WITHIN.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_doubled_or_out_of_order_is_counted() {
        let all: Vec<_> =
            (0..READERS).flat_map(|sender| (0..EACH).map(move |it| format!("{sender}/{it}"))).collect();
        assert_eq!(account(&all), (0, 0, 0));
        assert_eq!(account(&all[1..]), (1, 0, 0));
        assert_eq!(account(&[all.clone(), all[..2].to_vec()].concat()), (0, 2, 0));
        let mut swapped = all;
        swapped.swap(3, 4);
        assert_eq!(account(&swapped), (0, 0, 1));
    }
}
