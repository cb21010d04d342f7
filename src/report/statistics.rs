//! What may be concluded from a few repetitions: medians with intervals, ratios, and a rank test.
//!
//! A value here is always one repetition's figure. Samples within a run hang together (one slow moment
//! delays many events), so intervals over them would be far too narrow.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::Serialize;
use statrs::function::erf::erfc;

/// Fewer repetitions than this conclude nothing.
pub const ENOUGH: usize = 3;

/// Two figures whose ratio differs from 1 by less than this are called practically the same.
pub const PRACTICAL_MARGIN: f64 = 0.05;

const RESAMPLES: usize = 2_000;

/// All intervals come from this seed, so that the same records always draw the same report.
const SEED: u64 = 0x5eed;

/// A range that holds the true value in 95 of 100 experiments, or nearly: see [`coverage`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// A median over repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The median.
    pub median: f64,
    /// Its bootstrap interval; `None` with fewer than [`ENOUGH`] repetitions.
    pub interval: Option<Interval>,
    /// How many repetitions.
    pub n: usize,
}

/// The median; the middle between the two middle ones where their number is even.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(&sorted(values), 0.5)
}

/// The median with its 95 % percentile-bootstrap interval.
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let interval = (values.len() >= ENOUGH).then(|| {
        let mut resample = Resample::of(values);
        percentile_interval((0..RESAMPLES).map(|_| resample.median()))
    });
    Some(Estimate { median: median(values)?, interval, n: values.len() })
}

/// How `left` relates to `right`: the ratio of their medians with its 95 % bootstrap interval, each side
/// resampled on its own; `None` where either side is empty.
pub fn ratio(left: &[f64], right: &[f64]) -> Option<Estimate> {
    let n = left.len().min(right.len());
    let interval = (n >= ENOUGH).then(|| {
        let (mut left, mut right) = (Resample::of(left), Resample::of(right));
        // A stream of random numbers of its own: drawn alike, both sides would rise and fall together.
        right.random = StdRng::seed_from_u64(SEED + 1);
        percentile_interval((0..RESAMPLES).map(|_| quotient(left.median(), right.median())))
    });
    Some(Estimate { median: quotient(median(left)?, median(right)?), interval, n })
}

/// A quotient in which two equal values always give 1, be they zero or infinite (*never*).
pub fn quotient(left: f64, right: f64) -> f64 {
    if left == right { 1.0 } else { left / right }
}

/// How often, at most, an interval over `n` repetitions can hold the true median: with few of them even
/// the range from the smallest to the largest misses it more often than once in 20.
pub fn coverage(n: usize) -> f64 {
    (1.0 - 0.5_f64.powi(n as i32 - 1)).clamp(0.0, 0.95)
}

/// How one set of repetitions relates to another, as far as they allow to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Relation {
    /// No practical difference: the ratio's whole interval lies within [`PRACTICAL_MARGIN`] of 1.
    Same,
    /// The left is smaller: the interval lies below 1, and the medians are further apart than the margin.
    Smaller,
    /// The left is larger, in the same way.
    Larger,
    /// Neither can be said, or there are fewer than [`ENOUGH`] repetitions.
    Undecided,
}

/// A comparison of two sets of repetitions: the verdict, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Judgement {
    /// The verdict.
    pub relation: Relation,
    /// Left as a multiple of right.
    pub ratio: Estimate,
    /// The rank test with the effect's size.
    pub test: RankTest,
}

/// Whether `left` is smaller or larger than `right` by more than chance and more than practice cares for;
/// `None` where either side is empty.
pub fn judge(left: &[f64], right: &[f64]) -> Option<Judgement> {
    let (ratio, test) = (ratio(left, right)?, mann_whitney(left, right)?);
    Some(Judgement { relation: relation(&ratio), ratio, test })
}

/// What a ratio says of its left side.
pub fn relation(ratio: &Estimate) -> Relation {
    let (least, most) = (1.0 - PRACTICAL_MARGIN, 1.0 + PRACTICAL_MARGIN);
    match ratio.interval {
        Some(Interval { low, high }) if low > least && high < most => Relation::Same,
        Some(Interval { high, .. }) if high < 1.0 && ratio.median <= least => Relation::Smaller,
        Some(Interval { low, .. }) if low > 1.0 && ratio.median >= most => Relation::Larger,
        _ => Relation::Undecided,
    }
}

/// A p value as it stands in sentences: `= 0.008` or `< 0.001`.
pub fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("= {p:.3}") }
}

/// What the Mann–Whitney test says about two sets of repetitions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RankTest {
    /// How often a value of the left is larger than one of the right, ties counted half.
    pub u: f64,
    /// Two-sided: how likely a difference this large is where there is none.
    pub p: f64,
    /// The effect's size, from −1 (every left value is smaller) to 1 (every left value is larger).
    pub rank_biserial: f64,
    /// The effect's size in the figure's unit: the median of all differences, left minus right
    /// (Hodges–Lehmann).
    pub shift: f64,
}

