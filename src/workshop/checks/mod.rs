//! The checks: one file per exercise, named as the exercise's folder without its number.

mod behind_a_buffering_proxy;
mod browser_page;
mod choose_a_transport;
mod first_stream;
mod format_by_hand;
mod heartbeats;
mod jittered_backoff;
mod long_poll_no_loss;
mod multiline;
mod mystery_server;
mod names_ids_retry;
mod polling_frontier;
mod reconnecting_client;
mod resume;
mod short_poll_cursor;
mod slow_reader;
mod sse_parser;
mod websocket_echo_broadcast;
mod websocket_resume;

use std::{future::Future, pin::Pin};

use super::{
    finding::Expectation,
    judge::{Judge, Stop},
};

/// What a check's function returns.
type Judging<'a> = Pin<Box<dyn Future<Output = Result<(), Stop>> + Send + 'a>>;

/// One exercise's check.
pub(super) struct Check {
    /// The exercise's folder.
    pub(super) exercise: &'static str,
    /// What it expects, in the order in which a student is to see it.
    pub(super) expectations: &'static [Expectation],
    /// Judges.
    pub(super) judge: for<'a> fn(&'a mut Judge) -> Judging<'a>,
}

/// Lists the checks; each module has `EXPECTATIONS` and `async fn judge`.
macro_rules! checks {
    ($($folder:literal => $module:ident,)*) => {
        /// All checks, in the order of their exercises.
        pub(super) static ALL: &[Check] = &[$(Check {
            exercise: $folder,
            expectations: $module::EXPECTATIONS,
            judge: |judge| Box::pin($module::judge(judge)),
        }),*];
    };
}

checks! {
    "01-first-stream" => first_stream,
    "02-format-by-hand" => format_by_hand,
    "03-names-ids-retry" => names_ids_retry,
    "04-multiline" => multiline,
    "05-browser-page" => browser_page,
    "06-short-poll-cursor" => short_poll_cursor,
    "07-long-poll-no-loss" => long_poll_no_loss,
    "08-websocket-echo-broadcast" => websocket_echo_broadcast,
    "09-heartbeats" => heartbeats,
    "10-resume" => resume,
    "11-websocket-resume" => websocket_resume,
    "12-jittered-backoff" => jittered_backoff,
    "13-slow-reader" => slow_reader,
    "14-behind-a-buffering-proxy" => behind_a_buffering_proxy,
    "15-polling-frontier" => polling_frontier,
    "16-mystery-server" => mystery_server,
    "17-choose-a-transport" => choose_a_transport,
    "18-sse-parser" => sse_parser,
    "19-reconnecting-client" => reconnecting_client,
}

/// The check of an exercise, by its folder.
pub(super) fn find(exercise: &str) -> Option<&'static Check> {
    ALL.iter().find(|check| check.exercise == exercise)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_sentences_are_sentences() {
        let exercises: HashSet<_> = ALL.iter().map(|check| check.exercise).collect();
        assert_eq!(exercises.len(), ALL.len());
        for check in ALL {
            let names: HashSet<_> = check.expectations.iter().map(|it| it.name).collect();
            assert_eq!(names.len(), check.expectations.len(), "{}", check.exercise);
            for expectation in check.expectations {
                let Expectation { name, expects, next } = expectation;
                let kebab = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
                assert!(kebab, "{name}");
                assert!(!expects.ends_with('.') && !expects.is_empty(), "{name}: {expects}");
                assert!(next.ends_with('.') || next.ends_with('?'), "{name}: {next}");
            }
        }
    }
}
