//! The answer file: lines of `word: what`.

use crate::transport::Transport;

/// A figure as a student cites it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Citation {
    pub(super) line: usize,
    pub(super) experiment: String,
    pub(super) client: String,
    /// Columns and what they hold, which choose one row.
    pub(super) conditions: Vec<(String, String)>,
    /// The column, without `_median`.
    pub(super) figure: String,
    pub(super) value: f64,
}

/// What was answered for one product.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) product: String,
    pub(super) transport: Option<Transport>,
    pub(super) figures: Vec<Citation>,
    pub(super) because: String,
    /// Lines that could not be read, a sentence each.
    pub(super) problems: Vec<String>,
}

/// Columns by which rows are told apart.
pub(super) const CONDITIONS: [&str; 6] =
    ["readers", "rate_per_s", "payload_bytes", "pattern", "fault", "network"];

/// So many lines are read, so that a huge file makes no huge report.
const LINES: usize = 500;

/// The folder of results, where one is named, and the answers in their order.
pub(super) fn parse(lines: &[(usize, String)]) -> (Option<String>, Vec<Answer>) {
    let (mut results, mut answers) = (None, Vec::<Answer>::new());
    for (number, line) in lines.iter().take(LINES) {
        let (word, what) = line.split_once(':').unwrap_or((line, ""));
        let what = what.trim();
        match word.trim() {
            "results" => {
                results = Some(what.to_owned());
                continue;
            }
            "product" => {
                answers.push(Answer { product: what.to_owned(), ..Answer::default() });
                continue;
            }
            _ => {}
        }
        if answers.is_empty() {
            answers.push(Answer::default());
        }
        let Some(answer) = answers.last_mut() else { continue };
        let problem = match word.trim() {
            "transport" => match what.parse() {
                Ok(transport) => {
                    answer.transport = Some(transport);
                    None
                }
                Err(_) => Some(format!("{what:.40?} is none of short-poll, long-poll, sse, websocket")),
            },
            "figure" => match citation(*number, what) {
                Ok(citation) => {
                    answer.figures.push(citation);
                    None
                }
                Err(problem) => Some(problem),
            },
            "because" => {
                answer.because = what.to_owned();
                None
            }
            // A reason may go on for several lines.
            _ if !answer.because.is_empty() => {
                answer.because = format!("{} {line}", answer.because);
                None
            }
            word => Some(format!("{word:.40?} is none of results, product, transport, figure, because")),
        };
        answer.problems.extend(problem.map(|problem| format!("line {number}: {problem}")));
    }
    (results, answers)
}

/// `EXPERIMENT CLIENT column=value … figure=value`.
fn citation(line: usize, text: &str) -> Result<Citation, String> {
    const FORM: &str = "a figure is EXPERIMENT CLIENT condition=value … figure=value";
    let text = text.replace(" = ", "=");
    let mut words = text.split_whitespace();
    let (Some(experiment), Some(client)) = (words.next(), words.next()) else {
        return Err(FORM.to_owned());
    };
    let (mut conditions, mut figure) = (Vec::new(), None);
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            return Err(format!("{word:.40?} has no `=`: {FORM}"));
        };
        if CONDITIONS.contains(&key) {
            conditions.push((key.to_owned(), value.to_owned()));
        } else if figure.is_some() {
            return Err(format!("two figures in one line: {FORM}"));
        } else {
            let number = value
                .parse::<f64>()
                .map_err(|_| format!("{value:.40?} is no number, as in 1377.5 or inf"))?;
            figure = Some((key.trim_end_matches("_median").to_owned(), number));
        }
    }
    let (figure, value) = figure.ok_or(FORM)?;
    Ok(Citation {
        line,
        experiment: experiment.to_owned(),
        client: client.to_owned(),
        conditions,
        figure,
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<String>, Vec<Answer>) {
        let lines: Vec<_> =
            text.lines().enumerate().map(|(at, line)| (at + 1, line.trim().to_owned())).collect();
        parse(&lines)
    }

    #[test]
    fn an_answer_is_read_line_by_line() {
        let (results, answers) = parsed(
            "results: results/latest\nproduct: game\ntransport: websocket\n\
             figure: latency sse rate_per_s=20 latency_p99_us_median = 12.5\nbecause: it is\nquicker",
        );
        assert_eq!(results.as_deref(), Some("results/latest"));
        let [answer] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(answer.transport, Some(Transport::WebSocket));
        assert_eq!(answer.because, "it is quicker");
        assert_eq!(answer.problems, Vec::<String>::new());
        let [figure] = &answer.figures[..] else { panic!("{answer:?}") };
        assert_eq!((&*figure.figure, figure.value), ("latency_p99_us", 12.5));
        assert_eq!(figure.conditions, [("rate_per_s".to_owned(), "20".to_owned())]);
    }

    #[test]
    fn what_can_not_be_read_is_said_with_its_line() {
        for (line, why) in [
            ("transport: polling", "none of short-poll"),
            ("figure: latency", "a figure is EXPERIMENT"),
            ("figure: latency sse p99 3", "has no `=`"),
            ("figure: latency sse a=1 b=2", "two figures"),
            ("figure: latency sse a=fast", "no number"),
            ("reason: none", "none of results"),
        ] {
            let (_, answers) = parsed(&format!("product: game\n{line}"));
            let [problem] = &answers[0].problems[..] else { panic!("{line}: {answers:?}") };
            assert!(problem.starts_with("line 2: ") && problem.contains(why), "{line}: {problem}");
        }
    }
}
