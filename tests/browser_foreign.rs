//! What pages of other origins can do to a server that their visitor can reach: nothing, in a real browser.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails as the test does")]

mod browser;
mod support;

use axum::{Router, response::Html, routing::get};
use browser::Browser;
use pushlab::server::Config;
use serde_json::{Value, json};
use support::{Server, Sse};

/// What no foreign page may learn.
const SECRET: &str = "nobody-elses-business";

/// Everything that a page can try without being asked first, and what it is told. `SERVER` is the server's host
/// and port, `AFTER` a cursor before the secret. Each try is over when its promise is.
const TRIES: &str = r#"
window.told = {};
const http = 'http://SERVER', victim = `${http}/channels/victim`, sourced = `${http}/channels/sourced`;
const soon = (promise) => Promise.race([promise, new Promise((done) => setTimeout(done, 3000, 'nothing'))]);
const note = async (name, promise) => { told[name] = String(await soon(promise.catch((error) => error.name))); };
const socket = (path) => new Promise((done) => {
  const one = new WebSocket(`ws://SERVER${path}`);
  one.onmessage = ({ data }) => done(`message ${data}`);
  one.onopen = () => { one.send('{"publish":{"data":"by websocket"}}'); };
  one.onclose = ({ code }) => done(`close ${code}`);
});
const stream = (withCredentials) => new Promise((done) => {
  const one = new EventSource(`${victim}/sse?after=AFTER`, { withCredentials });
  one.onmessage = ({ data }) => { one.close(); done(data); };
  one.onerror = () => { one.close(); done('error'); };
});
const read = async (path, mode) => {
  const answer = await fetch(victim + path, { mode, credentials: 'include' });
  return `${answer.type} ${answer.status} ${await answer.text()}`;
};
const order = async (method, url, type, body, mode) => {
  const answer = await fetch(url, { method, mode, headers: type ? { 'content-type': type } : {}, body });
  return `${answer.type} ${answer.status}`;
};
const form = (name, action, enctype) => new Promise((done) => {
  const frame = document.createElement('iframe');
  frame.name = name;
  const one = document.createElement('form');
  Object.assign(one, { action, enctype, method: 'post', target: name });
  const field = document.createElement('input');
  // As text/plain this is JSON: `{"data":"by form","x":"="}`.
  Object.assign(field, { name: '{"data":"by form","type":"', value: '"}' });
  one.append(field);
  document.body.append(frame, one);
  setTimeout(() => { frame.onload = () => done('loaded'); one.submit(); }, 100);
});
const text = 'text/plain', urlencoded = 'application/x-www-form-urlencoded', jsonType = 'application/json';
const cut = '{"how":"close"}', spec = '{"rate":50,"payload_bytes":100}';
window.over = Promise.all([
  note('websocket', socket('/channels/victim/websocket?after=AFTER')),
  note('echo', socket('/echo')),
  note('sse', stream(false)),
  note('sse with credentials', stream(true)),
  ...['cors', 'no-cors'].flatMap((mode) => [
    ...['', '/short-poll?after=AFTER', '/long-poll?after=AFTER'].map((path) => note(`read ${mode} ${path}`, read(path, mode))),
    note(`publish text ${mode}`, order('POST', `${victim}/events`, text, 'by fetch', mode)),
    note(`publish typeless ${mode}`, order('POST', `${victim}/events`, '', new Blob(['by fetch']), mode)),
    note(`publish form ${mode}`, order('POST', `${victim}/events`, urlencoded, 'data=by fetch', mode)),
    note(`cut as text ${mode}`, order('POST', `${victim}/disconnect`, text, cut, mode)),
    note(`look at bytes ${mode}`, order('POST', `${http}/wire/session`, text, '', mode)),
  ]),
  note('publish json', order('POST', `${victim}/events`, jsonType, '{"data":"by fetch"}', 'cors')),
  note('cut', order('POST', `${victim}/disconnect`, jsonType, cut, 'cors')),
  note('source', order('PUT', `${victim}/source`, jsonType, spec, 'cors')),
  note('stop the source', order('DELETE', `${sourced}/source`, '', undefined, 'cors')),
  note('beacon', Promise.resolve(navigator.sendBeacon(`${victim}/events`, 'by beacon'))),
  note('form as text', form('a', `${victim}/events`, text)),
  note('form', form('b', `${victim}/events`, urlencoded)),
  note('form with parts', form('c', `${victim}/disconnect`, 'multipart/form-data')),
]).then(() => { window.over = 'yes'; });
"#;

/// More, for a page that may have scripts of its own in frames: as nobody (`Origin: null`), and our pages
/// within it, to be clicked unseen.
const FRAMES: &str = r#"
const nobody = document.createElement('iframe');
nobody.sandbox = 'allow-scripts';
nobody.srcdoc = `<script>
  fetch('http://SERVER/channels/victim/events', { method: 'POST', mode: 'no-cors', body: 'by nobody' }).finally(() => {
    const one = new WebSocket('ws://SERVER/channels/victim/websocket?after=AFTER');
    one.onopen = () => one.send('{"publish":{"data":"by nobody"}}');
    one.onmessage = ({ data }) => parent.postMessage('message ' + data, '*');
    one.onclose = ({ code }) => parent.postMessage('close ' + code, '*');
  });
<\/script>`;
window.nobody = '';
addEventListener('message', ({ data }) => { window.nobody += data; });
const ours = document.createElement('iframe');
ours.src = 'http://SERVER/demo/sse?room=framed';
window.framed = false;
ours.onload = () => { window.framed = true; };
document.body.append(nobody, ours);
"#;

