//! Findings for people: readable on a narrow terminal, with colour where there is one.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::{
    excerpt::one_line,
    finding::{Finding, Outcome, Report, Verdict},
};
use crate::wrap::push_wrapped;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// How wide lines are where nobody says: no wider than a printed page, no narrower than a phone.
pub fn columns() -> usize {
    let wide = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    wide.unwrap_or(80).clamp(36, 100)
}

/// A report, with a line end after each line. Colours are escapes: print it through `anstream`.
pub fn report(report: &Report, columns: usize) -> String {
    let mut text = String::new();
    // Where nothing was reached, a list of what was not says nothing.
    let reached = report.findings.iter().any(|finding| finding.outcome != Outcome::NotReached);
    for finding in report.findings.iter().filter(|_| reached) {
        push_finding(&mut text, finding, columns);
    }
    if let Some(trouble) = &report.trouble {
        push_wrapped(&mut text, columns, "  ", "  ", trouble);
    }
    if report.verdict != Verdict::Passed && !report.output.is_empty() {
        let _ = writeln!(text, "\n  {FAINT}the program's last words:{FAINT:#}");
        for line in report.output.lines() {
            let _ = writeln!(text, "  {FAINT}│{FAINT:#} {line}");
        }
    }
    let style = if report.verdict == Verdict::Passed { GOOD.bold() } else { BAD };
    let count = format!("{} of {} expectations met", report.met(), report.findings.len());
    let _ = writeln!(text, "\n{style}{}{style:#}: {}, {count}", report.verdict.words(), report.exercise);
    text
}

fn push_finding(text: &mut String, finding: &Finding, columns: usize) {
    let (sign, style) = match finding.outcome {
        Outcome::Met => ("✓", GOOD),
        Outcome::Missed => ("✗", BAD),
        Outcome::NotReached => ("·", FAINT),
    };
    let _ = write!(text, "{style}{sign} {}{style:#}", finding.name);
    let heading = finding.name.chars().count() + 2;
    match finding.outcome {
        Outcome::NotReached => {
            let _ = writeln!(text, " {FAINT}not reached{FAINT:#}");
        }
        Outcome::Met => {
            let figure =
                finding.figure.as_ref().map(|figure| format!(" ({})", figure.bar)).unwrap_or_default();
            let saw = format!("{}{figure}", one_line(&finding.saw));
            if heading + 2 + saw.chars().count() <= columns {
                let _ = writeln!(text, "  {FAINT}{saw}{FAINT:#}");
            } else {
                text.push('\n');
                push_wrapped(text, columns, "    ", "    ", &saw);
            }
        }
        Outcome::Missed => {
            text.push('\n');
            push_wrapped(text, columns, "    expected  ", "              ", &finding.expects);
            push_wrapped(text, columns, "    saw       ", "              ", &finding.saw);
            for line in finding.bytes.iter().flat_map(|bytes| bytes.lines()) {
                let _ = writeln!(text, "              {FAINT}│{FAINT:#} {line}");
            }
            if let Some(figure) = &finding.figure {
                push_wrapped(
                    text,
                    columns,
                    "    figure    ",
                    "              ",
                    &format!("{} {}, expected {}", figure.value, figure.unit, figure.bar),
                );
            }
            if let Some(next) = &finding.next {
                let mut step = String::new();
                push_wrapped(&mut step, columns, "    next      ", "              ", next);
                let _ = write!(text, "{STRONG}{step}{STRONG:#}");
            }
        }
    }
}
