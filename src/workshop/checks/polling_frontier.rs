//! The polling frontier: what was predicted, beside what is measured now.

mod measure;

use self::measure::{INTERVALS_MS, Measured, Measurement};
use crate::workshop::{
    finding::{Expectation, Saw},
    judge::{Judge, Stop},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "table",
        expects: "there is a line with 3 numbers for each of poll-200, poll-500, poll-1000 and push",
        next: "Write a line such as `poll-200 80 1.5 2000`: delay in ms, requests per event, bytes per second.",
    },
    Expectation {
        name: "delay",
        expects: "the predicted mean delays of the polls are within 25 % of the measured ones",
        next: "An event comes at any moment between two questions: how long does it wait at best, at worst, on average?",
    },
    Expectation {
        name: "requests",
        expects: "the predicted requests per event of the polls are within 25 % of the measured ones",
        next: "Questions in a second, divided by events in a second: a poll asks whether there is something or not.",
    },
    Expectation {
        name: "bytes",
        expects: "the predicted bytes per second of the polls are within 25 % of the measured ones",
        next: "Per second: questions × (request + answer without news) + events × what one adds to an answer.",
    },
    Expectation {
        name: "push-delay",
        expects: "the predicted mean delay of the push is at most 10 ms, or what is measured",
        next: "A push waits for nothing: only for the way, which is short on one machine.",
    },
    Expectation {
        name: "push-requests",
        expects: "the predicted requests per event of the push are 0: it asked before the first event",
        next: "How often does a reader of an event stream ask, however many events come?",
    },
    Expectation {
        name: "push-bytes",
        expects: "the predicted bytes per second of the push are within 25 % of the measured ones",
        next: "Count what stands around the data: id:, data:, line ends, the blank line, and the chunk's size line.",
    },
];

/// How far off a prediction may be, as a share of what is measured.
const BAR: f64 = 0.25;
const PUSH_DELAY_MS: f64 = 10.0;

/// A line of the table, predicted or measured.
type Row = [f64; 3];

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let lines = judge.file_lines()?;
    let rows: Result<Vec<Row>, String> = names().iter().map(|name| row(&lines, name)).collect();
    let saw = rows.as_ref().map_or_else(|problem| problem.clone(), |_| "4 lines of 3 numbers".to_owned());
    judge.require("table", rows.is_ok(), saw)?;
    let rows = rows.unwrap_or_default();
    let Some((push, polls)) = rows.split_last() else { return Ok(()) };

    let Measurement { polls: measured, push: pushed, note } =
        measure::measure().await.map_err(Stop::CouldNotTell)?;
    // A busy machine hands everything on later, a push as well as an answer: that much is not the interval's.
    let late = pushed.delay_ms;
    let figure = |at: usize, of: fn(&Measured) -> f64| {
        polls.iter().zip(&measured).map(|(row, measured)| (row[at], of(measured))).collect::<Vec<_>>()
    };
    let delays = figure(0, |it| it.delay_ms);
    let fits: Vec<f64> = delays.iter().map(|&(told, seen)| off_between(told, seen - late, seen)).collect();
    judge.expect("delay", worst(&fits) <= BAR, beside(&delays, "ms", &fits, &note));
    for (name, at, unit, of) in [
        ("requests", 1, "per event", (|it| it.requests_per_event) as fn(&Measured) -> f64),
        ("bytes", 2, "bytes/s", |it| it.bytes_per_second),
    ] {
        let pairs = figure(at, of);
        let fits: Vec<f64> = pairs.iter().map(|&(told, seen)| off_between(told, seen, seen)).collect();
        judge.expect(
            name,
            worst(&fits) <= BAR,
            beside(&pairs, unit, &fits, &measure::anatomy(&measured, name)),
        );
    }

    let bar = PUSH_DELAY_MS.max(late * (1.0 + BAR));
    let saw = Saw::new(format!("predicted {} ms, measured {late:.1} ms", push[0]));
    judge.expect(
        "push-delay",
        (0.0..=bar).contains(&push[0]),
        saw.figure(push[0], "ms", format!("at most {bar:.0} ms")),
    );
    let saw = format!("predicted {}, measured {:.2}", push[1], pushed.requests_per_event);
    judge.expect("push-requests", (0.0..=0.05).contains(&push[1]), saw);
    let seen = pushed.bytes_per_second;
    let off = off_between(push[2], seen, seen);
    let saw = Saw::new(format!(
        "predicted {} bytes/s, measured {seen:.0}: {} of each event's bytes are data",
        push[2],
        measure::PAYLOAD_BYTES
    ));
    judge.expect("push-bytes", off <= BAR, saw.figure(percent(off), "% off", "at most 25 %"));
    Ok(())
}

