//! How long to wait before a connection is tried again.
//!
//! Pure: the caller says how often it has waited and hands in the randomness, so the tests never sleep.

use std::time::Duration;

use rand::{Rng, RngExt as _};

use super::Reconnect;

/// The wait before the next attempt, or `None` to give up.
///
/// `waited` is how often the client has waited since it was last open, from 0; `standard` is what the
/// transport does by itself.
///
/// With jitter it is the *full jitter* of Marc Brooker, "Exponential Backoff And Jitter" (AWS
/// Architecture Blog, 2015): a draw from the whole of `[0, min(cap, base × 2ⁿ)]`. It spreads the return of
/// clients that were cut at the same moment, and there needs the fewest calls of the schemes compared.
pub fn wait(
    reconnect: Reconnect,
    standard: Option<Duration>,
    waited: u32,
    random: &mut impl Rng,
) -> Option<Duration> {
    match reconnect {
        Reconnect::Standard => standard,
        Reconnect::Never => None,
        Reconnect::Fixed(wait) => Some(wait),
        Reconnect::Exponential { base, cap, jitter } => {
            let factor = 2_u32.checked_pow(waited).unwrap_or(u32::MAX);
            let full = base.checked_mul(factor).unwrap_or(Duration::MAX).min(cap);
            Some(if jitter { full.mul_f64(random.random_range(0.0..=1.0)).min(full) } else { full })
        }
    }
}

/// The longest that a server's `Retry-After` keeps a client away: a server that says "tomorrow" by mistake
/// must not end a subscription.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// The wait where the server asked not to be tried again before `retry_after`: the longer of the two, and at
/// most [`LONGEST_RETRY_AFTER`] for the server's part. A wait that was drawn at random comes on top, since all
/// whom the server told the same time would be back at the same moment.
pub fn no_sooner(reconnect: Reconnect, wait: Duration, retry_after: Option<Duration>) -> Duration {
    let Some(retry_after) = retry_after.map(|asked| asked.min(LONGEST_RETRY_AFTER)) else { return wait };
    match reconnect {
        Reconnect::Exponential { jitter: true, .. } => retry_after.saturating_add(wait),
        _ => retry_after.max(wait),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng as _, rngs::SmallRng};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn random() -> SmallRng {
        SmallRng::seed_from_u64(7)
    }

    #[test]
    fn waits_double_up_to_the_cap() {
        let reconnect = Reconnect::Exponential { base: 100 * MS, cap: 1000 * MS, jitter: false };
        let waits: Vec<_> = (0..6).map(|waited| wait(reconnect, None, waited, &mut random())).collect();
        let expected = [100, 200, 400, 800, 1000, 1000].map(|ms| Some(ms * MS));
        assert_eq!(waits, expected);
    }

    #[test]
    fn jitter_fills_the_whole_range_and_follows_the_seed() {
        let reconnect = Reconnect::Exponential { base: 100 * MS, cap: 800 * MS, jitter: true };
        let draw = |mut random: SmallRng| -> Vec<Duration> {
            (0..1000).filter_map(|_| wait(reconnect, None, 9, &mut random)).collect()
        };
        let waits = draw(random());
        assert_eq!(waits, draw(random()));
        assert!(waits.iter().all(|wait| *wait <= 800 * MS));
        let in_each_quarter = (0..4).map(|quarter| {
            waits.iter().filter(|wait| (200 * quarter * MS..200 * (quarter + 1) * MS).contains(*wait)).count()
        });
        for count in in_each_quarter {
            assert!((150..350).contains(&count), "a quarter of the range holds {count} of 1,000 draws");
        }
    }

    #[test]
    fn the_others_are_what_they_say() {
        assert_eq!(wait(Reconnect::Standard, Some(3 * MS), 5, &mut random()), Some(3 * MS));
        assert_eq!(wait(Reconnect::Standard, None, 0, &mut random()), None);
        assert_eq!(wait(Reconnect::Never, Some(MS), 0, &mut random()), None);
        assert_eq!(wait(Reconnect::Fixed(2 * MS), None, 40, &mut random()), Some(2 * MS));
    }

    #[test]
    fn nobody_returns_sooner_than_the_server_asked_nor_waits_for_ever() {
        let fixed = Reconnect::Fixed(3 * MS);
        let jitter = Reconnect::Exponential { base: MS, cap: MS, jitter: true };
        let second = Duration::from_secs(1);
        assert_eq!(no_sooner(fixed, 3 * MS, None), 3 * MS);
        assert_eq!(no_sooner(fixed, 3 * MS, Some(second)), second);
        assert_eq!(no_sooner(fixed, 3 * second, Some(second)), 3 * second);
        assert_eq!(no_sooner(jitter, 7 * MS, Some(second)), second + 7 * MS);
        assert_eq!(no_sooner(fixed, MS, Some(Duration::MAX)), LONGEST_RETRY_AFTER);
    }

    proptest! {
        #[test]
        fn no_attempt_count_overflows(waited: u32, base_ms: u64, cap_ms in 0_u64..1 << 40, jitter: bool) {
            let (base, cap) = (Duration::from_millis(base_ms), Duration::from_millis(cap_ms));
            let reconnect = Reconnect::Exponential { base, cap, jitter };
            prop_assert!(wait(reconnect, None, waited, &mut random()).is_some_and(|wait| wait <= cap));
        }
    }
}
