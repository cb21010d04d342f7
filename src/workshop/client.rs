//! A student's client: started with a URL, read by the lines of JSON that it prints.

use std::{process::ExitStatus, time::Duration};

use serde_json::Value;
use tokio::{
    io::AsyncReadExt as _,
    process::ChildStdout,
    time::{Instant, timeout_at},
};

use super::{http::Trouble, invocation::Invocation, program::Program, tail::Tail};

/// A line that is longer than this is no event of ours.
const LINE_BYTES: usize = 1024 * 1024;

/// An event as a client printed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Printed {
    /// Its id; empty where it was empty, `null` or left out.
    pub(super) id: String,
    /// Its type; `message` where it was left out.
    pub(super) kind: String,
    /// Its data.
    pub(super) data: String,
}

/// What came of waiting for a client to print an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Prints {
    /// An event.
    Event(Printed),
    /// It has closed its output: it has ended.
    End,
    /// Nothing within the time.
    Quiet,
}

/// A running client. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Client {
    program: Program,
    stdout: ChildStdout,
    unread: Vec<u8>,
}

impl Client {
    /// Starts it with the URL as its last argument. What it prints on standard error goes into `output`.
    ///
    /// # Errors
    /// A sentence: why it did not start.
    pub(super) fn start(invocation: &Invocation, url: &str, output: &Tail) -> Result<Self, String> {
        let (program, stdout) = Program::client(&invocation.with(url), output)?;
        Ok(Client { program, stdout, unread: Vec::new() })
    }

    /// The next event that it prints. Other lines of JSON, such as `{"kind":"open"}`, are passed over.
    pub(super) async fn next(&mut self, within: Duration) -> Result<Prints, Trouble> {
        let deadline = Instant::now() + within;
        loop {
            while let Some(line) = self.line() {
                if let Some(event) = event(&line)? {
                    return Ok(Prints::Event(event));
                }
            }
            if self.unread.len() > LINE_BYTES {
                return Err(Trouble::new(format!("it printed over {LINE_BYTES} bytes without a line end"))
                    .bytes(&self.unread));
            }
            match timeout_at(deadline, self.stdout.read_buf(&mut self.unread)).await {
                Err(_) => return Ok(Prints::Quiet),
                Ok(Ok(1..)) => {}
                Ok(Ok(0) | Err(_)) => return Ok(Prints::End),
            }
        }
    }

    /// Waits until it ends by itself; `None` where it has not in time.
    pub(super) async fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        self.program.wait(within).await
    }

    /// Whether and how it has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.program.ended()
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        self.program.stop().await;
    }

    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.unread.iter().position(|&byte| byte == b'\n')?;
        let rest = self.unread.split_off(end + 1);
        Some(std::mem::replace(&mut self.unread, rest))
    }
}

/// `None` for an empty line and for what is of another kind than an event.
fn event(line: &[u8]) -> Result<Option<Printed>, Trouble> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let bad = |what: &str| {
        Trouble::new(format!("it printed a line that {what}")).bytes(line).next(
            "Print one line such as {\"id\":\"1\",\"type\":\"message\",\"data\":\"x\"} per event on \
                   standard output, and everything else on standard error.",
        )
    };
    let json: Value = serde_json::from_slice(line).map_err(|_| bad("is no JSON"))?;
    if json.get("kind").is_some_and(|kind| kind != "event") {
        return Ok(None);
    }
    let text = |key: &str| match json.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(bad(&format!("has a {key:?} which is no string"))),
    };
    Ok(Some(Printed {
        id: text("id")?.unwrap_or_default(),
        kind: text("type")?.unwrap_or_else(|| "message".to_owned()),
        data: text("data")?.ok_or_else(|| bad("has no \"data\""))?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_event_or_passed_over_or_a_reason() {
        let printed = |id: &str, kind: &str, data: &str| {
            Some(Printed { id: id.into(), kind: kind.into(), data: data.into() })
        };
        assert_eq!(event(br#"{"data":"x"}"#).unwrap(), printed("", "message", "x"));
        let ours = br#"{"kind":"event","id":null,"type":"tick","data":""}"#;
        assert_eq!(event(ours).unwrap(), printed("", "tick", ""));
        assert_eq!(event(br#"{"kind":"open"}"#).unwrap(), None);
        assert_eq!(event(b" \r\n").unwrap(), None);
        for (line, why) in
            [("hello", "no JSON"), (r#"{"id":"1"}"#, "no \"data\""), (r#"{"id":1,"data":"x"}"#, "no string")]
        {
            assert!(event(line.as_bytes()).unwrap_err().what.contains(why), "{line}");
        }
    }
}
