//! The traces of the exercise "The mystery server": that they are what its text says, and how they were made.
//!
//! `cargo test --test workshop_traces -- --ignored` records them anew, from our own server, clients and
//! relay. The times that `src/workshop/checks/mystery_server/traces.rs` speaks of, and its text, are then to
//! be read off the new traces.

mod readers;

use std::{
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use pushlab::{
    client::{Policy, Reconnect},
    event::Draft,
    link::{
        Relay, conditions,
        relay::{Direction, Fault},
    },
    server::Config,
    transport::Transport,
};
use readers::Server;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep_until},
};

const HEADING: &str = "\
# What passed between one reader and one server, seen beside the reader. The words can't be read, as under TLS.
# ms since the beginning · number of the connection · open, end or reset, or bytes: -> to the server, <- from it
";

/// When events were published, and how long their data was.
const EVENTS: [(u64, usize); 7] =
    [(1_230, 60), (2_940, 180), (3_020, 45), (7_710, 90), (13_130, 60), (13_420, 150), (16_850, 75)];
const RECORDED: Duration = Duration::from_secs(20);
/// Pieces that pass closer together than this are one.
const APART: Duration = Duration::from_millis(3);

/// How a trace was made.
struct Mystery {
    name: char,
    transport: Transport,
    interval: Duration,
    trouble: Trouble,
}

/// What was wrong on the way.
#[derive(Clone, Copy)]
enum Trouble {
    Nothing,
    /// Each byte takes so much longer, either way.
    Delay(u64),
    /// The connection is reset at this time.
    Reset(u64),
    /// From this time on, nothing passes on the connection that stands.
    Silence(u64),
    /// Nothing passes between these times, and then everything does.
    Stall(u64, u64),
}

fn mysteries() -> [Mystery; 6] {
    let mystery = |name, transport, interval, trouble| Mystery {
        name,
        transport,
        interval: Duration::from_millis(interval),
        trouble,
    };
    [
        mystery('a', Transport::ShortPoll, 1000, Trouble::Nothing),
        mystery('b', Transport::Sse, 2000, Trouble::Reset(9_200)),
        mystery('c', Transport::LongPoll, 4000, Trouble::Delay(150)),
        mystery('d', Transport::WebSocket, 1500, Trouble::Silence(14_300)),
        mystery('e', Transport::Sse, 1000, Trouble::Stall(5_400, 11_300)),
        mystery('f', Transport::LongPoll, 2500, Trouble::Silence(8_100)),
    ]
}

fn file(name: char) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("workshop/16-mystery-server/trace-{name}.txt"))
}

