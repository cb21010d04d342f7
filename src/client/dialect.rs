//! How somebody else's server says what ours says in its own way.
//!
//! A value, like the policy: where an event's data stands in what is received, how a poll's answer is laid out,
//! and how a reader says where it stood. Without one the clients expect what our own server writes.

use serde_json::Value;

use crate::event::DEFAULT_TYPE;

/// What a foreign server's messages look like. By default a message is an event's data, and there is no cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dialect {
    /// Where the data stands in an event that is JSON, as a JSON Pointer (RFC 6901); the whole event is the
    /// data where there is none.
    pub data: Option<String>,
    /// Where the id stands in it.
    pub id: Option<String>,
    /// The query parameter that takes the cursor; a reader starts anew each time where there is none.
    pub after: Option<String>,
    /// How polls are answered.
    pub poll: PollDialect,
}

/// How a poll is asked and answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PollDialect {
    /// Where the list of events stands in the answer, as a JSON Pointer; the answer is one event where there
    /// is none.
    pub events: Option<String>,
    /// Where the cursor stands in it.
    pub cursor: Option<String>,
    /// The query parameter that takes the seconds to wait.
    pub wait: Option<String>,
    /// Whether the reader's place is in the answer's `Last-Modified` and `ETag`, to be handed back as
    /// `If-Modified-Since` and `If-None-Match` (RFC 9110, section 13.1).
    pub conditional: bool,
    /// Whether the first question is held as every other, since the server gives everything from its first
    /// event on: the reader then stands as soon as it has asked, and not only when it is answered.
    pub from_the_first: bool,
}

/// An event in somebody else's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) id: Option<String>,
    pub(super) kind: String,
    pub(super) data: String,
}

/// A poll's answer in somebody else's words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) cursor: Option<String>,
    pub(super) events: Vec<Told>,
}

impl Dialect {
    /// The data of an event that is more than its data; `None` where the text does not look as it should.
    pub(super) fn event(&self, text: &str) -> Option<Told> {
        let Some(pointer) = &self.data else { return Some(Told::plain(text.to_owned())) };
        let json: Value = serde_json::from_str(text).ok()?;
        self.told(&json, pointer)
    }

    /// What a poll's body says; `None` where it does not look as it should.
    pub(super) fn batch(&self, body: &[u8]) -> Option<Batch> {
        let text = std::str::from_utf8(body).ok()?;
        let Some(list) = &self.poll.events else {
            return Some(Batch { cursor: None, events: vec![self.event(text)?] });
        };
        let json: Value = serde_json::from_str(text).ok()?;
        let cursor = match &self.poll.cursor {
            Some(pointer) => Some(string_of(json.pointer(pointer)?)?),
            None => None,
        };
        let told = |event: &Value| match &self.data {
            Some(pointer) => self.told(event, pointer),
            None => string_of(event).map(Told::plain),
        };
        let events = json.pointer(list)?.as_array()?.iter().map(told).collect::<Option<Vec<_>>>()?;
        Some(Batch { cursor, events })
    }

    fn told(&self, json: &Value, data: &str) -> Option<Told> {
        let id = self.id.as_ref().and_then(|pointer| string_of(json.pointer(pointer)?));
        let kind = json.get("type").and_then(Value::as_str).unwrap_or(DEFAULT_TYPE).to_owned();
        Some(Told { id, kind, data: string_of(json.pointer(data)?)? })
    }
}

impl Told {
    fn plain(data: String) -> Self {
        Told { id: None, kind: DEFAULT_TYPE.to_owned(), data }
    }
}

/// A string; a number as its digits, since many count with numbers; anything else as its JSON.
fn string_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn students() -> Dialect {
        let pointer = |text: &str| Some(text.to_owned());
        Dialect {
            data: pointer("/data"),
            id: pointer("/id"),
            after: Some("after".to_owned()),
            poll: PollDialect {
                events: pointer("/events"),
                cursor: pointer("/cursor"),
                ..PollDialect::default()
            },
        }
    }

    #[test]
    fn ids_and_cursors_may_be_numbers_and_a_type_may_be_missing() {
        let told = students().event(r#"{"id":7,"data":"x"}"#).expect("an event");
        assert_eq!(told, Told { id: Some("7".into()), kind: "message".into(), data: "x".into() });
        let batch =
            students().batch(br#"{"cursor":7,"events":[{"id":7,"type":"t","data":"x"}]}"#).expect("one");
        assert_eq!(batch.cursor.as_deref(), Some("7"));
        assert_eq!(batch.events, [Told { id: Some("7".into()), kind: "t".into(), data: "x".into() }]);
    }

    #[test]
    fn another_shape_is_none() {
        for wrong in ["", "x", "{}", r#"{"cursor":1}"#, r#"{"cursor":1,"events":[{}]}"#, r#"{"events":[]}"#] {
            assert_eq!(students().batch(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(students().event("x"), None);
    }

    proptest! {
        #[test]
        fn without_pointers_the_text_is_the_data(text in "\\PC*") {
            prop_assert_eq!(Dialect::default().event(&text).expect("any").data, text.clone());
            let batch = Dialect::default().batch(text.as_bytes()).expect("any");
            prop_assert_eq!(batch.events, vec![Told::plain(text)]);
        }

        #[test]
        fn no_body_breaks_it(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            students().batch(&body);
        }
    }
}