/// The Mann–Whitney U test. `p` is exact (the full permutation distribution, ties included) for up to 40
/// values together, and a normal approximation with corrections for ties and continuity above.
pub fn mann_whitney(left: &[f64], right: &[f64]) -> Option<RankTest> {
    if left.is_empty() || right.is_empty() {
        return None;
    }
    let differences: Vec<f64> =
        left.iter().flat_map(|l| right.iter().map(move |r| if l == r { 0.0 } else { l - r })).collect();
    let u: f64 = differences
        .iter()
        .map(|d| {
            if *d > 0.0 {
                1.0
            } else if *d == 0.0 {
                0.5
            } else {
                0.0
            }
        })
        .sum();
    let pairs = differences.len() as f64;
    let ranks = doubled_midranks(left, right);
    let p = if ranks.len() <= 40 {
        exact_p(&ranks, left.len())
    } else {
        approximate_p(u, left.len() as f64, right.len() as f64, &ranks)
    };
    Some(RankTest { u, p, rank_biserial: 2.0 * u / pairs - 1.0, shift: median(&differences)? })
}

/// Ranks from 1, ties sharing their mean, times two so that they are whole; those of `left` first.
fn doubled_midranks(left: &[f64], right: &[f64]) -> Vec<usize> {
    let all: Vec<f64> = left.iter().chain(right).copied().collect();
    let rank = |value: &f64| {
        let below = all.iter().filter(|other| *other < value).count();
        let equal = all.iter().filter(|other| *other == value).count();
        2 * below + equal + 1
    };
    all.iter().map(rank).collect()
}

/// The share of all ways to pick `take` of the ranks whose sum is at least as far from the middle.
fn exact_p(ranks: &[usize], take: usize) -> f64 {
    let total: usize = ranks.iter().sum();
    // ways[k][s]: in how many ways k of the ranks seen so far add up to s.
    let mut ways = vec![vec![0.0_f64; total + 1]; take + 1];
    ways[0][0] = 1.0;
    for &rank in ranks {
        for k in (1..=take).rev() {
            for sum in rank..=total {
                ways[k][sum] += ways[k - 1][sum - rank];
            }
        }
    }
    let middle = total as f64 * take as f64 / ranks.len() as f64;
    let observed: usize = ranks[..take].iter().sum();
    let distance = (observed as f64 - middle).abs() - 1e-9;
    let all: f64 = ways[take].iter().sum();
    let extreme: f64 = ways[take]
        .iter()
        .enumerate()
        .filter(|(sum, _)| (*sum as f64 - middle).abs() >= distance)
        .map(|(_, n)| n)
        .sum();
    extreme / all
}

fn approximate_p(u: f64, left: f64, right: f64, ranks: &[usize]) -> f64 {
    let n = left + right;
    let mut sizes = std::collections::BTreeMap::<usize, f64>::new();
    for rank in ranks {
        *sizes.entry(*rank).or_default() += 1.0;
    }
    let ties: f64 = sizes.values().map(|t| t.powi(3) - t).sum();
    let variance = left * right / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    let z = ((u - left * right / 2.0).abs() - 0.5).max(0.0) / variance.sqrt();
    erfc(z / std::f64::consts::SQRT_2).min(1.0)
}

/// Draws as many values as there are, with replacement, and gives their median.
struct Resample<'a> {
    values: &'a [f64],
    drawn: Vec<f64>,
    random: StdRng,
    /// Figures that never vary, as bytes often don't, need no drawing.
    constant: bool,
}

impl<'a> Resample<'a> {
    fn of(values: &'a [f64]) -> Self {
        let constant = values.iter().all(|value| *value == values[0]);
        Resample { values, drawn: values.to_vec(), random: StdRng::seed_from_u64(SEED), constant }
    }

    fn median(&mut self) -> f64 {
        if self.constant {
            return self.values[0];
        }
        for place in &mut self.drawn {
            *place = self.values[self.random.random_range(0..self.values.len())];
        }
        self.drawn.sort_unstable_by(f64::total_cmp);
        quantile(&self.drawn, 0.5).unwrap_or(f64::NAN)
    }
}