#[test]
fn each_trace_is_of_the_form_that_its_heading_says() {
    for Mystery { name, .. } in mysteries() {
        let text = fs::read_to_string(file(name)).expect("a trace");
        let rest = text.strip_prefix(HEADING).unwrap_or_else(|| panic!("trace {name} has another heading"));
        let (mut last, mut count) = (0, 0);
        for line in rest.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let [at, connection, what, ..] = &words[..] else { panic!("trace {name}: {line}") };
            let at: u64 = at.parse().unwrap_or_else(|_| panic!("trace {name}: {line}"));
            assert!(at >= last, "trace {name} goes back in time: {line}");
            assert!(*connection == "-" || connection.parse::<u32>().is_ok(), "trace {name}: {line}");
            let bytes = words.get(3).is_some_and(|bytes| bytes.parse::<u32>().is_ok());
            let known = ["open", "end", "reset", "recording"].contains(what) || bytes;
            assert!(known, "trace {name}: {line}");
            (last, count) = (at, count + 1);
        }
        assert!((10..120).contains(&count), "trace {name} has {count} lines");
        assert!(rest.ends_with("-  recording ends\n"), "trace {name} does not say how long it is");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes the traces anew"]
async fn record() {
    let recordings: Vec<_> = mysteries().into_iter().map(|mystery| tokio::spawn(recorded(mystery))).collect();
    for recording in recordings {
        let (name, text) = recording.await.expect("no panic");
        fs::write(file(name), text).expect("a folder");
    }
}

async fn recorded(mystery: Mystery) -> (char, String) {
    let Mystery { name, transport, interval, trouble } = mystery;
    // The reader names the recorder's port.
    let hosts = vec!["127.0.0.1".to_owned()];
    let server = Server::start(Config { heartbeat: interval, hosts, ..Config::default() }).await;
    let delay = Duration::from_millis(if let Trouble::Delay(ms) = trouble { ms } else { 0 });
    let path = conditions::Path { delay, ..conditions::Path::default() };
    let paths = Direction { to_client: path, to_server: path };
    let relay = Relay::under(paths, 1, server.address).await.expect("a port");
    let recorder = Recorder::start(relay.addr()).await;
    let policy = Policy {
        interval,
        wait: interval,
        answer_within: Duration::from_secs(2),
        // A WebSocket stays closed by itself.
        reconnect: Reconnect::Standard,
        ..Policy::default()
    };
    let channel = server.channel("mystery");
    let _reader = readers::read_with(transport, recorder.address, "mystery", None, policy, None);
    let at = |ms: u64| recorder.begun + Duration::from_millis(ms);
    let publishing = async {
        for (ms, bytes) in EVENTS {
            sleep_until(at(ms)).await;
            channel.publish(Draft::message("x".repeat(bytes))).expect("fits");
        }
        sleep_until(recorder.begun + RECORDED).await;
    };
    let troubling = async {
        let (from, until, fault) = match trouble {
            Trouble::Nothing | Trouble::Delay(_) => return,
            Trouble::Reset(from) => (from, from, Fault::Reset),
            Trouble::Silence(from) => (from, 3_600_000, Fault::Silence { new_connections_pass: true }),
            Trouble::Stall(from, until) => (from, until, Fault::Hold),
        };
        sleep_until(at(from)).await;
        let _guard = relay.apply(fault);
        sleep_until(at(until)).await;
    };
    let both = async { tokio::join!(publishing, troubling) };
    // A silence lasts for longer than the recording.
    let _ = tokio::time::timeout_at(recorder.begun + RECORDED, both).await;
    (name, recorder.text())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Open,
    Bytes { up: bool, count: usize },
    End { up: bool },
    Reset,
}

/// Passes bytes on, and notes when and how many.
struct Recorder {
    address: SocketAddr,
    begun: Instant,
    notes: Arc<Mutex<Vec<(Instant, u32, What)>>>,
}

impl Recorder {
    async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let notes: Arc<Mutex<Vec<_>>> = Arc::default();
        let noting = Arc::clone(&notes);
        tokio::spawn(async move {
            for number in 1.. {
                let (client, _) = listener.accept().await.expect("a connection");
                let server = TcpStream::connect(target).await.expect("the relay");
                let notes = Arc::clone(&noting);
                let note = move |what| notes.lock().push((Instant::now(), number, what));
                note(What::Open);
                tokio::spawn(pass(client, server, note));
            }
        });
        Recorder { address, begun: Instant::now(), notes }
    }

    fn text(&self) -> String {
        let mut merged: Vec<(Instant, u32, What)> = Vec::new();
        for &(at, connection, what) in self.notes.lock().iter() {
            if let (Some((before, same, What::Bytes { up, count })), What::Bytes { up: also, count: more }) =
                (merged.last_mut(), what)
                && (*same, *up) == (connection, also)
                && at - *before < APART
            {
                *count += more;
                continue;
            }
            merged.push((at, connection, what));
        }
        let mut text = HEADING.to_owned();
        for (at, connection, what) in merged {
            let arrow = |up: bool| if up { "->" } else { "<-" };
            let what = match what {
                What::Open => "open".to_owned(),
                What::Bytes { up, count } => format!("{} {count}", arrow(up)),
                What::End { up } => format!("end {}", arrow(up)),
                What::Reset => "reset".to_owned(),
            };
            let _ = writeln!(text, "{:>6}  {connection}  {what}", (at - self.begun).as_millis());
        }
        let _ = writeln!(text, "{:>6}  -  recording ends", RECORDED.as_millis());
        text
    }
}

async fn pass(mut client: TcpStream, mut server: TcpStream, note: impl Fn(What)) {
    let (mut up, mut down) = ([0; 16 * 1024], [0; 16 * 1024]);
    let (mut client_goes_on, mut server_goes_on) = (true, true);
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    while client_goes_on || server_goes_on {
        let (is_up, read) = tokio::select! {
            read = client.read(&mut up), if client_goes_on => (true, read),
            read = server.read(&mut down), if server_goes_on => (false, read),
        };
        let to = if is_up { &mut server } else { &mut client };
        match read {
            Ok(0) => {
                note(What::End { up: is_up });
                *(if is_up { &mut client_goes_on } else { &mut server_goes_on }) = false;
                let _ = to.shutdown().await;
            }
            Ok(count) => {
                note(What::Bytes { up: is_up, count });
                let bytes = if is_up { &up[..count] } else { &down[..count] };
                let _ = to.write_all(bytes).await;
            }
            Err(_) => {
                note(What::Reset);
                let _ = to.set_zero_linger();
                return;
            }
        }
    }
}
