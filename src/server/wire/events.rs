//! Which bytes of an event stream are framing and which are data.

use super::layer::Layer;

/// A reader of `text/event-stream`, byte by byte: what a byte is depends on its line alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventFields {
    /// In a field's name, of which so many bytes are those of `data`; more than it has: another field.
    Name(usize),
    /// After the colon of `data`, where one space belongs to the framing.
    Colon,
    /// In a value of `data`.
    Data,
    /// In any other value, or in a comment.
    Other,
}

const DATA: &[u8] = b"data";
const ANOTHER: usize = DATA.len() + 1;

impl EventFields {
    pub(super) const START: EventFields = EventFields::Name(0);

    /// The layer of the next byte.
    pub(super) fn step(&mut self, byte: u8) -> Layer {
        if byte == b'\n' || byte == b'\r' {
            *self = EventFields::START;
            return Layer::Sse;
        }
        match *self {
            EventFields::Name(matched) => {
                *self = match byte {
                    b':' if matched == DATA.len() => EventFields::Colon,
                    b':' => EventFields::Other,
                    byte if DATA.get(matched) == Some(&byte) => EventFields::Name(matched + 1),
                    _ => EventFields::Name(ANOTHER),
                };
                Layer::Sse
            }
            EventFields::Colon => {
                *self = EventFields::Data;
                if byte == b' ' { Layer::Sse } else { Layer::Payload }
            }
            EventFields::Data => Layer::Payload,
            EventFields::Other => Layer::Sse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_of_data_are_payload() {
        let text = "data: a\ndata:b\r\ndata:  c\ndatax: d\ndat: e\n: data: f\nid: g\ndata\ndata:\n\n";
        let mut fields = EventFields::START;
        let payload: String =
            text.bytes().filter(|&byte| fields.step(byte) == Layer::Payload).map(char::from).collect();
        assert_eq!(payload, "ab c");
    }
}
