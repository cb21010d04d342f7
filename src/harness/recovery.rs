//! What a cut did to a client: when it knew, when it was back, when it had caught up.
//!
//! Pure: computed after the run from what was seen and what was published.

use super::{
    publisher::Publish,
    reader::Sighting,
    record::{Moment, MomentKind, Recovery},
};
use crate::clock::Timestamp;

/// What a cut did to the reader that saw `sightings`; `end_bytes` had passed when the run ended.
///
/// - *Noticed*: the first closing that it saw after the cut.
/// - *Back*: the first opening after that.
/// - *Caught up*: from then on the first moment at which it had passed every event that had been
///   acknowledged by the time it was back. Events that it will never get do not hold this up.
pub fn recovery(
    cut: Timestamp,
    sightings: &[Sighting],
    published: &[Publish],
    bytes: (u64, u64),
) -> Recovery {
    let (bytes_at_cut, bytes_at_end) = bytes;
    let after_cut = || sightings.iter().filter(move |sighting| sighting.at >= cut);
    let noticed = after_cut().find(|sighting| sighting.what == MomentKind::Closed).map(|it| it.at);
    let back = noticed
        .and_then(|noticed| after_cut().find(|it| it.at >= noticed && it.what == MomentKind::Open))
        .map(|it| it.at);
    let caught_up = back.and_then(|back| {
        let last = published.iter().filter(|publish| publish.acknowledged <= back).count() as u64;
        if sightings.iter().any(|it| it.at <= back && it.seq >= Some(last)) {
            return Some((back, None));
        }
        after_cut()
            .find(|it| it.at >= back && it.seq.is_some_and(|seq| seq >= last))
            .map(|it| (it.at, Some(it.bytes)))
    });
    let bytes_by_then = match caught_up {
        Some((_, Some(bytes))) => bytes,
        Some((back, None)) => {
            after_cut().find(|it| it.at >= back).map_or(bytes_at_end, |sighting| sighting.bytes)
        }
        None => bytes_at_end,
    };
    let since_cut = |at: Timestamp| at.micros_since(cut) as f64 / 1e3;
    Recovery {
        cut_ms: cut.as_millis(),
        noticed_ms: noticed.map(since_cut),
        back_ms: back.map(since_cut),
        caught_up_ms: caught_up.map(|(at, _)| since_cut(at)),
        bytes_spent: bytes_by_then.saturating_sub(bytes_at_cut),
    }
}

/// Everything that happened, on one axis that starts at `start`.
pub fn timeline(
    start: Timestamp,
    (cut, mended): (Timestamp, Option<Timestamp>),
    sightings: &[Sighting],
    published: &[Publish],
) -> Vec<Moment> {
    let moment =
        |at: Timestamp, what, detail| Moment { at_ms: at.micros_since(start) as f64 / 1e3, what, detail };
    let mut moments: Vec<_> = (1..)
        .zip(published)
        .map(|(seq, publish): (u64, _)| moment(publish.intended, MomentKind::Published, seq.to_string()))
        .collect();
    moments.push(moment(cut, MomentKind::Cut, String::new()));
    moments.extend(mended.map(|at| moment(at, MomentKind::Mended, String::new())));
    moments.extend(sightings.iter().map(|seen| {
        let detail = seen.seq.map_or_else(|| seen.detail.clone(), |seq| seq.to_string());
        moment(seen.at, seen.what, detail)
    }));
    moments.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
    moments
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(0) + Duration::from_millis(millis)
    }

    fn seen(millis: u64, what: MomentKind, seq: Option<u64>, bytes: u64) -> Sighting {
        Sighting { at: at(millis), what, seq, detail: String::new(), bytes }
    }

    /// Events 1… published every 100 ms from 100 ms on.
    fn published(count: u64) -> Vec<Publish> {
        (1..=count).map(|seq| Publish { intended: at(100 * seq), acknowledged: at(100 * seq + 1) }).collect()
    }

    #[test]
    fn a_cut_is_noticed_healed_and_made_good() {
        let seen = [
            seen(102, MomentKind::Received, Some(1), 10),
            seen(160, MomentKind::Closed, None, 10),
            seen(420, MomentKind::Open, None, 30),
            seen(425, MomentKind::Received, Some(2), 35),
            seen(430, MomentKind::Received, Some(4), 40),
            seen(502, MomentKind::Received, Some(5), 50),
        ];
        let recovery = recovery(at(150), &seen, &published(5), (10, 60));
        assert_eq!(recovery.noticed_ms, Some(10.0));
        assert_eq!(recovery.back_ms, Some(270.0));
        assert_eq!(recovery.caught_up_ms, Some(280.0), "4 had been acknowledged when it was back");
        assert_eq!(recovery.bytes_spent, 30);
    }

    #[test]
    fn what_is_never_noticed_never_heals() {
        let seen = [seen(102, MomentKind::Received, Some(1), 10)];
        let recovery = recovery(at(150), &seen, &published(5), (10, 12));
        assert_eq!((recovery.noticed_ms, recovery.back_ms, recovery.caught_up_ms), (None, None, None));
        assert_eq!(recovery.bytes_spent, 2);
    }

    #[test]
    fn a_cut_between_two_events_leaves_nothing_to_catch_up_with() {
        let seen = [
            seen(102, MomentKind::Received, Some(1), 10),
            seen(120, MomentKind::Closed, None, 10),
            seen(150, MomentKind::Open, None, 30),
            seen(202, MomentKind::Received, Some(2), 40),
        ];
        let recovery = recovery(at(110), &seen, &published(2), (10, 60));
        assert_eq!(recovery.caught_up_ms, recovery.back_ms);
        assert_eq!(recovery.bytes_spent, 20);
    }

    #[test]
    fn a_timeline_is_in_order_and_names_its_events() {
        let seen = [seen(102, MomentKind::Received, Some(1), 10)];
        let moments = timeline(at(50), (at(90), None), &seen, &published(1));
        let kinds: Vec<_> = moments.iter().map(|moment| (moment.at_ms, moment.what)).collect();
        assert_eq!(
            kinds,
            [(40.0, MomentKind::Cut), (50.0, MomentKind::Published), (52.0, MomentKind::Received)]
        );
        assert_eq!(moments[2].detail, "1");
    }
}
