//! An observation as a line.

use std::fmt::Write as _;

use serde::Serialize;

use crate::{
    client::Observation,
    clock::Timestamp,
    encoding,
    event::{Gap, GapReason},
};

/// For programs: a JSON object, or `None` for what only people care to see.
pub(super) fn json(observation: &Observation<'_>) -> Option<String> {
    #[derive(Serialize)]
    #[serde(tag = "kind", rename_all = "lowercase")]
    enum Line<'a> {
        Open,
        Event { id: Option<&'a str>, r#type: &'a str, data: &'a str },
        Gap(Gap),
        Closed { cause: String },
        Retrying { after_ms: u64 },
    }
    let line = match *observation {
        Observation::Connecting { .. } => return None,
        Observation::Open => Line::Open,
        Observation::Event { id, kind, data } => Line::Event { id, r#type: kind, data },
        Observation::Gap(gap) => Line::Gap(gap),
        Observation::Closed { ref cause } => Line::Closed { cause: cause.to_string() },
        Observation::Retrying { after } => Line::Retrying { after_ms: after.as_millis() as u64 },
    };
    Some(encoding::json(&line))
}

/// For people: the time in UTC, the kind in a column of its own, and what there is to say, with the data
/// last, since it is what may be long.
pub(super) fn human(at: Timestamp, observation: &Observation<'_>) -> String {
    let mut line = time_of_day(at);
    // Writing to a String can't fail.
    let _ = match observation {
        Observation::Connecting { attempt: 1 } => write!(line, "  connecting"),
        Observation::Connecting { attempt } => write!(line, "  connecting  attempt {attempt}"),
        Observation::Open => write!(line, "  open"),
        Observation::Event { id, kind, data } => {
            let (id, kind) = (Printable(id.unwrap_or("-")), Printable(kind));
            write!(line, "  event       {id}  {kind}  {}", Printable(data))
        }
        Observation::Gap(gap) => {
            let missed = gap.missed.map_or("an unknown number of".to_owned(), |missed| missed.to_string());
            let reason = match gap.reason {
                GapReason::Evicted => "evicted: newer ones took their place",
                GapReason::Restarted => "the channel was restarted",
            };
            write!(line, "  gap         {missed} missing events, {reason}")
        }
        Observation::Closed { cause } => write!(line, "  closed      {}", Printable(&cause.to_string())),
        Observation::Retrying { after } => write!(line, "  retrying    in {} ms", after.as_millis()),
    };
    line
}

/// `12:34:56.789`, UTC.
fn time_of_day(at: Timestamp) -> String {
    let millis = at.as_nanos().div_euclid(1_000_000).rem_euclid(86_400_000);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    format!("{:02}:{:02}:{:02}.{millis:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A stranger's text on a terminal: what would move the cursor, colour the screen or turn the direction
/// of writing is shown as its escape.
struct Printable<'a>(&'a str);

impl std::fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for character in self.0.chars() {
            match character {
                '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                    write!(f, "{}", character.escape_unicode())?;
                }
                control if control.is_control() => write!(f, "{}", control.escape_default())?,
                plain => f.write_char(plain)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::Cause;

    const AT: Timestamp = Timestamp::from_nanos(1_700_000_000_123_456_789);

    #[test]
    fn json_lines_are_as_the_contract_says() {
        let gap = Gap { missed: None, reason: GapReason::Restarted };
        let cases = [
            (Observation::Connecting { attempt: 1 }, None),
            (Observation::Open, Some(r#"{"kind":"open"}"#)),
            (
                Observation::Event { id: Some("a-1"), kind: "tick", data: "x\ny" },
                Some(r#"{"kind":"event","id":"a-1","type":"tick","data":"x\ny"}"#),
            ),
            (
                Observation::Event { id: None, kind: "message", data: "" },
                Some(r#"{"kind":"event","id":null,"type":"message","data":""}"#),
            ),
            (Observation::Gap(gap), Some(r#"{"kind":"gap","missed":null,"reason":"restarted"}"#)),
            (
                Observation::Retrying { after: Duration::from_millis(1500) },
                Some(r#"{"kind":"retrying","after_ms":1500}"#),
            ),
            (
                Observation::Closed { cause: Cause::Closed(None) },
                Some(r#"{"kind":"closed","cause":"closed by the server"}"#),
            ),
        ];
        for (observation, line) in cases {
            assert_eq!(json(&observation).as_deref(), line);
        }
    }

    #[test]
    fn a_terminal_is_not_at_a_strangers_mercy() {
        let data = "a\u{1b}[2Jb\nc\u{202e}d\u{9b}é\"\\";
        let line = human(AT, &Observation::Event { id: None, kind: "message", data });
        assert_eq!(line, "22:13:20.123  event       -  message  a\\u{1b}[2Jb\\nc\\u{202e}d\\u{9b}é\"\\");
    }

    #[test]
    fn every_observation_is_one_line() {
        let gap = Gap { missed: Some(3), reason: GapReason::Evicted };
        for (observation, words) in [
            (Observation::Connecting { attempt: 2 }, "connecting  attempt 2"),
            (Observation::Gap(gap), "3 missing events"),
            (Observation::Closed { cause: Cause::Refused("a\nb".into()) }, "refused: a\\nb"),
            (Observation::Retrying { after: Duration::from_secs(3) }, "in 3000 ms"),
        ] {
            let line = human(AT, &observation);
            assert!(line.contains(words) && !line.contains('\n'), "{line}");
        }
    }
}
