//! The workshop's own convention for a student's server: publishing, and polling with a cursor.
//!
//! It is the contract's shape without channels, so that a beginner's server stays small: `POST /publish` with
//! text, answered 201 `{"id"}`; `GET /poll?after=&wait=` answered `{"cursor","events":[{"id","type","data"}]}`.

use serde_json::Value;

use super::http::{Answer, Place, Request, Trouble, ask};

/// An event as a poll's answer or a message of a socket says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) data: String,
}

/// What a poll was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) cursor: String,
    pub(super) events: Vec<Told>,
}

impl Batch {
    /// The events' data, in order.
    pub(super) fn data(&self) -> Vec<&str> {
        self.events.iter().map(|event| event.data.as_str()).collect()
    }

    /// What it has, for people.
    pub(super) fn summary(&self) -> String {
        let shown: Vec<_> = self.data().into_iter().take(8).collect();
        format!("{} events: {shown:?}", self.events.len())
    }
}

/// Publishes text and returns the event's id.
pub(super) async fn publish(place: &Place, text: &str) -> Result<String, Trouble> {
    published(&ask(place, &Request::post("/publish", "text/plain", text)).await?)
}

/// Publishes an event with a type and returns its id.
pub(super) async fn publish_typed(place: &Place, kind: &str, data: &str) -> Result<String, Trouble> {
    let body = serde_json::json!({"type": kind, "data": data}).to_string();
    published(&ask(place, &Request::post("/publish", "application/json", body)).await?)
}

fn published(answer: &Answer) -> Result<String, Trouble> {
    if answer.status != 201 {
        return Err(Trouble::new(format!("POST /publish was answered {}", answer.summary()))
            .next("Answer POST /publish with status 201 and JSON such as {\"id\": \"7\"}."));
    }
    let json = answer.json()?;
    text(&json, "id")
        .ok_or_else(|| Trouble::new("the answer to POST /publish has no \"id\"").bytes(&answer.body))
}

/// Polls once. `query` is what follows the question mark, without it; may be empty.
pub(super) async fn poll(place: &Place, query: &str) -> Result<Batch, Trouble> {
    let path = if query.is_empty() { "/poll".to_owned() } else { format!("/poll?{query}") };
    let answer = ask(place, &Request::get(&path)).await?;
    if answer.status != 200 {
        return Err(Trouble::new(format!("GET {path} was answered {}", answer.summary())));
    }
    let json = answer.json()?;
    batch(&json).ok_or_else(|| {
        Trouble::new(format!(
            "the answer to GET {path} is not of the form \
             {{\"cursor\": \"…\", \"events\": [{{\"id\": \"…\", \"type\": \"…\", \"data\": \"…\"}}]}}"
        ))
        .bytes(&answer.body)
    })
}

/// Polls after a cursor, which may be anything, and waits for so many seconds where that is asked for.
pub(super) async fn poll_after(place: &Place, cursor: &str, wait_s: Option<u64>) -> Result<Batch, Trouble> {
    let cursor: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
    let wait = wait_s.map(|seconds| format!("&wait={seconds}")).unwrap_or_default();
    poll(place, &format!("after={cursor}{wait}")).await
}

fn batch(json: &Value) -> Option<Batch> {
    let events = json["events"].as_array()?.iter().map(told).collect::<Option<_>>()?;
    Some(Batch { cursor: text(json, "cursor")?, events })
}

/// `{"id","type","data"}`; the type may be left out.
pub(super) fn told(json: &Value) -> Option<Told> {
    let kind = json.get("type").filter(|kind| !kind.is_null());
    Some(Told {
        id: text(json, "id")?,
        kind: kind.map_or(Some("message"), Value::as_str)?.to_owned(),
        data: json["data"].as_str()?.to_owned(),
    })
}

/// A string, or a number as its digits: beginners count with numbers.
fn text(json: &Value, key: &str) -> Option<String> {
    match &json[key] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_cursors_may_be_numbers_and_types_left_out() {
        let json = serde_json::json!({"cursor": 7, "events": [{"id": 7, "data": "x"}]});
        let event = Told { id: "7".into(), kind: "message".into(), data: "x".into() };
        assert_eq!(batch(&json), Some(Batch { cursor: "7".into(), events: vec![event] }));
        for wrong in [r#"{"cursor":null,"events":[]}"#, r#"{"cursor":"1","events":[{"id":"1"}]}"#, "[]", "1"]
        {
            assert_eq!(batch(&serde_json::from_str(wrong).unwrap()), None, "{wrong}");
        }
    }
}
