//! Where bytes went, by the records, against what a listener on the way has written down.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

mod session;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use pushlab::{
    clock::Clock,
    harness::{
        catalogue::Sourced,
        definition::Definition,
        record::{Bytes, Record},
        target::Target,
    },
    report::figure::{Parts, application, wire},
    server::{self, Config, State},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::CancellationToken;

const PAYLOAD: usize = 300;

const DEFINITION: &str = r#"
question = "Where do the bytes go?"
why = "A split that does not add up hides something."
publisher = "post"
[[client]]
name = "short-poll"
transport = "short-poll"
interval_ms = 60
[[client]]
name = "long-poll"
transport = "long-poll"
[[client]]
name = "sse"
transport = "sse"
[[client]]
name = "websocket"
transport = "websocket"
[[conditions]]
rate = [40.0]
payload_bytes = [300]
[quick]
repetitions = 1
warm_up_s = 0.1
measure_s = 0.5
[full]
repetitions = 1
warm_up_s = 0.1
measure_s = 0.5
"#;

/// What one connection carried, each way.
#[derive(Default)]
struct Conversation {
    to_server: Mutex<Vec<u8>>,
    from_server: Mutex<Vec<u8>>,
}

type Conversations = Arc<Mutex<Vec<Arc<Conversation>>>>;

/// Passes everything on to a server, and writes it down.
async fn listener_on_the_way(server: SocketAddr) -> (SocketAddr, Conversations) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let conversations = Conversations::default();
    let all = Arc::clone(&conversations);
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let one = Arc::new(Conversation::default());
            all.lock().unwrap().push(Arc::clone(&one));
            tokio::spawn(async move {
                let server = TcpStream::connect(server).await.unwrap();
                let ((mut client_in, mut client_out), (mut server_in, mut server_out)) =
                    (client.into_split(), server.into_split());
                tokio::join!(
                    pass(&mut client_in, &mut server_out, &one.to_server),
                    pass(&mut server_in, &mut client_out, &one.from_server),
                );
            });
        }
    });
    (address, conversations)
}

async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    written: &Mutex<Vec<u8>>,
) {
    let mut piece = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        written.lock().unwrap().extend_from_slice(&piece[..read]);
        if to.write_all(&piece[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// Runs the definition through the listener; the records, and what was written down.
async fn run() -> (Vec<Record>, Conversations) {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = tcp.local_addr().unwrap();
    // Clients ask for the listener's address.
    let config = Config { hosts: vec!["127.0.0.1".to_owned()], ..Config::default() };
    tokio::spawn(server::run(tcp, State::new(config, Clock::start()), CancellationToken::new()));
    let (address, conversations) = listener_on_the_way(server).await;

    let clock = Clock::start();
    let target = Target::Url(format!("http://{address}/").parse().unwrap());
    let definition = Definition::parse("split", "split.toml", DEFINITION).unwrap();
    let experiment = Sourced { definition, text: DEFINITION.to_owned() };
    let ran = session::run_against(vec![target], experiment, 1, &session::environment(clock, clock)).await;
    (ran.records, conversations)
}

/// What the listener says of the readers of one transport.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    application_in: u64,
    application_out: u64,
    heads_in: u64,
    heads_out: u64,
    events: u64,
    connections: u64,
    requests: u64,
}

fn heard(conversations: &Conversations, transport: &str) -> Heard {
    let mut heard = Heard::default();
    for conversation in conversations.lock().unwrap().iter() {
        let (to, from) = (conversation.to_server.lock().unwrap(), conversation.from_server.lock().unwrap());
        let line = to.split(|byte| *byte == b'\r').next().unwrap();
        let path = String::from_utf8_lossy(line).into_owned();
        let path = path.split(' ').nth(1).unwrap_or_default().to_owned();
        let read = path.split('?').next().unwrap();
        if !(read.starts_with("/channels/experiment-") && read.ends_with(&format!("/{transport}"))) {
            continue;
        }
        let (requests, heads_out) = heads(&to, transport);
        let (_, heads_in) = heads(&from, transport);
        heard.connections += 1;
        heard.requests += requests;
        heard.heads_out += heads_out;
        heard.heads_in += heads_in;
        heard.application_out += to.len() as u64;
        heard.application_in += from.len() as u64;
        heard.events += numbers(&from);
    }
    heard
}

/// How many HTTP heads there are, and their bytes. A stream has one; polls have one after the other, each
/// with the body that its length says.
fn heads(mut bytes: &[u8], transport: &str) -> (u64, u64) {
    let (mut count, mut sum) = (0, 0);
    while let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
        let (head, rest) = bytes.split_at(end + 4);
        (count, sum) = (count + 1, sum + head.len() as u64);
        if !transport.ends_with("poll") {
            break;
        }
        let text = String::from_utf8_lossy(head).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        bytes = &rest[length.unwrap_or(0)..];
    }
    (count, sum)
}

/// Events of ours: numbers filled with zeros to the size that was asked for. Whatever stands between them
/// is shorter.
fn numbers(bytes: &[u8]) -> u64 {
    let runs = bytes.split(|byte| !byte.is_ascii_digit()).map(<[u8]>::len);
    runs.filter(|run| *run == PAYLOAD).count() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_split_is_what_was_sent_and_adds_up() {
    let (records, conversations) = run().await;
    assert_eq!(records.len(), 4);
    for record in &records {
        assert_eq!(record.err, None, "{}", record.run);
        assert!(record.delivered >= 10, "{record:?}");
        let bytes = &record.bytes;
        let counted = Heard {
            application_in: bytes.application_in,
            application_out: bytes.application_out,
            heads_in: bytes.heads_in,
            heads_out: bytes.heads_out,
            events: bytes.payload / PAYLOAD as u64,
            connections: bytes.connections,
            requests: bytes.requests,
        };
        // The last bytes may still be on their way through the listener.
        for _ in 0..3_000 {
            if counted == heard(&conversations, &record.transport) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(counted, heard(&conversations, &record.transport), "{}", record.run);
        assert_eq!(bytes.payload, record.delivered * PAYLOAD as u64);
        for (part, of) in [(&record.bytes, "bytes"), (&record.opening, "opening"), (&record.steady, "steady")]
        {
            assert_adds_up(part, &format!("{}: {of}", record.run));
        }
        if let Some(wire) = wire(bytes) {
            let segments = bytes.segments_in.unwrap() + bytes.segments_out.unwrap();
            // With timestamps, as is usual, or without them; and what the two SYNs have more.
            let headers = [(52, 16), (40, 24)].map(|(each, syns)| segments * each + bytes.connections * syns);
            assert!(headers.contains(&(wire - application(bytes))), "{}: {bytes:?}", record.run);
        }
    }
}

fn assert_adds_up(bytes: &Bytes, what: &str) {
    let parts = Parts::of(bytes);
    let whole = application(bytes);
    assert_eq!(parts.payload, bytes.payload as f64, "{what}: nothing had to give way");
    assert_eq!(parts.heads, (bytes.heads_in + bytes.heads_out) as f64, "{what}: nor here");
    assert_eq!(parts.payload + parts.heads + parts.framing, whole as f64, "{what}");
    if let Some(wire) = wire(bytes) {
        assert!(wire >= whole, "{what}");
        assert_eq!(parts.total(), wire as f64, "{what}");
    }
}