fn percentile_interval(medians: impl Iterator<Item = f64>) -> Interval {
    let medians = sorted(&medians.collect::<Vec<_>>());
    let at = |share| quantile(&medians, share).unwrap_or(f64::NAN);
    Interval { low: at(0.025), high: at(0.975) }
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Linear between the neighbours (Hyndman and Fan's type 7).
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    // Infinities stand for "never" and must not meet in a subtraction.
    Some(if below == above { below } else { below + (above - below) * place.fract() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[1.0, f64::INFINITY, f64::INFINITY]), Some(f64::INFINITY));
    }

    #[test]
    fn five_repetitions_span_their_interval() {
        // The chance that a resample's median is the smallest of five is 5.8 %, so the 2.5 % point is it.
        let five = estimate(&[10.0, 11.0, 12.0, 13.0, 14.0]).expect("values");
        assert_eq!((five.median, five.n), (12.0, 5));
        assert_eq!(five.interval, Some(Interval { low: 10.0, high: 14.0 }));
        assert_eq!(estimate(&[1.0, 2.0]).expect("values").interval, None);
    }

    #[test]
    fn figures_that_never_vary_have_an_interval_without_width() {
        let same = estimate(&[87.0; 4]).expect("values");
        assert_eq!(same.interval, Some(Interval { low: 87.0, high: 87.0 }));
        let twice = ratio(&[174.0; 4], &[87.0; 4]).expect("values");
        assert_eq!((twice.median, twice.interval), (2.0, Some(Interval { low: 2.0, high: 2.0 })));
    }

    #[test]
    fn zero_and_never_have_quotients() {
        assert_eq!(quotient(0.0, 0.0), 1.0);
        assert_eq!(quotient(f64::INFINITY, f64::INFINITY), 1.0);
        assert_eq!(quotient(f64::INFINITY, 5.0), f64::INFINITY);
        assert_eq!(quotient(5.0, f64::INFINITY), 0.0);
    }

    #[test]
    fn the_interval_holds_the_truth_about_as_often_as_it_says() {
        let mut random = StdRng::seed_from_u64(1);
        let held = (0..200)
            .filter(|_| {
                let values: Vec<f64> = (0..15).map(|_| random.random_range(0.0..2.0)).collect();
                let interval = estimate(&values).and_then(|e| e.interval).expect("enough");
                interval.low <= 1.0 && 1.0 <= interval.high
            })
            .count();
        assert!((176..=200).contains(&held), "{held} of 200");
    }

    #[test]
    fn the_rank_test_agrees_with_published_tables() {
        // Two separate groups of three: 2 of the 20 ways are as extreme.
        let apart = mann_whitney(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).expect("values");
        assert_eq!((apart.u, apart.rank_biserial, apart.shift), (0.0, -1.0, -3.0));
        assert!((apart.p - 0.1).abs() < 1e-12, "{}", apart.p);
        // R: wilcox.test(c(0.8,0.83,1.89,1.04,1.45,1.38,1.91,1.64,0.73,1.46), c(1.15,0.88,0.90,0.74,1.21))
        // gives W = 35, p = 0.2544.
        let left = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let test = mann_whitney(&left, &[1.15, 0.88, 0.90, 0.74, 1.21]).expect("values");
        assert_eq!(test.u, 35.0);
        assert!((test.p - 0.2544).abs() < 5e-5, "{}", test.p);
    }

    #[test]
    fn the_approximation_meets_the_exact_value() {
        let left: Vec<f64> = (0..20).map(|i| f64::from(i) * 1.3).collect();
        let right: Vec<f64> = (0..20).map(|i| f64::from(i) + 4.5).collect();
        let ranks = doubled_midranks(&left, &right);
        let test = mann_whitney(&left, &right).expect("values");
        assert!((test.p - approximate_p(test.u, 20.0, 20.0, &ranks)).abs() < 0.01);
        assert_eq!(mann_whitney(&[1.0; 3], &[1.0; 3]).expect("values").p, 1.0);
    }

    #[test]
    fn a_verdict_needs_an_interval_apart_and_a_margin() {
        let of = |left: [f64; 5], right: [f64; 5]| judge(&left, &right).expect("values").relation;
        let hundred = [98.0, 99.0, 100.0, 101.0, 102.0];
        assert_eq!(of(hundred, hundred), Relation::Same);
        assert_eq!(of(hundred.map(|it| it * 1.5), hundred), Relation::Larger);
        assert_eq!(of(hundred.map(|it| it / 1.5), hundred), Relation::Smaller);
        assert_eq!(of([50.0, 80.0, 110.0, 140.0, 170.0], hundred), Relation::Undecided);
        // Told apart without doubt, by less than matters and perhaps by more.
        assert_eq!(of([104.0, 104.1, 104.2, 104.3, 108.0], [100.0; 5]), Relation::Undecided);
        assert_eq!(judge(&[1.0, 2.0], &[9.0, 10.0]).expect("values").relation, Relation::Undecided);
        assert_eq!(of([0.0; 5], [0.0; 5]), Relation::Same, "nothing is as much as nothing");
        assert_eq!(of([f64::INFINITY; 5], hundred), Relation::Larger, "never is later than ever");
        assert_eq!(judge(&[], &[1.0]), None);
    }

    #[test]
    fn few_repetitions_cover_less_than_they_seem_to() {
        assert_eq!(coverage(3), 0.75);
        assert_eq!(coverage(5), 0.9375);
        assert_eq!(coverage(20), 0.95);
    }
}
