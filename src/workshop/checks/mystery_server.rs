//! Transport, interval and fault, told from traces alone.

mod traces;

use self::traces::{Fault, TRACES, Trace};
use crate::{
    transport::Transport,
    workshop::{
        finding::{Expectation, Saw},
        judge::{Judge, Stop},
    },
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "answers",
        expects: "there is a line for each of the 6 traces: transport, interval in ms, fault",
        next: "Write a line such as `a: short-poll, 800 ms, none` for each trace.",
    },
    trace("trace-a", "transport, interval and fault of trace a are told"),
    trace("trace-b", "transport, interval and fault of trace b are told"),
    trace("trace-c", "transport, interval and fault of trace c are told"),
    trace("trace-d", "transport, interval and fault of trace d are told"),
    trace("trace-e", "transport, interval and fault of trace e are told"),
    trace("trace-f", "transport, interval and fault of trace f are told"),
];

const fn trace(name: &'static str, expects: &'static str) -> Expectation {
    Expectation { name, expects, next: "Look at the times that are named, before you change the answer." }
}

/// An interval may be read off so much too long or too short, as a share of it.
const INTERVAL_BAR: f64 = 0.2;

/// What was answered of a trace.
#[derive(Debug, PartialEq)]
struct Answer {
    transport: Transport,
    interval_ms: f64,
    fault: Fault,
}

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let lines = judge.file_lines()?;
    let answers: Result<Vec<Answer>, String> =
        TRACES.iter().map(|trace| answer(&lines, trace.name)).collect();
    let saw =
        answers.as_ref().map_or_else(|problem| problem.clone(), |_| "6 of 6 traces are answered".to_owned());
    judge.require("answers", answers.is_ok(), saw)?;
    for (trace, answer) in TRACES.iter().zip(answers.unwrap_or_default()) {
        let (met, saw) = held_against(trace, &answer);
        judge.expect(trace.expectation, met, saw);
    }
    Ok(())
}

/// What is right of an answer, with what in the trace tells it, and for the first thing that is wrong a
/// question: what is right is not said.
fn held_against(trace: &Trace, answer: &Answer) -> (bool, Saw) {
    let off = (answer.interval_ms - trace.interval_ms).abs() / trace.interval_ms;
    let right = [answer.transport == trace.transport, off <= INTERVAL_BAR, answer.fault == trace.fault];
    let what = ["transport", "interval", "fault"];
    let told = [0, 1, 2].map(|at| match right[at] {
        true => format!("the {} is right: {}", what[at], trace.tells[at]),
        false => format!("the {} is not", what[at]),
    });
    // Where all is well, what the interval and the fault were told by is enough.
    let [_, interval, fault] = trace.tells;
    let saw = Saw::new(if right == [true; 3] { format!("{interval}; {fault}") } else { told.join("; ") });
    match right.iter().position(|right| !right) {
        None => (true, saw),
        Some(wrong) => (false, saw.next(trace.asks[wrong])),
    }
}

/// The answer to one trace.
fn answer(lines: &[(usize, String)], name: &str) -> Result<Answer, String> {
    let begins = |line: &&(usize, String)| line.1.split(':').next().map(str::trim) == Some(name);
    let (number, line) = lines.iter().find(begins).ok_or_else(|| format!("no line for trace {name}"))?;
    let what = line.split_once(':').map_or("", |(_, what)| what);
    let words: Vec<_> = what.split(',').map(str::trim).collect();
    let [transport, interval, fault] = words[..] else {
        return Err(format!("line {number}: {} things and not 3, with commas between them", words.len()));
    };
    let bad = |what: &str, known: &str| format!("line {number}: {what:.30?} is none of {known}");
    Ok(Answer {
        transport: transport.parse().map_err(|_| bad(transport, "short-poll, long-poll, sse, websocket"))?,
        interval_ms: millis(interval)
            .ok_or_else(|| format!("line {number}: {interval:.30?} is no time in ms, as in 800 ms"))?,
        fault: Fault::named(fault).ok_or_else(|| bad(fault, &Fault::ALL.map(Fault::word).join(", ")))?,
    })
}

/// `800 ms`, `800` or `0.8 s`.
fn millis(text: &str) -> Option<f64> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1.0),
        None => text.strip_suffix('s').map_or((text, 1.0), |number| (number, 1000.0)),
    };
    let number: f64 = number.trim().parse().ok()?;
    (number.is_finite() && number > 0.0).then_some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Answer, String> {
        answer(&[(3, line.to_owned())], "a")
    }

    #[test]
    fn an_answer_is_a_line() {
        let expected = Answer { transport: Transport::Sse, interval_ms: 800.0, fault: Fault::None };
        for line in ["a: sse, 800 ms, none", "a : sse , 0.8 s,none", "a:sse,800,none"] {
            assert_eq!(read(line).as_ref(), Ok(&expected), "{line}");
        }
        for (line, why) in [
            ("b: sse, 800, none", "no line for trace a"),
            ("a: sse 800 none", "line 3: 1 things"),
            ("a: polling, 800, none", "none of short-poll, long-poll, sse, websocket"),
            ("a: sse, often, none", "no time in ms"),
            ("a: sse, -1, none", "no time in ms"),
            ("a: sse, 800, broken", "none of none, delay, reset, silence, stall"),
        ] {
            let problem = read(line).unwrap_err();
            assert!(problem.contains(why), "{line}: {problem}");
        }
    }

    #[test]
    fn what_is_wrong_is_asked_about_and_what_is_right_is_not_told() {
        for trace in TRACES {
            let right = Answer {
                transport: trace.transport,
                interval_ms: trace.interval_ms * 1.1,
                fault: trace.fault,
            };
            assert!(held_against(trace, &right).0);
            let wrong = Answer { interval_ms: trace.interval_ms * 2.0, ..right };
            assert!(!held_against(trace, &wrong).0);
            for question in trace.asks {
                assert!(question.ends_with('?'), "{question}");
                for word in [trace.transport.slug(), trace.fault.word()] {
                    assert!(!question.contains(word) || word == "none", "it gives {word} away: {question}");
                }
            }
        }
    }
}
