//! What the measured events carry: their number, and when they were meant to be published.
//!
//! The built-in source of the server writes `{"seq","at","pad"}`. The harness, where it publishes itself,
//! knows when it meant to, so that a number alone will do, in as few bytes as there are.

use serde::Deserialize;

use crate::clock::Timestamp;

/// What a measured event says of itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stamp {
    /// Its number within the run, from 1.
    pub seq: u64,
    /// When it was meant to be published, where it says.
    pub at: Option<Timestamp>,
}

/// The data of an event that the harness publishes: its number in decimal, filled with zeros in front.
/// Numbers that need more than `bytes` digits take the room that they need.
pub fn numbered(seq: u64, bytes: u32) -> String {
    let digits = seq.to_string();
    // By hand, since a format's width ends at 65,535.
    let zeros = (bytes as usize).saturating_sub(digits.len());
    "0".repeat(zeros) + &digits
}

/// The same filled with characters of two bytes behind the number, for a run that is cut within one.
pub fn accented(seq: u64, bytes: u32) -> String {
    let digits = seq.to_string().len() as u32;
    let fill = bytes.saturating_sub(digits) / FILL.len_utf8() as u32;
    numbered(seq, bytes - fill * FILL.len_utf8() as u32) + &FILL.to_string().repeat(fill as usize)
}

/// A character of two bytes.
const FILL: char = '\u{e9}';

/// Reads any of these forms. `None` for anything else: an event that no run of ours published.
pub fn read(data: &str) -> Option<Stamp> {
    if data.starts_with('{') {
        #[derive(Deserialize)]
        struct Sourced {
            seq: u64,
            at: f64,
        }
        let Sourced { seq, at } = serde_json::from_str(data).ok()?;
        return Some(Stamp { seq, at: Some(Timestamp::from_millis(at)) });
    }
    data.trim_end_matches(FILL).parse().ok().map(|seq| Stamp { seq, at: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_fills_its_payload_exactly_and_reads_back() {
        for bytes in [16, 100, 65_536] {
            let data = numbered(42, bytes);
            assert_eq!(data.len(), bytes as usize);
            assert_eq!(read(&data), Some(Stamp { seq: 42, at: None }));
        }
    }

    #[test]
    fn characters_of_two_bytes_fill_it_as_exactly() {
        for (seq, bytes) in [(42, 100), (7, 100), (12_345, 3)] {
            let data = accented(seq, bytes);
            assert_eq!(data.len(), (bytes as usize).max(seq.to_string().len()));
            assert_eq!(data.contains('\u{e9}'), bytes == 100);
            assert_eq!(read(&data), Some(Stamp { seq, at: None }));
        }
    }

    #[test]
    fn the_sources_json_carries_its_intended_time() {
        let stamp = read(r#"{"seq":7,"at":1700000000123.456,"pad":"xx"}"#).expect("the source's form");
        assert_eq!(stamp.seq, 7);
        assert_eq!(stamp.at.map(|at| at.to_string()).as_deref(), Some("1700000000123.456"));
        assert_eq!(read("hello"), None);
        assert_eq!(read("{}"), None);
    }
}
