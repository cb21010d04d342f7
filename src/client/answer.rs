//! What a poll's answer says.

use std::borrow::Cow;

use serde::Deserialize;

use crate::event::Gap;

/// A body, parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// Our server's: what came after a cursor.
    Page(Page<'a>),
    /// Somebody else's: the text as it is.
    Other(Cow<'a, str>),
}

/// What came after a cursor.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page<'a> {
    #[serde(borrow)]
    pub(super) cursor: Cow<'a, str>,
    pub(super) gap: Option<Gap>,
    #[serde(borrow)]
    pub(super) events: Vec<Item<'a>>,
}

/// An event as JSON.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Item<'a> {
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) data: Cow<'a, str>,
}

/// Parses a body. The shape decides, and nothing but the whole shape: a foreign body that happens to
/// have a `cursor` stays a foreign body.
pub(super) fn parse(body: &[u8]) -> Answer<'_> {
    match serde_json::from_slice(body) {
        Ok(page) => Answer::Page(page),
        Err(_) => Answer::Other(String::from_utf8_lossy(body)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Cursor, Draft, Epoch, GapReason};

    proptest! {
        #[test]
        fn what_our_server_writes_is_read_back(
            data in proptest::collection::vec("\\PC*|[\"\\\\\n\t]*", 0..5), missed in proptest::option::of(any::<Option<u64>>()),
        ) {
            let id = Cursor { epoch: Epoch::new(5), sequence: 7 };
            let events: Vec<_> = data.iter().map(|data| Draft::message(data.clone()).with_id(id)).collect();
            let gap = missed.map(|missed| Gap { missed, reason: GapReason::Evicted });
            let body = serde_json::json!({ "cursor": id, "gap": gap, "events": events }).to_string();
            let Answer::Page(page) = parse(body.as_bytes()) else { panic!("{body}") };
            prop_assert_eq!((page.cursor.as_ref(), page.gap), ("5-7", gap));
            let read: Vec<_> = page.events.iter().map(|item| item.data.as_ref()).collect();
            prop_assert_eq!(read, events.iter().map(|event| event.data.as_str()).collect::<Vec<_>>());
        }

        #[test]
        fn any_body_is_a_page_or_itself(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Answer::Other(text) = parse(&body) {
                prop_assert_eq!(text, String::from_utf8_lossy(&body));
            }
        }
    }

    #[test]
    fn another_shape_is_somebody_elses() {
        for body in [
            r#"{"cursor":"a-1"}"#,
            r#"{"cursor":"a-1","gap":null,"events":[],"more":1}"#,
            r#"{"cursor":1,"gap":null,"events":[]}"#,
            r#"{"cursor":"a-1","gap":null,"events":[{"id":"a-1"}]}"#,
            "[]",
            "",
        ] {
            assert_eq!(parse(body.as_bytes()), Answer::Other(body.into()));
        }
    }

    #[test]
    fn plain_strings_are_borrowed() {
        let body = r#"{"cursor":"a-1","gap":null,"events":[{"id":"a-1","type":"t","data":"plain"}]}"#;
        let Answer::Page(page) = parse(body.as_bytes()) else { panic!("ours") };
        assert!(matches!(page.events[0].data, Cow::Borrowed("plain")));
    }
}
