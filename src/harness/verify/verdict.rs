//! Counted against captured.

use super::flow::{Flow, Way};
use crate::{harness::definition::Subject, link::Totals};

/// One exchange: what was counted and what was captured, both directions together.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Which transport.
    pub subject: Subject,
    /// Bytes of each event's data.
    pub payload: usize,
    /// Bytes in the TCP streams, by our counters.
    pub application_counted: u64,
    /// The same, by the capture.
    pub application_captured: u64,
    /// Bytes at the IP layer, by our counters.
    pub wire_counted: u64,
    /// The same, by the capture.
    pub wire_captured: u64,
    /// What follows.
    pub verdict: Verdict,
}

/// What follows from a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Equal to the byte, in both directions.
    Equal,
    /// Application bytes are equal, and every byte by which wire bytes differ is accounted for: by what.
    Explained(String),
    /// They differ: where.
    Differs(String),
}

/// `None` where the kernel did not count.
pub(super) fn compare(subject: Subject, payload: usize, counted: &Totals, flow: &Flow) -> Option<Row> {
    let ways = [
        ("in", &flow.incoming, counted.application_in, counted.wire_in?, counted.segments_in?),
        ("out", &flow.outgoing, counted.application_out, counted.wire_out?, counted.segments_out?),
    ];
    let (mut differs, mut explained) = (Vec::new(), Vec::new());
    for (name, way, application, wire, segments) in ways {
        if application != way.application {
            differs.push(format!(
                "{name}: {application} application bytes were counted and {} captured",
                way.application
            ));
        } else if wire != way.wire {
            match explanation(way, name == "in", wire, segments) {
                Some(words) => explained.push(format!("{name}: {words}")),
                None => differs.push(format!(
                    "{name}: {wire} wire bytes in {segments} segments were counted, and {} in {} captured",
                    way.wire, way.segments
                )),
            }
        }
    }
    let verdict = match (differs.is_empty(), explained.is_empty()) {
        (true, true) => Verdict::Equal,
        (true, false) => Verdict::Explained(explained.join("; ")),
        (false, _) => Verdict::Differs(differs.join("; ")),
    };
    Some(Row {
        subject,
        payload,
        application_counted: counted.application_in + counted.application_out,
        application_captured: flow.incoming.application + flow.outgoing.application,
        wire_counted: counted.wire_in? + counted.wire_out?,
        wire_captured: flow.incoming.wire + flow.outgoing.wire,
        verdict,
    })
}

/// Why the kernel's count of one direction differs from the capture's, if that accounts for every byte.
fn explanation(way: &Way, incoming: bool, wire: u64, segments: u64) -> Option<String> {
    let mut words = Vec::new();
    let mut expected = way.wire as i64;
    if way.hidden_headers > 0 {
        expected += way.hidden_headers as i64;
        words.push(format!(
            "{} packets stand for {} segments ({:+} B of headers)",
            way.packets, way.segments, way.hidden_headers
        ));
    }
    // The kernel counts what it takes in once, and what it sends as often as it sends it.
    if incoming && way.repeated > 0 {
        expected -= way.repeated as i64;
        words.push(format!("{} B came again", way.repeated));
    }
    if way.unusual_headers != 0 {
        expected -= way.unusual_headers;
        words.push(format!("{:+} B of options in some headers, such as SACK", way.unusual_headers));
    }
    let late = usize::try_from(way.segments.checked_sub(segments)?).ok()?;
    if late > 0 {
        let late: &[u64] = way.tail.get(way.tail.len().checked_sub(late)?..)?;
        expected -= late.iter().sum::<u64>() as i64;
        words.push(format!(
            "{} bare ACK or FIN, {} B, after the last reading",
            late.len(),
            late.iter().sum::<u64>()
        ));
    }
    (expected == wire as i64).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Transport;

    fn counted(wire_in: u64, segments_in: u64) -> Totals {
        Totals {
            application_in: 2_500,
            wire_in: Some(wire_in),
            segments_in: Some(segments_in),
            wire_out: Some(0),
            segments_out: Some(0),
            ..Totals::default()
        }
    }

    fn captured() -> Flow {
        let incoming = Way {
            packets: 4,
            segments: 6,
            wire: 2_716,
            application: 2_500,
            repeated: 0,
            hidden_headers: 104,
            unusual_headers: 0,
            tail: vec![52],
        };
        Flow { incoming, outgoing: Way::default() }
    }

    fn verdict(wire: u64, segments: u64) -> Verdict {
        let sse = Subject::Transport(Transport::Sse);
        compare(sse, 1, &counted(wire, segments), &captured()).expect("counted").verdict
    }

    #[test]
    fn only_a_difference_that_is_accounted_for_is_explained() {
        assert_eq!(verdict(2_716, 4), Verdict::Equal);
        let Verdict::Explained(words) = verdict(2_820, 6) else { panic!("not explained") };
        assert!(words.contains("4 packets stand for 6 segments"), "{words}");
        let Verdict::Explained(words) = verdict(2_768, 5) else { panic!("not explained") };
        assert!(words.contains("1 bare ACK or FIN, 52 B"), "{words}");
        assert!(matches!(verdict(2_821, 6), Verdict::Differs(_)), "one byte is a difference");
        assert!(matches!(verdict(2_900, 7), Verdict::Differs(_)), "more segments than there were");
    }

    #[test]
    fn application_bytes_have_no_excuse() {
        let mut flow = captured();
        flow.incoming.application -= 1;
        let row = compare(Subject::Floor, 1, &counted(2_716, 4), &flow).expect("counted");
        let Verdict::Differs(words) = row.verdict else { panic!("{row:?}") };
        assert!(words.contains("2500 application bytes were counted and 2499 captured"), "{words}");
        assert_eq!(compare(Subject::Floor, 1, &Totals { wire_in: None, ..counted(0, 0) }, &flow), None);
    }
}
