//! What a target's file says: the shape, as TOML.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::check;
use crate::{
    client::dialect::{Dialect, PollDialect},
    transport::Transport,
};

/// A server that is not ours: how it is started, published to and read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    /// Its name in records and claims.
    pub name: String,
    /// How charts call it; the name where there is none.
    #[serde(default)]
    pub label: Option<String>,
    /// What it is, in a sentence.
    pub about: String,
    /// Its base URL; `{port}` is the port that it is told to listen on.
    #[serde(default = "loopback")]
    pub url: String,
    /// Milliseconds between its heartbeats; none where it sends none.
    #[serde(default)]
    pub heartbeat_ms: Option<u64>,
    /// What has to be installed.
    #[serde(default)]
    pub install: Option<Install>,
    /// How it is started; a server that is already there has none.
    #[serde(default)]
    pub start: Option<Start>,
    /// How an event is published.
    pub publish: Publish,
    /// How it is read, by transport; what is not in it can't be measured.
    pub transport: BTreeMap<Transport, Way>,
}

/// What has to be there, and how it comes there.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// Programs that must be found.
    #[serde(default)]
    pub programs: Vec<String>,
    /// Files and folders that must be there; relative ones are looked for beside the target's file.
    #[serde(default)]
    pub files: Vec<String>,
    /// The command that installs them.
    pub by: String,
}

/// How a server is started.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The program and its arguments. `{port}`: a free port; `{dir}`: a folder for this run alone.
    pub command: Vec<String>,
    /// Where it runs, relative to the target's file.
    #[serde(default)]
    pub folder: Option<String>,
    /// Environment variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Files that are written into `{dir}` before.
    #[serde(default)]
    pub write: BTreeMap<String, String>,
    /// A path that answers, with whatever status, once it is ready; where there is none, an open port will do.
    #[serde(default)]
    pub ready: Option<String>,
    /// How many seconds it may take until then.
    #[serde(default = "patience")]
    pub within_s: f64,
}

/// How an event is published: by request, over a WebSocket, or not at all since the server does it by itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// The URL or path of the request. `{channel}`: a name for this run alone.
    #[serde(default)]
    pub url: Option<String>,
    /// The request's method.
    #[serde(default = "post")]
    pub method: String,
    /// The content type of its body.
    #[serde(default = "plain")]
    pub content_type: String,
    /// The URL or path of a WebSocket, where events are published over one.
    #[serde(default)]
    pub websocket: Option<String>,
    /// The request's body, or the message. `{data}`: the event's data; `{json}`: the same as a JSON string.
    #[serde(default = "data")]
    pub body: String,
    /// The server publishes by itself, every so many milliseconds.
    #[serde(default)]
    pub every_ms: Option<u64>,
    /// With `every_ms`: bytes of such an event's data.
    #[serde(default)]
    pub payload_bytes: Option<u32>,
    /// With `every_ms`: whether such an event's data is the time of its publishing, in Unix milliseconds.
    #[serde(default)]
    pub stamped: bool,
}

/// How a server is read by one transport.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Way {
    /// The URL or path.
    pub url: String,
    /// Whether it is no mistake where the server has no such thing: the transport is then left out.
    #[serde(default)]
    pub optional: bool,
    /// Where our data stands in an event that is JSON, as a JSON Pointer; the whole event where there is none.
    #[serde(default)]
    pub data: Option<String>,
    /// Where its id stands.
    #[serde(default)]
    pub id: Option<String>,
    /// Whether a reader that comes back gets what it missed: `none`, `last-event-id`, `query` or `conditional`.
    #[serde(default)]
    pub resume: Resume,
    /// With `query`: the parameter that takes the cursor.
    #[serde(default)]
    pub after: Option<String>,
    /// Polls: where the list of events stands in the answer; the answer is one event where there is none.
    #[serde(default)]
    pub events: Option<String>,
    /// Polls: where the cursor stands in it.
    #[serde(default)]
    pub cursor: Option<String>,
    /// Long poll: the parameter that takes the seconds to wait.
    #[serde(default)]
    pub wait: Option<String>,
    /// Polls: whether a reader without a cursor gets everything from the first event on, so that the first
    /// question may be held too.
    #[serde(default)]
    pub from_the_first: bool,
}

/// How a reader says where it stood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resume {
    /// Not at all.
    #[default]
    None,
    /// As an EventSource does.
    LastEventId,
    /// By a query parameter.
    Query,
    /// By `If-Modified-Since` and `If-None-Match`.
    Conditional,
}

/// What is wrong with a target's file: the file, the place in it, and the fix.
#[derive(Debug, thiserror::Error)]
pub enum BadTarget {
    /// Not the shape of a target; the text names line, key and what was expected.
    #[error("{file}: {problem}")]
    Shape {
        /// The file.
        file: String,
        /// What the TOML reader says.
        problem: String,
    },
    /// A value that can't be.
    #[error("{file}: {key}: {problem}")]
    Value {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What is wrong and what to write instead.
        problem: String,
    },
}

/// Why there is no such target.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// A file that can't be read.
    #[error("{file}: {source}: name a target's .toml file, such as experiments/targets/nchan.toml")]
    Unreadable {
        /// The file.
        file: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// A file that says what can't be.
    #[error(transparent)]
    Bad(#[from] BadTarget),
}

fn loopback() -> String {
    "http://127.0.0.1:{port}".to_owned()
}

fn patience() -> f64 {
    15.0
}

fn post() -> String {
    "POST".to_owned()
}

fn plain() -> String {
    "text/plain; charset=utf-8".to_owned()
}

fn data() -> String {
    "{data}".to_owned()
}

impl Description {
    /// Reads a target from its file's text; `file` is how errors call it.
    ///
    /// # Errors
    /// Where a key is unknown, missing or holds what can't be.
    pub fn parse(file: &str, text: &str) -> Result<Self, BadTarget> {
        let description: Description = toml::from_str(text).map_err(|error| BadTarget::Shape {
            file: file.to_owned(),
            problem: error.to_string().trim_end().to_owned(),
        })?;
        check::check(&description).map_err(|(key, problem)| BadTarget::Value {
            file: file.to_owned(),
            key,
            problem,
        })?;
        Ok(description)
    }

    /// How charts call it.
    pub fn label(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.name)
    }
}

impl Way {
    /// Whether a reader that comes back gets what it missed.
    pub fn resumes(&self) -> bool {
        self.resume != Resume::None
    }

    /// As the clients take it.
    pub fn dialect(&self) -> Dialect {
        Dialect {
            data: self.data.clone(),
            id: self.id.clone(),
            after: self.after.clone(),
            poll: PollDialect {
                events: self.events.clone(),
                cursor: self.cursor.clone(),
                wait: self.wait.clone(),
                conditional: self.resume == Resume::Conditional,
                from_the_first: self.from_the_first,
            },
        }
    }
}