/// The table's lines: the polls by their interval, then the push.
fn names() -> Vec<String> {
    let polls = INTERVALS_MS.iter().map(|interval| format!("poll-{interval}"));
    polls.chain(["push".to_owned()]).collect()
}

/// The three numbers of the line that begins with this name.
fn row(lines: &[(usize, String)], name: &str) -> Result<Row, String> {
    let begins = |line: &&(usize, String)| line.1.split_whitespace().next() == Some(name);
    let (number, line) = lines.iter().find(begins).ok_or_else(|| format!("no line for {name}"))?;
    let words: Vec<_> = line.split_whitespace().skip(1).collect();
    let numbers: Vec<f64> = words
        .iter()
        .map(|word| match word.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
            _ => Err(format!("line {number}: {word:.20?} is no number: digits alone, without a unit")),
        })
        .collect::<Result<_, _>>()?;
    numbers.try_into().map_err(|_| format!("line {number}: {name} has {} numbers", words.len()))
}

/// How far off a prediction is, as a share of what was measured: nought anywhere between two values.
fn off_between(told: f64, low: f64, high: f64) -> f64 {
    let nearest = told.clamp(low.min(high), high.max(low));
    (told - nearest).abs() / nearest.abs().max(f64::MIN_POSITIVE)
}

fn worst(shares: &[f64]) -> f64 {
    shares.iter().copied().fold(0.0, f64::max)
}

fn percent(share: f64) -> f64 {
    (share * 100.0).min(9999.0).round()
}

/// What was predicted beside what was measured, for each interval. The note begins with what parts it from that.
fn beside(pairs: &[(f64, f64)], unit: &str, shares: &[f64], note: &str) -> Saw {
    let one = |(interval, (told, seen)): (&u64, &(f64, f64))| {
        let digits = usize::from(*seen < 10.0) * 2;
        format!("at {interval} ms predicted {told}, measured {seen:.digits$}")
    };
    let all: Vec<_> = INTERVALS_MS.iter().zip(pairs).map(one).collect();
    let saw = Saw::new(format!("{} ({unit}){note}", all.join("; ")));
    saw.figure(percent(worst(shares)), "% off at worst", "at most 25 %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_what_is_wrong_is_said() {
        let lines = |text: &str| vec![(7, text.to_owned())];
        assert_eq!(row(&lines("push 1 0 280.5"), "push"), Ok([1.0, 0.0, 280.5]));
        for (line, why) in [
            ("poll-200 1 2 3", "no line for push"),
            ("push 1 2", "line 7: push has 2 numbers"),
            ("push ? ? ?", "line 7: \"?\" is no number"),
            ("push 1ms 0 2", "\"1ms\" is no number"),
            ("push -1 0 2", "is no number"),
            ("push inf 0 2", "is no number"),
        ] {
            let problem = row(&lines(line), "push").unwrap_err();
            assert!(problem.contains(why), "{problem}");
        }
    }

    #[test]
    fn a_prediction_is_held_against_a_range() {
        assert_eq!(off_between(100.0, 95.0, 110.0), 0.0);
        assert_eq!(off_between(150.0, 95.0, 120.0), 0.25);
        assert_eq!(off_between(50.0, 100.0, 110.0), 0.5);
        assert_eq!(percent(off_between(1.0, 0.0, 0.0)), 9999.0);
        assert_eq!(names(), ["poll-200", "poll-500", "poll-1000", "push"]);
    }
}
