//! Axes: from values to places, and where their numbers stand. Knows no drawing.

use crate::report::units::Unit;

/// An axis from `low` to `high`, on which a value has a place between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Whether nothing has a place of its own at the low end of a logarithmic axis.
    zero: bool,
    unit: Unit,
}

/// Where nothing stands on an axis that has a place for it: a marker there does not hide what is written below.
const ZERO: f64 = 0.04;

impl Axis {
    /// From zero to a little more than the largest value.
    pub(super) fn linear(unit: Unit, values: impl IntoIterator<Item = f64>) -> Self {
        let high = finite(values).fold(0.0, f64::max);
        let high = if high > 0.0 { high } else { 1.0 };
        Axis { low: 0.0, high, logarithmic: false, zero: false, unit }
    }

    /// Between two values.
    pub(super) fn between(unit: Unit, low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Axis { low, high, logarithmic: false, zero: false, unit }
    }

    /// Logarithmic around all positive values, at least one decade, with some room at both ends.
    pub(super) fn logarithmic(unit: Unit, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = finite(values)
            .filter(|value| *value > 0.0)
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low <= high { (low, high) } else { (1.0, 10.0) };
        // A narrow cloud of points would otherwise be blown up until its noise looked like a finding.
        let stretch = (10.0 / (high / low)).max(1.0).sqrt();
        let room = 1.25;
        Axis { low: low / stretch / room, high: high * stretch * room, logarithmic: true, zero: false, unit }
    }

    /// The same axis, going on at its high end for a share of its new length, for what is written beside
    /// points and bars.
    pub(super) fn with_room(self, share: f64) -> Self {
        let more = share / (1.0 - share);
        let high = if self.logarithmic {
            self.high * (self.high / self.low).powf(more)
        } else {
            self.high + (self.high - self.low) * more
        };
        Axis { high, ..self }
    }

    /// The same logarithmic axis, begun a little lower, so that what is nothing stands below all that is something,
    /// at [`ZERO`].
    pub(super) fn with_zero(self) -> Self {
        let lower = (self.high / self.low).powf(0.15);
        Axis { low: self.low / lower, zero: true, ..self }
    }

    /// The value's place, from 0 at the low end to 1 at the high end; the ends where it lies outside.
    pub(super) fn place(&self, value: f64) -> f64 {
        if self.zero && value <= 0.0 {
            return ZERO;
        }
        let place = if self.logarithmic {
            (value.max(self.low).ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            (value - self.low) / (self.high - self.low)
        };
        place.clamp(0.0, 1.0)
    }

    /// Numbers to write at the axis, with their unit: round ones, at most about `most`.
    pub(super) fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        let mut values = if self.logarithmic { self.log_ticks(most) } else { self.linear_ticks(most) };
        if self.zero {
            // A number beside the low end would be taken for its neighbour.
            values.retain(|value| self.place(*value) > 0.14);
            values.insert(0, 0.0);
        }
        let label = |value: f64| if value == 0.0 { "0".to_owned() } else { self.unit.format(value) };
        values.into_iter().map(|value| (value, label(value))).collect()
    }

    fn linear_ticks(&self, most: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / most.max(1) as f64;
        // Bytes are written in powers of 1024, so that their round numbers are multiples of those.
        let size = match self.unit {
            Unit::Bytes if self.high >= 1_000_000.0 => 1_048_576.0,
            Unit::Bytes if self.high >= 1_000.0 => 1024.0,
            _ => 1.0,
        };
        let scaled = rough / size;
        let magnitude = 10.0_f64.powf(scaled.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * magnitude >= scaled * 0.999);
        let step = step.unwrap_or(10.0) * magnitude * size;
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last).map(|index| index as f64 * step).collect()
    }

    fn log_ticks(&self, most: usize) -> Vec<f64> {
        // Binary units are 1, 10 and 100 of each, so that no tick reads 97.7 KiB.
        let decade = |index: i32| match self.unit {
            Unit::Bytes => 10.0_f64.powi(index.rem_euclid(3)) * 1024.0_f64.powi(index.div_euclid(3)),
            _ => 10.0_f64.powi(index),
        };
        let inside = |value: &f64| *value >= self.low * 0.999 && *value <= self.high * 1.001;
        let with = |steps: &[f64]| -> Vec<f64> {
            (-12..16).flat_map(|i| steps.iter().map(move |step| step * decade(i))).filter(inside).collect()
        };
        let options = [with(&[1.0, 2.0, 5.0]), with(&[1.0, 3.0]), with(&[1.0])];
        let [finest, .., coarse] = &options;
        if finest.len() < 2 {
            return finest.clone();
        }
        let fitting = options.iter().find(|ticks| ticks.len() <= most && ticks.len() >= 2);
        if let Some(fitting) = fitting {
            return fitting.clone();
        }
        let every = coarse.len().div_ceil(most.max(1)).max(1);
        coarse.iter().copied().step_by(every).collect()
    }
}

fn finite(values: impl IntoIterator<Item = f64>) -> impl Iterator<Item = f64> {
    values.into_iter().filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis, most: usize) -> Vec<String> {
        axis.ticks(most).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_in_their_unit() {
        assert_eq!(labels(Axis::linear(Unit::Bytes, [5_000.0]), 4), ["0", "2 KiB", "4 KiB"]);
        assert_eq!(labels(Axis::linear(Unit::Bytes, [380.0]), 4), ["0", "100 B", "200 B", "300 B"]);
        assert_eq!(
            labels(Axis::logarithmic(Unit::Micros, [110.0, 900_000.0]), 6),
            ["100 µs", "1 ms", "10 ms", "100 ms", "1 s"]
        );
        assert_eq!(
            labels(Axis::logarithmic(Unit::Bytes, [60.0, 200_000.0]), 6),
            ["100 B", "1 KiB", "10 KiB", "100 KiB"]
        );
        assert_eq!(labels(Axis::linear(Unit::Bytes, [1_100.0]), 4), ["0", "512 B", "1 KiB"]);
        assert_eq!(labels(Axis::between(Unit::Millis, -1_000.0, 4_000.0), 6).first().unwrap(), "-1 s");
    }

    #[test]
    fn room_moves_the_largest_value_in() {
        for axis in [Axis::linear(Unit::Bytes, [10.0]), Axis::logarithmic(Unit::Bytes, [1.0, 1e4])] {
            let (before, after) = (axis.place(axis.high), axis.with_room(0.25).place(axis.high));
            assert!(before == 1.0 && (after - 0.75).abs() < 1e-9, "{before} {after}");
        }
    }

    #[test]
    fn nothing_has_a_place_below_all_that_is_something() {
        let axis = Axis::logarithmic(Unit::Count, [100.0, 10_000.0]).with_zero();
        assert_eq!(axis.place(0.0), ZERO);
        assert!(axis.place(100.0) > 0.14 && axis.place(10_000.0) < 1.0);
        assert_eq!(labels(axis, 4), ["0", "100", "1,000", "10,000"]);
    }

    #[test]
    fn a_narrow_cloud_is_not_blown_up() {
        let axis = Axis::logarithmic(Unit::Micros, [400.0, 410.0]);
        assert!(axis.place(410.0) - axis.place(400.0) < 0.02);
    }

    #[test]
    fn no_values_make_an_axis_all_the_same() {
        for axis in [Axis::linear(Unit::Bytes, []), Axis::logarithmic(Unit::Micros, [f64::INFINITY, 0.0])] {
            assert!(axis.place(3.0).is_finite());
            assert!(!axis.ticks(5).is_empty());
        }
    }
}
