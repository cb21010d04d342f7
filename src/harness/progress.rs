//! How far a session is, on standard error: a bar on a terminal, plain lines elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::record::Record;

/// Elsewhere than on a terminal a line is written this often, and at each experiment's start and end.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Progress of one experiment.
#[derive(Debug)]
pub struct Progress {
    experiment: String,
    bar: Option<ProgressBar>,
    total: u64,
    done: u64,
    failed: u64,
    last_line: Instant,
}

impl Progress {
    /// Starts: `total` runs that take from so many seconds to so many, and some more to start servers.
    pub fn start(experiment: &str, total: u64, seconds: (f64, f64)) -> Self {
        let bar = console_is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{prefix:>10} [{bar:24}] {pos}/{len} {elapsed} {wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
            let bar = ProgressBar::new(total).with_style(style).with_prefix(experiment.to_owned());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        if bar.is_none() {
            anstream::eprintln!("{experiment}: {total} runs, {}", in_words(seconds));
        }
        Progress {
            experiment: experiment.to_owned(),
            bar,
            total,
            done: 0,
            failed: 0,
            last_line: Instant::now(),
        }
    }

    /// Says what runs now.
    pub fn running(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(what.to_owned());
        }
    }

    /// Counts a run. One that failed is told at once.
    pub fn ran(&mut self, record: &Record) {
        self.done += 1;
        if let Some(err) = &record.err {
            self.failed += 1;
            self.say(&format!("{}: {}: failed: {err}", self.experiment, record.run));
        }
        match &self.bar {
            Some(bar) => bar.inc(1),
            None if self.last_line.elapsed() >= LINE_EVERY => {
                self.last_line = Instant::now();
                anstream::eprintln!("{}: {} of {} runs", self.experiment, self.done, self.total);
            }
            None => {}
        }
    }

    /// Ends.
    pub fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_with_message("");
        } else {
            let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
            anstream::eprintln!("{}: {} of {} runs{failed}", self.experiment, self.done, self.total);
        }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => anstream::eprintln!("{line}"),
        }
    }
}

/// How long it takes.
fn in_words((least, most): (f64, f64)) -> String {
    // Beyond what starting servers adds it is no longer one number.
    if most - least < 1.0 {
        format!("{least:.0} s or a little more")
    } else {
        format!("from {least:.0} s to {most:.0} s, by how far rates can be raised")
    }
}

fn console_is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_a_range_where_nobody_knows_how_far_rates_can_be_raised() {
        assert_eq!(in_words((11.6, 11.6)), "12 s or a little more");
        assert_eq!(in_words((11.6, 60.4)), "from 12 s to 60 s, by how far rates can be raised");
    }
}
