//! Numbers as people read them: three significant digits and a unit that keeps them short.

/// What a figure is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds, written as µs, ms or s.
    Micros,
    /// Milliseconds, written the same way.
    Millis,
    /// Bytes, written as B, KiB or MiB.
    Bytes,
    /// KiB, written as KiB or MiB.
    Kibibytes,
    /// Things that are counted: events, requests.
    Count,
}

impl Unit {
    /// The value with its unit; `never` for a time that is infinite, because it never came.
    pub fn format(self, value: f64) -> String {
        const TIMES: [(f64, &str); 3] = [(1.0, "µs"), (1e3, "ms"), (1e6, "s")];
        const SIZES: [(f64, &str); 4] =
            [(1.0, "B"), (1024.0, "KiB"), (1_048_576.0, "MiB"), (1_073_741_824.0, "GiB")];
        if value.is_nan() {
            return "?".to_owned();
        }
        if value.is_infinite() {
            return if value > 0.0 { "never" } else { "always" }.to_owned();
        }
        match self {
            Unit::Micros => scaled(value, &TIMES),
            Unit::Millis => scaled(value * 1e3, &TIMES),
            Unit::Bytes => scaled(value, &SIZES),
            Unit::Kibibytes => scaled(value * 1024.0, &SIZES),
            Unit::Count => grouped(value),
        }
    }

    /// The unit of the bare number, for the heading of a machine-readable column.
    pub const fn suffix(self) -> &'static str {
        match self {
            Unit::Micros => "us",
            Unit::Millis => "ms",
            Unit::Bytes => "bytes",
            Unit::Kibibytes => "kib",
            Unit::Count => "count",
        }
    }
}

fn scaled(value: f64, steps: &[(f64, &str)]) -> String {
    // A step is taken as soon as the smaller unit would need four digits, so that 999.7 µs reads 1 ms.
    let fits = |step: &&(f64, &str)| value.abs() / step.0 < 999.5;
    let (size, name) = steps.iter().find(fits).or(steps.last()).copied().unwrap_or((1.0, ""));
    format!("{} {name}", significant(value / size))
}

/// Three significant digits; whole numbers stay whole.
pub fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { "∞".to_owned() };
    }
    if value.abs() >= 999.5 {
        return grouped(value.round());
    }
    let decimals = (2 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A count with a comma every three digits; three significant digits where it is no whole number.
pub fn grouped(value: f64) -> String {
    if value.fract() != 0.0 && value.abs() < 1e3 {
        return significant(value);
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("−{text}") } else { text }
}

/// `1 reader`, `2 readers`.
pub fn plural(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(count as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_say_their_unit() {
        for (unit, value, text) in [
            (Unit::Micros, 0.0, "0 µs"),
            (Unit::Micros, 412.34, "412 µs"),
            (Unit::Micros, 999.7, "1 ms"),
            (Unit::Micros, 1_234.0, "1.23 ms"),
            (Unit::Micros, 2_500_000.0, "2.5 s"),
            (Unit::Millis, 0.25, "250 µs"),
            (Unit::Millis, 90_000.0, "90 s"),
            (Unit::Millis, f64::INFINITY, "never"),
            (Unit::Bytes, 412.0, "412 B"),
            (Unit::Bytes, 1_536.0, "1.5 KiB"),
            (Unit::Bytes, 16_384.0, "16 KiB"),
            (Unit::Bytes, 3_145_728.0, "3 MiB"),
            (Unit::Count, 1_234_567.0, "1,234,567"),
            (Unit::Count, 0.0334, "0.0334"),
            (Unit::Count, 100.0, "100"),
        ] {
            assert_eq!(unit.format(value), text);
        }
        assert_eq!(plural(1, "reader"), "1 reader");
        assert_eq!(plural(1_000, "reader"), "1,000 readers");
    }
}
