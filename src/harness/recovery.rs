//! What a cut did to a client: when it knew, when it was back, when it had caught up.
//!
//! Pure: computed after the run from what was seen and what was published.

use super::{
    publisher::Publish,
    reader::Sighting,
    record::{Moment, MomentKind, Recovery},
};
use crate::{clock::Timestamp, link::Totals};

/// What a client had spent by some moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Application bytes, both ways.
    pub bytes: u64,
    /// HTTP requests, upgrades included.
    pub requests: u64,
}

impl Spent {
    /// As a meter tells it.
    pub fn of(totals: Totals) -> Self {
        Spent { bytes: totals.application_in + totals.application_out, requests: totals.requests }
    }
}

/// What a cut did to the reader that saw `sightings`; it had `spent` so much at the cut and when the run, or
/// the time until the next cut, ended.
///
/// - *Noticed*: the first closing that it saw after the cut.
/// - *Back*: the first opening after that.
/// - *Caught up*: from then on the first moment at which it had passed every event that had been
///   acknowledged by the time it was back. Events that it will never get do not hold this up.
pub fn recovery(
    cut: Timestamp,
    sightings: &[Sighting],
    published: &[Publish],
    spent: (Spent, Spent),
) -> Recovery {
    let (at_cut, at_end) = spent;
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
            .map(|it| (it.at, Some(it.spent)))
    });
    let by_then = match caught_up {
        Some((_, Some(spent))) => spent,
        Some((back, None)) => after_cut().find(|it| it.at >= back).map_or(at_end, |sighting| sighting.spent),
        None => at_end,
    };
    let since_cut = |at: Timestamp| at.micros_since(cut) as f64 / 1e3;
    Recovery {
        cut_ms: cut.as_millis(),
        noticed_ms: noticed.map(since_cut),
        back_ms: back.map(since_cut),
        caught_up_ms: caught_up.map(|(at, _)| since_cut(at)),
        bytes_spent: by_then.bytes.saturating_sub(at_cut.bytes),
        requests_spent: by_then.requests.saturating_sub(at_cut.requests),
    }
}

/// Everything that happened, on one axis that starts at `start`; `cuts` are when each was and when it was over.
pub fn timeline(
    start: Timestamp,
    cuts: &[(Timestamp, Timestamp)],
    sightings: &[Sighting],
    published: &[Publish],
) -> Vec<Moment> {
    let moment =
        |at: Timestamp, what, detail| Moment { at_ms: at.micros_since(start) as f64 / 1e3, what, detail };
    let mut moments: Vec<_> = (1..)
        .zip(published)
        .map(|(seq, publish): (u64, _)| moment(publish.intended, MomentKind::Published, seq.to_string()))
        .collect();
    for (cut, mended) in cuts {
        moments.push(moment(*cut, MomentKind::Cut, String::new()));
        moments.push(moment(*mended, MomentKind::Mended, String::new()));
    }
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
        let spent = Spent { bytes, requests: bytes / 10 };
        Sighting { at: at(millis), what, seq, detail: String::new(), spent }
    }

    fn spent(at_cut: u64, at_end: u64) -> (Spent, Spent) {
        let spent = |bytes| Spent { bytes, requests: bytes / 10 };
        (spent(at_cut), spent(at_end))
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
        let recovery = recovery(at(150), &seen, &published(5), spent(10, 60));
        assert_eq!(recovery.noticed_ms, Some(10.0));
        assert_eq!(recovery.back_ms, Some(270.0));
        assert_eq!(recovery.caught_up_ms, Some(280.0), "4 had been acknowledged when it was back");
        assert_eq!((recovery.bytes_spent, recovery.requests_spent), (30, 3));
    }

    #[test]
    fn what_is_never_noticed_never_heals() {
        let seen = [seen(102, MomentKind::Received, Some(1), 10)];
        let recovery = recovery(at(150), &seen, &published(5), spent(10, 12));
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
        let recovery = recovery(at(110), &seen, &published(2), spent(10, 60));
        assert_eq!(recovery.caught_up_ms, recovery.back_ms);
        assert_eq!(recovery.bytes_spent, 20);
    }

    #[test]
    fn a_timeline_is_in_order_and_names_its_events() {
        let seen = [seen(102, MomentKind::Received, Some(1), 10)];
        let moments = timeline(at(50), &[(at(90), at(95))], &seen, &published(1));
        let kinds: Vec<_> = moments.iter().map(|moment| (moment.at_ms, moment.what)).collect();
        assert_eq!(
            kinds,
            [
                (40.0, MomentKind::Cut),
                (45.0, MomentKind::Mended),
                (50.0, MomentKind::Published),
                (52.0, MomentKind::Received)
            ]
        );
        assert_eq!(moments[3].detail, "1");
    }
}
