//! What many readers do that are cut at the same moment.
//!
//! Pure: computed after the run from what each of them saw. An attempt is counted when the client begins it;
//! on one machine that is when it reaches the server, or would if the server were there.

use super::{
    reader::Sighting,
    record::{MomentKind, Storm},
};
use crate::clock::Timestamp;

/// The length of a bucket in milliseconds.
pub const BUCKET_MS: f64 = 100.0;

/// What the readers that saw `sightings` did from the cut to the end.
pub fn storm(cut: Timestamp, end: Timestamp, sightings: &[Vec<Sighting>]) -> Storm {
    let since_cut = |at: Timestamp| at.micros_since(cut) as f64 / 1e3;
    let buckets = (since_cut(end) / BUCKET_MS).ceil().max(1.0) as usize;
    let (mut connects, mut reached, mut back) = (vec![0; buckets], vec![0; buckets], vec![0; buckets]);
    let count = |list: &mut Vec<u64>, ms: f64| {
        // What comes after the end is not measured.
        if let Some(bucket) = list.get_mut((ms / BUCKET_MS) as usize) {
            *bucket += 1;
        }
    };
    let (mut lost, mut times) = (0, Vec::new());
    for reader in sightings {
        let after_cut = || reader.iter().filter(|it| it.at >= cut);
        let Some(closed) = after_cut().find(|it| it.what == MomentKind::Closed) else { continue };
        lost += 1;
        for (number, attempt) in reader.iter().enumerate() {
            if attempt.at < cut || attempt.what != MomentKind::Connecting {
                continue;
            }
            count(&mut connects, since_cut(attempt.at));
            if !was_refused(&reader[number + 1..]) {
                count(&mut reached, since_cut(attempt.at));
            }
        }
        let returned =
            after_cut().find(|it| it.what == MomentKind::Open && it.at >= closed.at && it.at <= end);
        if let Some(returned) = returned {
            count(&mut back, since_cut(returned.at));
            times.push(since_cut(returned.at));
        }
    }
    times.sort_by(f64::total_cmp);
    let share = |share: f64| {
        let nth = ((lost as f64 * share).ceil() as usize).max(1);
        times.get(nth - 1).copied()
    };
    let peak = |list: &[u64]| list.iter().copied().max().unwrap_or(0) as f64 * 1e3 / BUCKET_MS;
    Storm {
        cut: lost,
        bucket_ms: BUCKET_MS,
        peak_connects_per_second: peak(&connects),
        peak_reached_per_second: peak(&reached),
        connects,
        reached,
        back,
        back_p50_ms: share(0.5),
        back_p95_ms: share(0.95),
        back_max_ms: share(1.0),
        bystanders: None,
    }
}

/// Whether an attempt to connect came to nothing, by what was seen after it.
fn was_refused(after: &[Sighting]) -> bool {
    after
        .first()
        .is_some_and(|next| next.what == MomentKind::Closed && next.detail.starts_with(NO_CONNECTION))
}

/// How the words of [`Cause::Connect`](crate::client::Cause::Connect) begin.
const NO_CONNECTION: &str = "could not connect";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::harness::recovery::Spent;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(0) + Duration::from_millis(millis)
    }

    fn reader(moments: &[(u64, MomentKind)]) -> Vec<Sighting> {
        let seen = |&(ms, what)| Sighting {
            at: at(ms),
            what,
            seq: None,
            detail: String::new(),
            spent: Spent::default(),
        };
        moments.iter().map(seen).collect()
    }

    #[test]
    fn what_was_refused_did_not_reach_the_server() {
        use MomentKind::{Closed, Connecting, Open};
        let mut seen = reader(&[
            (1_000, Closed),
            (1_010, Connecting),
            (1_011, Closed),
            (1_150, Connecting),
            (1_160, Open),
        ]);
        seen[2].detail = crate::client::Cause::Connect("refused".to_owned()).to_string();
        let storm = storm(at(1_000), at(1_300), &[seen]);
        assert_eq!((storm.connects, storm.reached), (vec![1, 1, 0], vec![0, 1, 0]));
        assert_eq!(storm.peak_reached_per_second, 10.0);
    }

    #[test]
    fn attempts_are_counted_by_bucket_and_returns_by_share() {
        use MomentKind::{Closed, Connecting, Open};
        let readers = [
            reader(&[(10, Connecting), (20, Open), (1_000, Closed), (1_150, Connecting), (1_160, Open)]),
            reader(&[
                (10, Open),
                (1_001, Closed),
                (1_199, Connecting),
                (1_250, Closed),
                (1_420, Connecting),
                (1_430, Open),
            ]),
            reader(&[(10, Open), (1_002, Closed), (1_180, Connecting)]),
            reader(&[(10, Open)]),
        ];
        let storm = storm(at(1_000), at(1_500), &readers);
        assert_eq!(storm.cut, 3, "the fourth was not cut");
        assert_eq!(storm.connects, [0, 3, 0, 0, 1]);
        assert_eq!(storm.reached, storm.connects);
        assert_eq!(storm.back, [0, 1, 0, 0, 1]);
        assert_eq!(storm.peak_connects_per_second, 30.0);
        assert_eq!((storm.back_p50_ms, storm.back_p95_ms, storm.back_max_ms), (Some(430.0), None, None));
    }
}