/// A page of somebody else.
async fn somebody_elses_port() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let page =
        Router::new().route("/", get(|| async { Html("<!doctype html><title>foreign</title><body>") }));
    tokio::spawn(async move { axum::serve(listener, page).await });
    port
}

/// A server with something to lose, and a reader who must not be cut.
struct Victim {
    server: Server,
    before: Value,
    after: String,
    reader: Sse,
}

impl Victim {
    async fn start() -> Victim {
        let server = Server::start(Config::default()).await;
        let after = server.get("/channels/victim").await.json()["cursor"].as_str().unwrap().to_owned();
        server.publish("victim", SECRET).await;
        let put = "PUT /channels/sourced/source\nContent-Type: application/json";
        assert_eq!(server.ask(put, r#"{"rate":1,"payload_bytes":100}"#).await.status, 200);
        let reader = server.open_sse("/channels/victim/sse").await;
        let before = server.get("/channels/victim").await.json();
        Victim { server, before, after, reader }
    }

    async fn attack(&self, browser: &Browser, tries: &str) {
        let at = self.server.address.to_string();
        browser.run(&tries.replace("SERVER", &at).replace("AFTER", &self.after)).await;
    }

    /// What of the channel a stranger could have changed.
    fn kept(described: &Value) -> [&Value; 4] {
        ["cursor", "oldest", "events", "source"].map(|key| &described[key])
    }

    async fn assert_unharmed(mut self, from: &str) {
        let now = self.server.get("/channels/victim").await.json();
        assert_eq!(Self::kept(&now), Self::kept(&self.before), "{from}");
        assert_eq!(now["readers"]["websocket"], 0, "{from}");
        let sourced = self.server.get("/channels/sourced").await.json();
        assert_eq!(sourced["source"]["rate"], 1.0, "{from}: {sourced}");
        self.server.publish("victim", "still here").await;
        self.reader.until("still here").await;
    }
}

#[tokio::test]
async fn a_foreign_page_learns_nothing_and_changes_nothing() {
    let Some(browser) = Browser::start("a foreign page").await else { return };
    // Another port is another origin, but shares the cookies; another name shares nothing.
    for host in ["127.0.0.1", "localhost"] {
        let victim = Victim::start().await;
        let from = format!("http://{host}:{}/", somebody_elses_port().await);
        browser.client.goto(&from).await.unwrap();
        victim.attack(&browser, TRIES).await;
        victim.attack(&browser, FRAMES).await;
        browser.until("over === 'yes' && nobody !== '' && framed").await;
        let told = browser.value("told").await;
        assert!(!told.to_string().contains(SECRET), "{from}: {told}");
        // 1006: the handshake was refused, so that no frame ever passed.
        assert_eq!(
            (&told["websocket"], &told["echo"]),
            (&json!("close 1006"), &json!("close 1006")),
            "{from}"
        );
        assert_eq!(browser.value("nobody").await, "close 1006", "{from}");
        for (tried, told) in told.as_object().unwrap() {
            let told = told.as_str().unwrap();
            let blind = ["opaque 0", "TypeError", "error", "close 1006", "loaded", "true", "nothing"];
            assert!(blind.contains(&told.trim_end()), "{from}: {tried}: {told}");
        }
        // A framed page of ours would have begun to read.
        assert_eq!(victim.server.get("/channels/framed").await.json()["readers"]["sse"], 0, "{from}");
        victim.assert_unharmed(&from).await;
    }
    browser.end().await;
}

/// The tries are real ones: from a page of ours they succeed.
#[tokio::test]
async fn what_a_foreign_page_tries_works_from_ours() {
    let Some(browser) = Browser::start("the same from a page of ours").await else { return };
    let victim = Victim::start().await;
    browser.open(&format!("http://{}/", victim.server.address)).await;
    // Our pages tell nobody where they are, so that their own forms come from nowhere too; these are to work.
    browser
        .run("const one = document.createElement('meta'); one.name = 'referrer'; one.content = 'same-origin'; document.head.append(one);")
        .await;
    victim.attack(&browser, TRIES).await;
    browser.until("over === 'yes'").await;
    let told = browser.value("told").await;
    for read in ["sse", "sse with credentials", "read cors /short-poll?after=AFTER"] {
        let told = told[read.replace("AFTER", &victim.after)].as_str().unwrap();
        assert!(told.contains(SECRET), "{read}: {told}");
    }
    assert!(told["websocket"].as_str().unwrap().starts_with("message"), "{told}");
    for (order, status) in [
        ("publish text cors", 201),
        ("publish json", 201),
        ("cut", 200),
        ("source", 200),
        ("stop the source", 204),
        ("look at bytes cors", 201),
    ] {
        assert_eq!(told[order], format!("basic {status}"), "{order}");
    }
    let batch =
        victim.server.get(&format!("/channels/victim/short-poll?after={}", victim.after)).await.json();
    for way in ["by fetch", "by beacon", "by form", "by websocket"] {
        assert!(batch.to_string().contains(way), "{way}: {told}");
    }
    assert_eq!(victim.server.get("/channels/sourced").await.json()["source"], Value::Null);
    browser.end().await;
}
