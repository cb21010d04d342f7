//! What is counted, what the relay does, and the floor.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

mod client_support;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use client_support::{PATIENCE, Server, context, fixed, is_event, nth, read, run, subscription};
use pushlab::{
    client::{Cause, End, Policy, floor},
    clock::Clock,
    link::{
        Counted, Meter, Relay, Totals,
        relay::{Direction, Fault},
    },
    transport::Transport::{ShortPoll, Sse},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{Instant, timeout},
};

async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    addr
}

async fn exchange(stream: &mut TcpStream, word: &[u8]) {
    stream.write_all(word).await.unwrap();
    let mut back = vec![0; word.len()];
    timeout(PATIENCE, stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(back, word);
}

#[tokio::test]
async fn every_byte_is_counted_while_the_connection_lives_and_after() {
    let meter = Arc::new(Meter::default());
    let mut stream = Counted::connect(echo().await, Clock::start(), &meter).await.unwrap();
    let word = vec![b'x'; 10_000];
    stream.write_all(&word).await.unwrap();
    stream.read_exact(&mut vec![0; word.len()]).await.unwrap();
    let live = meter.totals();
    assert_eq!((live.application_in, live.application_out, live.connections), (10_000, 10_000, 1));
    assert_eq!((live.heads_in, live.heads_out, live.requests), (0, 0, 0));
    stream.close(PATIENCE).await;
    let closed = meter.totals();
    assert_eq!((closed.application_in, closed.application_out), (10_000, 10_000));
    if cfg!(target_os = "linux") {
        // SYN, FIN and an ACK at least; the exact formula is tested with the formula.
        let (wire, segments) = (closed.wire_in.unwrap(), closed.segments_in.unwrap());
        assert!(segments >= 3, "{closed:?}");
        // With timestamps, as is usual, or without them.
        let possible = [10_000 + segments * 52 + 8, 10_000 + segments * 40 + 12];
        assert!(possible.contains(&wire), "{closed:?}");
        assert!(closed.segments_out > live.segments_out, "the FIN was counted: {closed:?}");
    } else {
        assert_eq!((closed.wire_in, closed.segments_in), (None, None));
    }
}

#[tokio::test]
async fn an_attempt_that_was_refused_has_its_price_too() {
    let addr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let meter = Arc::new(Meter::default());
    Counted::connect(addr, Clock::start(), &meter).await.expect_err("nobody listens");
    let totals = meter.totals();
    assert_eq!(totals.connections, 0);
    if cfg!(target_os = "linux") {
        assert_eq!((totals.wire_in, totals.wire_out), (Some(40), Some(60)));
    }
}

#[tokio::test]
async fn heads_are_told_from_bodies_on_a_kept_connection() {
    const BODY: &str = r#"{"cursor":"a-1","gap":null,"events":[]}"#;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", BODY.len());
    let answer = format!("{head}{BODY}");
    let server = Server::start(move |_, mut conversation| {
        let answer = answer.clone();
        async move {
            while !conversation.head().await.is_empty() {
                conversation.send(&answer).await;
            }
        }
    })
    .await;
    let policy = Policy { interval: Duration::from_millis(2), ..Policy::default() };
    let context = context();
    let (stop, meter) = (context.stop.clone(), Arc::clone(&context.meter));
    tokio::spawn(async move {
        while meter.totals().requests < 5 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        stop.cancel();
    });
    let url = format!("http://{}/", server.addr);
    let client = pushlab::client::subscriber(ShortPoll, subscription(url, policy));
    let seen = run(client, context, |_| false).await;
    let Totals { application_in, application_out, heads_in, heads_out, requests, .. } = seen.totals;
    assert!(requests >= 5);
    assert_eq!(heads_out, application_out, "a GET is all head");
    // The last answer may still have been on its way when the client was told to stop.
    let answers = heads_in / head.len() as u64;
    assert!((requests - 1..=requests).contains(&answers), "{:?}", seen.totals);
    assert_eq!(application_in, answers * (head.len() + BODY.len()) as u64);
}

#[tokio::test]
async fn a_stream_is_head_once_and_body_ever_after() {
    const STREAM: &str = "data: HTTP/1.1 200 OK\r\n\r\ndata: x\r\n\r\n";
    let server = Server::start(|_, mut conversation| async move {
        conversation.head().await;
        conversation.event_stream(STREAM).await;
        conversation.linger().await;
    })
    .await;
    let seen = read(Sse, subscription(format!("http://{}/", server.addr), fixed(1)), nth(2, is_event)).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".len() as u64;
    assert_eq!((seen.totals.heads_in, seen.totals.requests), (head, 1));
    assert_eq!(seen.totals.application_in, head + STREAM.len() as u64);
}

#[tokio::test]
async fn the_relay_passes_bytes_both_ways_and_the_end() {
    let relay = Relay::start(echo().await).await.unwrap();
    let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
    exchange(&mut stream, &vec![b'x'; 300_000]).await;
    stream.shutdown().await.unwrap();
    assert_eq!(timeout(PATIENCE, stream.read(&mut [0])).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn a_delay_holds_each_direction_back_and_keeps_the_order() {
    let relay = Relay::start(echo().await).await.unwrap();
    let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
    let delay = Direction { to_client: Duration::from_millis(70), to_server: Duration::from_millis(50) };
    let guard = relay.apply(Fault::Delay(delay));
    for _ in 0..2 {
        let start = Instant::now();
        exchange(&mut stream, b"there and back").await;
        assert!(start.elapsed() >= Duration::from_millis(120), "{:?}", start.elapsed());
    }
    stream.write_all(b"first").await.unwrap();
    // Give the relay the time to have taken it in, so that it is on its way when the delay ends.
    tokio::time::sleep(Duration::from_millis(10)).await;
    drop(guard);
    stream.write_all(b"second").await.unwrap();
    let mut back = [0; 11];
    timeout(PATIENCE, stream.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(&back, b"firstsecond");
}

#[tokio::test]
async fn a_cut_ends_the_connections_that_stand_each_in_its_way() {
    let relay = Relay::start(echo().await).await.unwrap();
    for fault in [Fault::Close, Fault::Reset] {
        let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
        exchange(&mut stream, b"up").await;
        let _guard = relay.apply(fault);
        let end = timeout(PATIENCE, stream.read(&mut [0])).await.unwrap();
        match fault {
            Fault::Close => assert_eq!(end.unwrap(), 0),
            _ => assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset),
        }
        exchange(&mut TcpStream::connect(relay.addr()).await.unwrap(), b"a new one passes").await;
    }
}

#[tokio::test]
async fn silence_swallows_and_tells_nobody() {
    let (ends, mut told) = mpsc::unbounded_channel();
    let server = Server::start(move |number, mut conversation| {
        let ends = ends.clone();
        async move {
            conversation.send("x").await;
            conversation.linger().await;
            let _ = ends.send(number);
        }
    })
    .await;
    let relay = Relay::start(server.addr).await.unwrap();
    let mut old = TcpStream::connect(relay.addr()).await.unwrap();
    old.read_exact(&mut [0]).await.unwrap();
    let guard = relay.apply(Fault::Silence { new_connections_pass: true });
    let mut new = TcpStream::connect(relay.addr()).await.unwrap();
    timeout(PATIENCE, new.read_exact(&mut [0])).await.unwrap().unwrap();
    old.write_all(b"swallowed").await.unwrap();
    old.shutdown().await.unwrap();
    let quiet = timeout(Duration::from_millis(100), old.read(&mut [0])).await;
    assert!(quiet.is_err(), "{quiet:?}");
    // It stays silent when the fault is over, and the server has not been told of its end; of the other
    // connection's end it is told.
    drop(guard);
    drop(new);
    assert_eq!(timeout(PATIENCE, told.recv()).await.unwrap(), Some(1));
    assert!(told.try_recv().is_err());

    let _guard = relay.apply(Fault::Silence { new_connections_pass: false });
    let mut silent = TcpStream::connect(relay.addr()).await.unwrap();
    let quiet = timeout(Duration::from_millis(100), silent.read(&mut [0])).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_sent_while_the_plug_is_pulled_arrives_once_it_is_back() {
    let relay = Relay::start(echo().await).await.unwrap();
    let mut old = TcpStream::connect(relay.addr()).await.unwrap();
    exchange(&mut old, b"before").await;
    let guard = relay.apply(Fault::Unplug);
    let mut new = TcpStream::connect(relay.addr()).await.unwrap();
    exchange(&mut new, b"another connection passes").await;
    old.write_all(b"meanwhile").await.unwrap();
    let quiet = timeout(Duration::from_millis(100), old.read(&mut [0])).await;
    assert!(quiet.is_err(), "{quiet:?}");
    // Nothing was acknowledged, so that TCP sends it again: no byte is lost.
    drop(guard);
    let mut back = [0; 9];
    timeout(PATIENCE, old.read_exact(&mut back)).await.unwrap().unwrap();
    assert_eq!(&back, b"meanwhile");
    exchange(&mut old, b"after").await;
}

#[tokio::test]
async fn refusal_shuts_the_port_and_opens_it_again() {
    let relay = Relay::start(echo().await).await.unwrap();
    let mut standing = TcpStream::connect(relay.addr()).await.unwrap();
    exchange(&mut standing, b"up").await;
    let guard = relay.apply(Fault::Refuse);
    timeout(PATIENCE, async {
        while TcpStream::connect(relay.addr()).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("refused in the end");
    exchange(&mut standing, b"left alone").await;
    drop(guard);
    let mut stream = timeout(PATIENCE, async {
        loop {
            match TcpStream::connect(relay.addr()).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    })
    .await
    .expect("open again");
    exchange(&mut stream, b"through").await;
}

#[tokio::test]
async fn a_new_target_is_for_new_connections_and_a_dropped_relay_ends_all() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let relay = Relay::start(gone).await.unwrap();
    let mut broken = TcpStream::connect(relay.addr()).await.unwrap();
    let end = timeout(PATIENCE, broken.read(&mut [0])).await.unwrap();
    assert!(end.is_err(), "a path that is broken is no orderly end: {end:?}");
    relay.set_target(echo().await);
    let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
    exchange(&mut stream, b"through").await;
    drop(relay);
    let end = timeout(PATIENCE, stream.read(&mut [0])).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
}

#[tokio::test]
async fn the_floor_tells_frames_whatever_their_chunks_and_keeps_to_its_bound() {
    for chunk in [1, 3, 64] {
        let server = Server::start(move |number, mut conversation| async move {
            let mut line = Vec::new();
            while !line.ends_with(b"\n") {
                line.push(conversation.stream.read_u8().await.unwrap());
            }
            assert_eq!(line, b"news a-7\n");
            assert_eq!(number, 0, "it never connects again");
            let frames = [
                &[0xff; 4][..],
                &[0, 0, 0, 2],
                b"ab",
                &[0; 4],
                &[0, 0, 0, 3],
                "é!".as_bytes(),
                &[0, 0, 0, 9],
                b"cut",
            ]
            .concat();
            conversation.stream.set_nodelay(true).unwrap();
            for bytes in frames.chunks(chunk) {
                conversation.send(bytes).await;
                tokio::task::yield_now().await;
            }
        })
        .await;
        let client = floor::subscriber(server.addr, "news", Some("a-7".to_owned()));
        let seen = run(client, context(), |_| false).await;
        assert_eq!(
            seen.lines[..5],
            [
                "connecting 1",
                "open",
                "event - message \"ab\"",
                "event - message \"\"",
                "event - message \"é!\"",
            ]
        );
        assert!(matches!(seen.end, End::Failed(Cause::Broken(_))), "{:?}", seen.end);
        assert_eq!((seen.totals.heads_in, seen.totals.requests), (0, 0));
    }
    let server = Server::start(|_, mut conversation| async move {
        conversation.send([0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0]).await;
        conversation.linger().await;
    })
    .await;
    let seen = run(floor::subscriber(server.addr, "news", None), context(), |_| false).await;
    assert!(matches!(seen.end, End::Failed(Cause::Refused(_))), "{:?}", seen.end);
}
