//! A page's clock against ours.
//!
//! A browser tells the time by a clock of its own. An exchange bounds the difference: whatever one side
//! answered, it answered after it was asked and before it was heard. Each exchange gives a lower and an upper
//! bound, and all of them hold, so that the difference lies between the highest lower and the lowest upper
//! one; the quickest exchanges decide. Pure.

use crate::clock::Timestamp;

/// Bounds of what has to be added to the page's time to get ours, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) least: f64,
    pub(super) most: f64,
}

/// The difference, and how far from it the true one may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Offset {
    ms: f64,
    uncertainty_ms: f64,
}

impl Bounds {
    /// Of an exchange in which the page asked and heard, and our clock answered.
    pub(super) fn page_asked(asked: f64, ours: f64, heard: f64) -> Self {
        Bounds { least: ours - heard, most: ours - asked }
    }

    /// Of an exchange in which we asked and heard, and the page's clock answered.
    pub(super) fn we_asked(asked: Timestamp, page: f64, heard: Timestamp) -> Self {
        Bounds { least: asked.as_millis() - page, most: heard.as_millis() - page }
    }
}

impl Offset {
    /// From all exchanges; `resolution_ms` is how coarse the page's readings are. `None` where there was no
    /// exchange, or one of them contradicts another: then the clocks do not run alike.
    pub(super) fn of(exchanges: &[Bounds], resolution_ms: f64) -> Option<Self> {
        let least = exchanges.iter().map(|bounds| bounds.least).reduce(f64::max)? - resolution_ms;
        let most = exchanges.iter().map(|bounds| bounds.most).reduce(f64::min)? + resolution_ms;
        let offset = Offset { ms: least.midpoint(most), uncertainty_ms: (most - least) / 2.0 };
        (offset.uncertainty_ms >= 0.0).then_some(offset)
    }

    /// A time of the page's by our clock.
    pub(super) fn ours(self, page_ms: f64) -> Timestamp {
        Timestamp::from_millis(page_ms + self.ms)
    }

    /// How far off such a time may be, either way, in microseconds.
    pub(super) fn uncertainty_us(self) -> f64 {
        self.uncertainty_ms * 1e3
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const EPOCH: f64 = 1_700_000_000_000.0;

    #[test]
    fn two_lopsided_exchanges_bound_better_than_either() {
        // The page's clock is 100 ms behind. One question was quick and its answer slow, the other reverse.
        let quick_there = Bounds::page_asked(EPOCH, EPOCH + 100.1, EPOCH + 4.0);
        let quick_back = Bounds::page_asked(EPOCH + 10.0, EPOCH + 114.0, EPOCH + 14.2);
        let offset = Offset::of(&[quick_there, quick_back], 0.0).expect("they agree");
        assert!((offset.ms - 99.95).abs() < 1e-3, "{offset:?}");
        assert!((offset.uncertainty_us() - 150.0).abs() < 1.0, "{offset:?}");
        assert_eq!(Offset::of(&[], 0.1), None);
    }

    #[test]
    fn exchanges_that_contradict_each_other_give_nothing() {
        let before = Bounds::page_asked(EPOCH, EPOCH + 1.0, EPOCH + 2.0);
        let stepped = Bounds::page_asked(EPOCH + 10.0, EPOCH + 61.0, EPOCH + 12.0);
        assert_eq!(Offset::of(&[before, stepped], 0.1), None);
    }

    proptest! {
        /// Whatever the delays, the true time lies within what is said.
        #[test]
        fn the_true_difference_is_within_the_uncertainty(
            truth in -5_000.0..5_000.0_f64,
            exchanges in proptest::collection::vec((0.0..9.0_f64, 0.0..9.0_f64, any::<bool>()), 1..20),
        ) {
            let bounds: Vec<Bounds> = exchanges.iter().map(|&(there, back, page_asks)| {
                let asked = EPOCH + 1_000.0;
                if page_asks {
                    return Bounds::page_asked(asked - truth, asked + there, asked + there + back - truth);
                }
                let ours = |ms: f64| Timestamp::from_nanos(0) + Duration::from_secs_f64(ms / 1e3);
                Bounds::we_asked(ours(asked), asked + there - truth, ours(asked + there + back))
            }).collect();
            let offset = Offset::of(&bounds, 0.005).expect("they agree");
            prop_assert!((offset.ms - truth).abs() <= offset.uncertainty_ms + 1e-3);
        }
    }
}
