//! A student's program may hang, crash, flood or lie: the checker says so, in time, and lives on.

use std::{future::Future, net::SocketAddr, path::Path, time::Duration};

use pushlab::workshop::{
    catalogue,
    examine::{Entry, examine},
    finding::{Report, Verdict},
    invocation::Invocation,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Longer than the checker may take for any of this, however loaded the machine is.
const PATIENCE: Duration = Duration::from_secs(80);

/// A server that does the same to every connection.
async fn server<F>(conduct: impl Fn(TcpStream) -> F + Send + 'static) -> (SocketAddr, JoinHandle<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(conduct(stream));
        }
    });
    (address, task)
}

async fn check(exercise: &str, entry: Entry) -> Report {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workshop");
    let exercise = catalogue::find(&folder, exercise).expect("an exercise");
    tokio::time::timeout(PATIENCE, examine(&exercise, &entry)).await.expect("in time").expect("a check")
}

/// What the first exercise's check says of a server: the expectation that it misses first, and what it saw.
async fn missed<F>(conduct: impl Fn(TcpStream) -> F + Send + 'static) -> (String, String)
where
    F: Future<Output = ()> + Send + 'static,
{
    missed_of("1", conduct).await
}

/// The same of another exercise's.
async fn missed_of<F>(exercise: &str, conduct: impl Fn(TcpStream) -> F + Send + 'static) -> (String, String)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (address, task) = server(conduct).await;
    let report = check(exercise, Entry::Url(format!("http://{address}").parse().expect("a URL"))).await;
    task.abort();
    assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
    let finding = report.first_missed().expect("failed");
    assert!(finding.bytes.as_ref().is_none_or(|bytes| bytes.len() < 2000), "{finding:?}");
    assert!(finding.next.as_ref().is_some_and(|step| !step.is_empty()), "{finding:?}");
    (finding.name.clone(), finding.saw.clone())
}

/// Reads the request and sends a beginning.
async fn begin(stream: &mut TcpStream, text: &str) {
    let _ = stream.read(&mut [0; 4096]).await;
    let _ = stream.write_all(text.as_bytes()).await;
}

/// Sends the same bytes until the other side has had enough.
async fn flood(stream: &mut TcpStream, bytes: &[u8]) {
    let many = bytes.repeat(64 * 1024 / bytes.len());
    while stream.write_all(&many).await.is_ok() {}
}

const STREAM: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_do_not_answer() {
    let hangs = missed(|stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    });
    let closes = missed(|stream| async move { drop(stream) });
    let resets = missed(|mut stream| async move {
        begin(&mut stream, "").await;
        let _ = stream.set_zero_linger();
    });
    let babbles = missed(|mut stream| async move { begin(&mut stream, "hello\r\n\r\n").await });
    let half = missed(|mut stream| async move { begin(&mut stream, "HTTP/1.1 200 OK\r\nConte").await });
    let endless_head = missed(|mut stream| async move {
        begin(&mut stream, "HTTP/1.1 200 OK\r\n").await;
        flood(&mut stream, b"X-Flood: 1\r\n").await;
    });
    let (hangs, closes, resets, babbles, half, endless_head) =
        tokio::join!(hangs, closes, resets, babbles, half, endless_head);
    for ((name, saw), words) in [
        (hangs, "no answer within"),
        (closes, "clos"),
        (resets, "the connection"),
        (babbles, "no HTTP"),
        (half, "closed after 22 bytes"),
        (endless_head, "no end of the head"),
    ] {
        assert_eq!(name, "answers", "{saw}");
        // A connection that is closed before its request was read may show as a reset.
        assert!(saw.contains(words) || (words == "clos" && saw.contains("broke")), "{saw}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_flood_or_lie() {
    let one_line = missed(|mut stream| async move {
        begin(&mut stream, STREAM).await;
        flood(&mut stream, b"data: and so on, without an end, ").await;
    });
    let comments = missed(|mut stream| async move {
        begin(&mut stream, STREAM).await;
        flood(&mut stream, b":\n").await;
    });
    let events = missed(|mut stream| async move {
        begin(&mut stream, STREAM).await;
        flood(&mut stream, b"data: 1\n\n").await;
    });
    let short = missed(|mut stream| async move {
        let head = STREAM.replace("\r\n\r\n", "\r\nContent-Length: 1000\r\n\r\n");
        begin(&mut stream, &head).await;
        let _ = stream.write_all(b"data: 1\n").await;
    });
    let chunks = missed(|mut stream| async move {
        let head = STREAM.replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n");
        begin(&mut stream, &head).await;
        let _ = stream.write_all(b"data: 1\n\n\r\n").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
    let (one_line, comments, events, short, chunks) = tokio::join!(one_line, comments, events, short, chunks);
    for ((name, saw), expectation, words) in [
        (one_line, "blank-line", "without an event's end"),
        (comments, "blank-line", "without an event's end"),
        (events, "data", "from this machine's clock"),
        (short, "blank-line", "992 bytes before the Content-Length"),
        (chunks, "blank-line", "a chunk's size is missing"),
    ] {
        assert_eq!(name, expectation, "{saw}");
        assert!(saw.contains(words), "{saw}");
    }
}

/// Makes a WebSocket's handshake as it should be, and then sends what it likes.
async fn upgraded(stream: TcpStream) -> Option<TcpStream> {
    Some(tokio_tungstenite::accept_async(stream).await.ok()?.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_that_flood_or_lie() {
    let texts = missed_of("8", |stream| async move {
        let Some(mut stream) = upgraded(stream).await else { return };
        flood(&mut stream, b"\x81\x05hello").await;
    });
    let pings = missed_of("8", |stream| async move {
        let Some(mut stream) = upgraded(stream).await else { return };
        flood(&mut stream, b"\x89\x00").await;
    });
    let endless = missed_of("8", |stream| async move {
        let Some(mut stream) = upgraded(stream).await else { return };
        let _ = stream.write_all(b"\x81\x7f\x00\x00\x00\xff\xff\xff\xff\xff").await;
        flood(&mut stream, b"and so on").await;
    });
    let fragments = missed_of("8", |stream| async move {
        let Some(mut stream) = upgraded(stream).await else { return };
        let _ = stream.write_all(b"\x01\x00").await;
        flood(&mut stream, b"\x00\x09and so on").await;
    });
    let liar = missed_of("8", |mut stream| async move {
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Accept: dGhpcyBpcyBubyBwcm9vZg==\r\n\r\n";
        begin(&mut stream, head).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
    let (texts, pings, endless, fragments, liar) = tokio::join!(texts, pings, endless, fragments, liar);
    for ((name, saw), expectation, words) in [
        (texts, "all-get", "100 lost"),
        (pings, "echo", "nothing within 3 s"),
        (endless, "echo", "no WebSocket message"),
        (fragments, "echo", "no WebSocket message"),
        (liar, "opens", "Sec-WebSocket-Accept"),
    ] {
        assert_eq!(name, expectation, "{saw}");
        assert!(saw.contains(words), "{saw}");
    }
}

fn shell(script: &str) -> Entry {
    Entry::Command(Invocation::new("sh", ["-c".to_owned(), script.to_owned(), "sh".to_owned()]))
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn programs_that_do_not_start_leave_the_question_open() {
    let missing = Entry::Command(Invocation::new("no-such-program-anywhere", []));
    let crash = shell("echo starting; echo 'no such module' >&2; exit 3");
    for (entry, words) in [(missing, "there is no program"), (crash, "exit status: 3")] {
        let report = check("1", entry).await;
        assert_eq!(report.verdict, Verdict::CouldNotTell);
        assert!(report.trouble.as_ref().is_some_and(|trouble| trouble.contains(words)), "{report:?}");
        assert!(words != "exit status: 3" || report.output.contains("no such module"), "{report:?}");
    }
    let deaf = shell("exec sleep 60");
    let report = check("1", deaf).await;
    assert_eq!(report.verdict, Verdict::CouldNotTell);
    assert!(report.trouble.as_ref().is_some_and(|trouble| trouble.contains("PORT")), "{report:?}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_hang_flood_or_crash_are_failed() {
    let (silent, crash, line, events) = tokio::join!(
        check("18", shell("exec sleep 60")),
        check("18", shell("echo 'a traceback' >&2; exit 1")),
        check("18", shell("tr '\\0' x < /dev/zero")),
        check("18", shell("yes '{\"data\":\"x\"}'")),
    );
    for (report, words) in [
        (silent, "it printed nothing"),
        (crash, "It never asked for the stream"),
        (line, "without a line end"),
        (events, "it printed {"),
    ] {
        assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
        let finding = report.first_missed().expect("failed");
        assert_eq!(finding.name, "plain");
        assert!(finding.saw.contains(words), "{}", finding.saw);
    }
}

/// What a program starts ends with it, also where both are deaf to a polite request.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_program_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!(
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ >> {0}; while :; do sleep 1; done' & \
         echo $$ >> {0}; while :; do sleep 1; done",
        pids.display()
    );
    let report = check("18", shell(&script)).await;
    assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
    let text = std::fs::read_to_string(&pids).unwrap();
    assert!(text.lines().count() >= 2, "{text:?}");
    for pid in text.lines() {
        let gone = async {
            while alive(pid) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.unwrap_or_else(|_| panic!("{pid} lives on"));
    }
}

/// Whether a process is there and is no zombie that nobody has waited for yet.
#[cfg(unix)]
fn alive(pid: &str) -> bool {
    let output = std::process::Command::new("ps").args(["-o", "stat=", "-p", pid]).output().expect("ps");
    let stat = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !stat.is_empty() && !stat.starts_with('Z')
}
