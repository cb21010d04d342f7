//! What a target's shape can't say: keys that belong together, words that must be there.

use super::{
    Description, Publish, Target, Way,
    description::Resume,
    fill::{BODY_WORDS, START_WORDS, URL_WORDS, strange_word},
};
use crate::transport::Transport;

/// The key and what is wrong with its value.
type Problem = (String, String);

pub(super) fn check(description: &Description) -> Result<(), Problem> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if description.name.is_empty() || description.name.len() > 40 || !description.name.chars().all(is_plain) {
        return wrong("name", "give it a name of letters, digits, '-', '_' and '.', at most 40 of them");
    }
    if description.name == Target::BUILT_IN {
        return wrong("name", "\"built-in\" is our own server: give this one another name");
    }
    check_url("url", &description.url, &["port"])?;
    let base = description.url.replace("{port}", "1");
    if !url::Url::parse(&base).is_ok_and(|url| url.scheme() == "http" && url.has_host()) {
        return wrong("url", "write an http:// base URL, such as \"http://127.0.0.1:{port}\"");
    }
    match &description.start {
        None if description.url.contains("{port}") => {
            return wrong(
                "start",
                "say how it is started, or give the url of one that is there, without {port}",
            );
        }
        Some(start) => {
            if start.command.first().is_none_or(String::is_empty) {
                return wrong("start.command", "name the program, such as [\"node\", \"server.js\"]");
            }
            let words = start.command.iter().chain(start.environment.values());
            for text in words {
                check_words("start", text, START_WORDS)?;
            }
            if !description.url.contains("{port}") {
                return wrong("url", "it is started on a free port: write {port} in it");
            }
            if let Some(name) = start.write.keys().find(|name| !is_file_name(name)) {
                return wrong(
                    "start.write",
                    &format!("{name:?} is no plain file name: write one without folders"),
                );
            }
            if !(start.within_s > 0.0 && start.within_s <= 120.0) {
                return wrong("start.within_s", "must be more than 0 and at most 120 seconds");
            }
        }
        None => {}
    }
    if description.heartbeat_ms == Some(0) {
        return wrong("heartbeat_ms", "must be at least 1; leave it out where there is no heartbeat");
    }
    check_publish(&description.publish)?;
    if description.transport.is_empty() {
        return wrong("transport", "add at least one, such as [transport.sse] with a url");
    }
    for (transport, way) in &description.transport {
        check_way(*transport, way)
            .map_err(|(key, problem)| (format!("transport.{transport}.{key}"), problem))?;
    }
    Ok(())
}

fn check_publish(publish: &Publish) -> Result<(), Problem> {
    let ways = [publish.url.is_some(), publish.websocket.is_some(), publish.every_ms.is_some()];
    if ways.iter().filter(|way| **way).count() != 1 {
        return wrong("publish", "give exactly one of url, websocket and every_ms");
    }
    if http::Method::from_bytes(publish.method.as_bytes()).is_err() {
        return wrong("publish.method", "write a method, such as \"POST\"");
    }
    if http::HeaderValue::from_str(&publish.content_type).is_err() {
        return wrong("publish.content_type", "write a content type, such as \"text/plain\"");
    }
    for url in [&publish.url, &publish.websocket].into_iter().flatten() {
        check_url("publish.url", url, URL_WORDS)?;
    }
    check_words("publish.body", &publish.body, BODY_WORDS)?;
    let says = BODY_WORDS.iter().any(|word| publish.body.contains(&format!("{{{word}}}")));
    if publish.every_ms.is_none() && !says {
        return wrong("publish.body", "write {data} or {json} where the event's data goes");
    }
    if publish.every_ms.is_some() != publish.payload_bytes.is_some() {
        return wrong("publish.payload_bytes", "goes with every_ms: how many bytes such an event has");
    }
    if publish.every_ms == Some(0) {
        return wrong("publish.every_ms", "must be at least 1");
    }
    if publish.stamped && publish.every_ms.is_none() {
        return wrong(
            "publish.stamped",
            "only a server that publishes by itself stamps its events: leave it out",
        );
    }
    Ok(())
}

fn check_way(transport: Transport, way: &Way) -> Result<(), Problem> {
    let is_poll = matches!(transport, Transport::ShortPoll | Transport::LongPoll);
    check_url("url", &way.url, URL_WORDS)?;
    for (key, pointer) in
        [("data", &way.data), ("id", &way.id), ("events", &way.events), ("cursor", &way.cursor)]
    {
        if pointer.as_ref().is_some_and(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
            return wrong(key, "write a JSON Pointer, such as \"/data\"");
        }
    }
    if (way.events.is_some() || way.cursor.is_some() || way.from_the_first) && !is_poll {
        return wrong("events, cursor, from_the_first", "only polls take them");
    }
    if way.wait.is_some() && transport != Transport::LongPoll {
        return wrong("wait", "only long-poll takes it");
    }
    if way.cursor.is_some() && way.events.is_none() {
        return wrong("cursor", "goes with events: where the list of events stands in the answer");
    }
    if way.id.is_some() && way.data.is_none() && way.events.is_none() {
        return wrong("id", "goes with data: where the data stands in an event that is JSON");
    }
    let may = match way.resume {
        Resume::None => true,
        Resume::LastEventId => transport == Transport::Sse,
        Resume::Query => transport != Transport::Sse,
        Resume::Conditional => is_poll,
    };
    if !may {
        let problem = "sse takes \"none\" or \"last-event-id\", a WebSocket \"none\" or \"query\", \
                       a poll \"none\", \"query\" or \"conditional\"";
        return wrong("resume", problem);
    }
    if (way.resume == Resume::Query) != way.after.is_some() {
        return wrong("after", "goes with resume = \"query\": the parameter that takes the cursor");
    }
    if way.resume == Resume::Query && way.cursor.is_none() && way.id.is_none() {
        return wrong("cursor", "resume = \"query\" needs it, or id: where a reader's place is told");
    }
    Ok(())
}

