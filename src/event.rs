//! What travels: an [`Event`], the [`Cursor`] after it, and the [`Gap`] that says what is missing.
//!
//! Their JSON is the same wherever JSON is spoken: `{"id":"…","type":"…","data":"…"}` for an event,
//! `{"missed":n|null,"reason":"evicted"|"restarted"}` for a gap, a plain string for a cursor.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Which life of a channel a cursor belongs to.
///
/// A channel draws a new epoch whenever its history is lost, so that an old cursor can never be mistaken
/// for a new one. Written in base 36, at most 13 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// An epoch that no other life of a channel has, but for one chance in 10¹². Always eight characters
    /// long, so that what is measured in bytes does not depend on chance.
    pub fn random() -> Self {
        Epoch(rand::random_range(36_u64.pow(7)..36_u64.pow(8)))
    }

    /// A known epoch, for tests and for stores that remember theirs.
    pub const fn new(value: u64) -> Self {
        Epoch(value)
    }

    /// The number behind the text.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        let mut text = [0_u8; 13];
        let mut start = text.len();
        let mut rest = self.0;
        loop {
            start -= 1;
            text[start] = DIGITS[(rest % 36) as usize];
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        f.write_str(str::from_utf8(&text[start..]).map_err(|_| fmt::Error)?)
    }
}

/// A place in a channel's log: everything up to and including `sequence` has been read.
///
/// Opaque to clients, who only hand it back. Its text is `<epoch>-<sequence>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// Which life of the channel.
    pub epoch: Epoch,
    /// The number of the last event that was read; the first event of an epoch has number 1.
    pub sequence: u64,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.sequence)
    }
}

/// A text that is no cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "bad cursor {0:?}: hand back an id or cursor exactly as it was received, or leave it out to start at the present"
)]
pub struct BadCursor(String);

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (epoch, sequence) = text.split_once('-')?;
            let epoch = Epoch(u64::from_str_radix(epoch, 36).ok()?);
            let cursor = Cursor { epoch, sequence: sequence.parse().ok()? };
            // One cursor has one text: no signs, leading zeros or capitals.
            (cursor.to_string() == text).then_some(cursor)
        };
        // A stranger may send a text of any length; the error quotes the beginning.
        parse().ok_or_else(|| BadCursor(text.chars().take(40).collect()))
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// An event as it stands in a channel's log and as readers get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The cursor that a reader has once it has read this event.
    pub id: Cursor,
    /// A short name, `message` where the publisher gave none.
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// Any text; its lines end in LF.
    pub data: String,
}

/// What a publisher hands in: an event without its id, checked and normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    kind: Cow<'static, str>,
    data: String,
}

/// The type of an event that was given none, and the one that SSE leaves out on the wire.
pub const DEFAULT_TYPE: &str = "message";

/// The type that SSE uses to announce a gap, and that no publisher may therefore use.
pub const GAP_TYPE: &str = "gap";

/// The longest type, in bytes.
pub const MAX_TYPE_BYTES: usize = 64;

impl Draft {
    /// Checks a publisher's event and brings its line ends to LF, since SSE can't carry a CR.
    ///
    /// # Errors
    /// Where the type is too long, reserved, or holds a character that would break out of an SSE field.
    pub fn new(kind: Option<&str>, data: impl Into<String>) -> Result<Self, BadType> {
        let kind = match kind {
            None | Some("" | DEFAULT_TYPE) => Cow::Borrowed(DEFAULT_TYPE),
            Some(GAP_TYPE) => return Err(BadType::Reserved),
            Some(kind) if kind.len() > MAX_TYPE_BYTES => return Err(BadType::TooLong),
            Some(kind) if kind.contains(['\r', '\n', '\0']) => return Err(BadType::BreaksField),
            Some(kind) => Cow::Owned(kind.to_owned()),
        };
        let mut data = data.into();
        if data.contains('\r') {
            data = data.replace("\r\n", "\n").replace('\r', "\n");
        }
        Ok(Draft { kind, data })
    }

    /// An event of the default type.
    pub fn message(data: impl Into<String>) -> Self {
        Draft::new(None, data).expect("the default type is a good one")
    }

    /// What the event counts against the bounds of its channel, in bytes.
    pub fn size(&self) -> usize {
        self.kind.len() + self.data.len()
    }

    /// The event, once its place in the log is known.
    pub fn with_id(self, id: Cursor) -> Event {
        Event { id, kind: self.kind, data: self.data }
    }
}

/// Why a publisher's type was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadType {
    /// Longer than [`MAX_TYPE_BYTES`].
    #[error("the event type is longer than {MAX_TYPE_BYTES} bytes: use a short name")]
    TooLong,
    /// The name that announces gaps.
    #[error("the event type \"gap\" is reserved for announcing missed events: use another name")]
    Reserved,
    /// A newline or NUL, which no SSE field can carry.
    #[error("the event type holds a newline or NUL, which an SSE field can't carry: leave it out")]
    BreaksField,
}

/// Events that a reader asked for and that no longer exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// How many, or `None` where that can't be known.
    pub missed: Option<u64>,
    /// Why they are gone.
    pub reason: GapReason,
}

/// Why events are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The log is bounded, and newer events took their place.
    Evicted,
    /// The channel lost its history, most likely because the server was started again.
    Restarted,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(epoch: u64, sequence: u64) {
            let cursor = Cursor { epoch: Epoch(epoch), sequence };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn any_text_is_a_cursor_or_an_error(text in "[0-9a-zA-Z+-]{0,40}") {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }

        #[test]
        fn published_data_has_no_carriage_return(data in "[ab\r\n]{0,12}") {
            let draft = Draft::message(data.clone());
            prop_assert!(!draft.data.contains('\r'));
            prop_assert_eq!(draft.data.lines().count(), data.replace("\r\n", "\n").replace('\r', "\n").lines().count());
        }
    }

    #[test]
    fn a_type_that_would_break_an_sse_field_is_refused() {
        for bad in ["a\nb", "a\rb", "a\0b"] {
            assert_eq!(Draft::new(Some(bad), ""), Err(BadType::BreaksField));
        }
        assert_eq!(Draft::new(Some("gap"), ""), Err(BadType::Reserved));
        assert_eq!(Draft::new(Some(&"x".repeat(65)), ""), Err(BadType::TooLong));
        assert_eq!(Draft::new(Some(""), "x"), Draft::new(None, "x"));
    }

    #[test]
    fn json_is_as_the_contract_says() {
        let id = Cursor { epoch: Epoch(35), sequence: 7 };
        let event = Draft::message("a\r\nb").with_id(id);
        let json = serde_json::to_string(&event).expect("plain data");
        assert_eq!(json, r#"{"id":"z-7","type":"message","data":"a\nb"}"#);
        let gap = Gap { missed: None, reason: GapReason::Restarted };
        assert_eq!(
            serde_json::to_string(&gap).expect("plain data"),
            r#"{"missed":null,"reason":"restarted"}"#
        );
    }
}
