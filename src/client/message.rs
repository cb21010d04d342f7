//! What a WebSocket message says.

use std::borrow::Cow;

use serde::Deserialize;

use crate::event::Gap;

/// A text message, parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// Where the reader stands: `{"cursor"}`.
    Cursor(Cow<'a, str>),
    /// `{"id","type","data"}`.
    Event { id: Cow<'a, str>, kind: Cow<'a, str>, data: Cow<'a, str> },
    /// `{"gap":{…}}`.
    Gap(Gap),
    /// `{"published":{"id"}}`, the answer to a publish.
    Published,
    /// `{"error"}`.
    Error(Cow<'a, str>),
    /// Not one of our server's.
    Other,
}

/// Parses a text. The shape decides, and nothing but the whole shape: a foreign message that happens to
/// have an `id` stays a foreign message.
pub(super) fn parse(text: &str) -> Message<'_> {
    // Most foreign messages are told apart without an attempt at parsing.
    if !text.starts_with('{') {
        return Message::Other;
    }
    match serde_json::from_str(text) {
        Ok(Wire {
            id: Some(id),
            kind: Some(kind),
            data: Some(data),
            cursor: None,
            gap: None,
            published: None,
            error: None,
        }) => Message::Event { id: id.0, kind: kind.0, data: data.0 },
        Ok(Wire { id: None, kind: None, data: None, cursor, gap, published, error }) => {
            match (cursor, gap, published, error) {
                (Some(cursor), None, None, None) => Message::Cursor(cursor.0),
                (None, Some(gap), None, None) => Message::Gap(gap),
                (None, None, Some(_), None) => Message::Published,
                (None, None, None, Some(error)) => Message::Error(error.0),
                _ => Message::Other,
            }
        }
        _ => Message::Other,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    cursor: Option<Text<'a>>,
    gap: Option<Gap>,
    #[serde(borrow)]
    published: Option<Published<'a>>,
    #[serde(borrow)]
    error: Option<Text<'a>>,
}

/// Serde borrows a `Cow` field, but not one inside an `Option`.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published<'a> {
    #[serde(rename = "id", borrow)]
    _id: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        encoding::event_json,
        event::{Cursor, Draft, Epoch, GapReason},
    };

    proptest! {
        #[test]
        fn what_our_server_writes_is_read_back(kind in "[a-z\"ä]{1,8}", text in "\\PC*|[\"\\\\\n\t]*") {
            prop_assume!(kind != "gap");
            let id = Cursor { epoch: Epoch::new(5), sequence: 7 };
            let event = Draft::new(Some(&kind), text.clone()).expect("a good type").with_id(id);
            let expected = Message::Event { id: "5-7".into(), kind: kind.into(), data: event.data.as_str().into() };
            let json = event_json(&event);
            prop_assert_eq!(parse(&json), expected);
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC*|[{}\":,a-z0-9\\[\\]]*") {
            parse(&text);
        }
    }

    #[test]
    fn each_kind_is_known_by_its_whole_shape() {
        assert_eq!(parse(r#"{"cursor":"a-1"}"#), Message::Cursor("a-1".into()));
        let gap = Gap { missed: None, reason: GapReason::Restarted };
        assert_eq!(parse(r#"{"gap":{"missed":null,"reason":"restarted"}}"#), Message::Gap(gap));
        assert_eq!(parse(r#"{"published":{"id":"a-1"}}"#), Message::Published);
        assert_eq!(parse(r#"{"error":"no"}"#), Message::Error("no".into()));
        for foreign in [
            "hello",
            "",
            "{}",
            "[1]",
            r#"{"id":"a-1","type":"t"}"#,
            r#"{"id":1,"type":"t","data":"d"}"#,
            r#"{"id":"a-1","type":"t","data":"d","more":1}"#,
            r#"{"id":"a-1","type":"t","data":"d","cursor":"a-1"}"#,
            r#"{"gap":true}"#,
            r#"{"published":{"id":"a-1","x":1}}"#,
        ] {
            assert_eq!(parse(foreign), Message::Other, "{foreign}");
        }
    }

    #[test]
    fn plain_strings_are_borrowed() {
        let Message::Event { data, .. } = parse(r#"{"id":"a-1","type":"t","data":"plain"}"#) else {
            panic!("an event")
        };
        assert!(matches!(data, Cow::Borrowed("plain")));
    }
}