fn check_url(key: &str, text: &str, words: &[&str]) -> Result<(), Problem> {
    check_words(key, text, words)?;
    let schemes = ["http://", "ws://", "/"];
    if schemes.iter().any(|scheme| text.starts_with(scheme)) {
        return Ok(());
    }
    wrong(key, "write a path that begins with \"/\", or a whole http:// or ws:// URL")
}

fn check_words(key: &str, text: &str, words: &[&str]) -> Result<(), Problem> {
    let Some(strange) = strange_word(text, words) else { return Ok(()) };
    let known: Vec<String> = words.iter().map(|word| format!("{{{word}}}")).collect();
    wrong(key, &format!("{{{strange}}} means nothing here: there is {}", known.join(", ")))
}

fn is_file_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(is_plain)
}

fn wrong(key: &str, problem: &str) -> Result<(), Problem> {
    Err((key.to_owned(), problem.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Description;

    const WHOLE: &str = r#"
name = "mine"
about = "A server."
[start]
command = ["node", "server.js"]
[publish]
url = "/publish"
[transport.sse]
url = "/events"
[transport.long-poll]
url = "/poll"
events = "/events"
cursor = "/cursor"
data = "/data"
resume = "query"
after = "after"
"#;

    fn error(text: &str) -> String {
        Description::parse("mine.toml", text).expect_err("can't be").to_string()
    }

    #[test]
    fn a_whole_target_is_read() {
        let target = Description::parse("mine.toml", WHOLE).expect("good");
        assert_eq!((target.name.as_str(), target.label()), ("mine", "mine"));
        assert_eq!(target.url, "http://127.0.0.1:{port}");
        assert_eq!(target.transport.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_said_with_file_key_and_fix() {
        let wrong = [
            ("name = \"mine\"", "name = \"a b\"", "name: give it a name of letters"),
            ("name = \"mine\"", "name = \"built-in\"", "name: \"built-in\" is our own server"),
            ("name = \"mine\"", "nmae = \"mine\"", "unknown field `nmae`"),
            ("about = \"A server.\"", "", "missing field `about`"),
            ("command = [\"node\", \"server.js\"]", "command = []", "start.command: name the program"),
            ("\"server.js\"", "\"{prot}\"", "start: {prot} means nothing here: there is {port}, {dir}"),
            ("[start]", "url = \"http://127.0.0.1:8080\"\n[start]", "url: it is started on a free port"),
            ("[start]", "url = \"https://a.example\"\n[start]", "url: write a path"),
            ("url = \"/publish\"", "url = \"publish\"", "publish.url: write a path that begins with \"/\""),
            ("url = \"/publish\"", "", "publish: give exactly one of url, websocket and every_ms"),
            ("url = \"/publish\"", "every_ms = 50", "publish.payload_bytes: goes with every_ms"),
            ("url = \"/publish\"", "url = \"/p\"\nbody = \"x\"", "publish.body: write {data} or {json}"),
            ("url = \"/publish\"", "url = \"/p\"\nmethod = \"A B\"", "publish.method: write a method"),
            ("url = \"/events\"", "url = \"/events\"\nwait = \"wait\"", "transport.sse.wait: only long-poll"),
            ("url = \"/events\"", "url = \"/e\"\nevents = \"/e\"", "transport.sse.events, cursor"),
            ("data = \"/data\"", "data = \"data\"", "transport.long-poll.data: write a JSON Pointer"),
            ("after = \"after\"", "", "transport.long-poll.after: goes with resume"),
            ("resume = \"query\"", "resume = \"last-event-id\"", "transport.long-poll.resume: sse takes"),
            ("[transport.sse]", "[transport.carrier-pigeon]", "unknown variant `carrier-pigeon`"),
        ];
        for (good, bad, words) in wrong {
            assert!(WHOLE.contains(good), "{good}");
            let error = error(&WHOLE.replacen(good, bad, 1));
            assert!(error.starts_with("mine.toml: ") && error.contains(words), "{bad}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_value_breaks_it(key in "[a-z_]{1,8}", value in "\\PC{0,20}") {
            let value = toml::Value::String(value);
            let _ = Description::parse("x", &format!("{key} = {value}\n{WHOLE}"));
            let _ = Description::parse("x", &format!("{WHOLE}\n{key} = {value}"));
        }
    }
}
