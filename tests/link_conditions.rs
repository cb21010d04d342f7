//! What a relay under conditions does to real connections, and a network that loses segments.

#![allow(clippy::unwrap_used, reason = "a test that panics has said so")]

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use proptest::{prelude::*, test_runner::TestCaseError};
use pushlab::link::{
    Relay,
    conditions::{Path, Profile},
    namespace::Namespace,
    relay::Direction,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};

const PATIENCE: Duration = Duration::from_secs(60);

async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }
    });
    addr
}

/// Sends it all, ends the stream, and gives what comes back until its end.
async fn there_and_back(address: SocketAddr, sent: &[u8]) -> Vec<u8> {
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let sent = sent.to_vec();
    let sending = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
        write
    });
    let mut back = Vec::new();
    timeout(PATIENCE, read.read_to_end(&mut back)).await.unwrap().unwrap();
    drop(sending.await.unwrap());
    back
}

fn numbered(bytes: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_be_bytes).take(bytes).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_byte_comes_in_its_order_whatever_the_conditions(
        bytes in 0_usize..60_000,
        chunk in prop::option::of(1_usize..3_000),
        jitter_us in 0_u64..3_000,
        fast in any::<bool>(),
        seed: u64,
    ) {
        // Not a byte at a time through all of it: that would take its time and show nothing more.
        let bytes = chunk.map_or(bytes, |chunk| bytes.min(chunk * 400));
        let path = Path {
            delay: Duration::from_micros(700),
            jitter: Duration::from_micros(jitter_us),
            rate_bits_s: (!fast).then_some(40_000_000),
            chunk_bytes: chunk,
        };
        let sent = numbered(bytes);
        let back = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let paths = Direction { to_client: path, to_server: path };
            let relay = Relay::under(paths, seed, echo().await).await.unwrap();
            there_and_back(relay.addr(), &sent).await
        });
        if back != sent {
            return Err(TestCaseError::fail(format!("{} of {bytes} bytes came back as they were", back.len())));
        }
    }
}

#[tokio::test]
async fn a_profile_takes_a_handshake_and_a_round_trip_at_least() {
    let relay = Relay::under(Profile::Mobile.paths(), 1, echo().await).await.unwrap();
    let start = Instant::now();
    let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
    for round_trips in [2, 3] {
        stream.write_all(b"word").await.unwrap();
        timeout(PATIENCE, stream.read_exact(&mut [0; 4])).await.unwrap().unwrap();
        assert!(start.elapsed() >= round_trips * Duration::from_millis(70), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_rate_is_not_exceeded() {
    let path = Path { rate_bits_s: Some(800_000), ..Path::default() };
    let paths = Direction { to_client: path, to_server: Path::default() };
    let relay = Relay::under(paths, 1, echo().await).await.unwrap();
    let (sent, start) = (numbered(50_000), Instant::now());
    assert_eq!(there_and_back(relay.addr(), &sent).await, sent);
    assert!(start.elapsed() >= Duration::from_millis(500), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_slow_link_makes_the_sender_wait_instead_of_keeping_its_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let path = Path { rate_bits_s: Some(80_000), ..Path::default() };
    let paths = Direction { to_client: Path::default(), to_server: path };
    let relay = Relay::under(paths, 1, listener.local_addr().unwrap()).await.unwrap();
    let mut stream = TcpStream::connect(relay.addr()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    // 10 kB a second: what was taken in beyond that lies in the kernel's buffers, which are limited.
    let sent = async {
        let mut sent = 0_u64;
        while sent < 100_000_000 {
            sent += stream.write(&[0; 65_536]).await.unwrap() as u64;
        }
    };
    let received = async {
        let mut buffer = [0; 65_536];
        while server.read(&mut buffer).await.unwrap() > 0 {}
    };
    let waited = tokio::time::timeout(Duration::from_millis(1_500), async { tokio::join!(sent, received) });
    waited.await.expect_err("100 MB can't have been taken in by a link of 80 kbit/s");
}

#[tokio::test]
async fn a_namespace_is_reached_and_goes_away_or_says_what_it_needs() {
    let namespace = match tokio::task::spawn_blocking(|| Namespace::create(10.0)).await.unwrap() {
        Ok(namespace) => namespace,
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("root") && text.contains("nftables"), "{text}");
            return;
        }
    };
    let names = || {
        let listed = Command::new("ip").args(["netns", "list"]).output().unwrap();
        String::from_utf8(listed.stdout).unwrap()
    };
    let [program, arguments @ ..] = namespace.prefix();
    let server_name = arguments.last().unwrap().clone();
    assert!(names().contains(&server_name));
    let mut inside = Command::new(program)
        .args(&arguments)
        .args(["ip", "-o", "-4", "addr", "show"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut inside.stdout.take().unwrap(), &mut text).unwrap();
    inside.wait().unwrap();
    assert!(text.contains(&format!(" {}/30", namespace.address())), "{text}");
    // Nobody listens there, and the kernel in there says so: the way there and back is open, lossy as it is.
    let refused = timeout(PATIENCE, TcpStream::connect((namespace.address(), 9))).await.unwrap();
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    let address = namespace.address().to_string();
    drop(namespace);
    assert!(!names().contains(&server_name));
    let routes = Command::new("ip").args(["route", "get", &address]).output().unwrap();
    let route = String::from_utf8_lossy(&routes.stdout).into_owned();
    assert!(!route.contains("dev pl"), "the route is still there: {route}");
}
