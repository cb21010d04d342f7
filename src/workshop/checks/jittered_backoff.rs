//! A crowd of the student's clients, cut off at one moment by a server that stays down for a while.
//!
//! What is judged is how long each waits before each try, measured from the server's side: from the moment at
//! which a connection was ended or an answer given until the next request of the same client. The distribution
//! over the crowd says what no single client could: whether chance has a part in it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use crate::workshop::{
    client::{Client, Prints},
    finding::{Expectation, Saw},
    judge::{Judge, Stop},
    scripted::{Act, Heard, Scripted},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "reads",
        expects: "8 copies of the client are started, and each prints the first event",
        next: "Ask for the URL that is the last argument, and print an event at each blank line.",
    },
    Expectation {
        name: "comes-back",
        expects: "all are cut off, then reset, then answered 503 four times: each copy asks again each time",
        next: "Take an end, an error and status 503 for a failure alike: wait, and ask again.",
    },
    Expectation {
        name: "grows",
        expects: "after each failure they wait longer: a quarter of the waits before the last 3 tries is over 500 ms",
        next: "Count the failures, and double the bound of the wait at each: 400, 800, 1600 ms.",
    },
    Expectation {
        name: "cap",
        expects: "the bound stops growing at 1600 ms: before the 6th try 7 of the 8 wait at most 2600 ms",
        next: "Take the smaller of the bound and 1600 ms: Math.min, min.",
    },
    Expectation {
        name: "spread",
        expects: "of the 24 waits before the last 3 tries, at most two thirds fall into the same 320 ms",
        next: "Wait a random time between 0 and the bound, drawn anew before each try.",
    },
    Expectation {
        name: "retry-after",
        expects: "after a 503 with `Retry-After: 1` nobody comes back within the second, nor all together after it",
        next: "Read the header Retry-After, in seconds, and add it to the random wait.",
    },
    Expectation {
        name: "starts-anew",
        expects: "after an event has come, the waits begin at 400 ms again: the middle one of 48 is 80 to 400 ms",
        next: "Set the number of failures back to 0 when an event has come.",
    },
];

const CROWD: usize = 8;
/// Tries that fail after the first cut. The next one finds the server well.
const FAILS: usize = 5;
/// The last of the waits, up to that before the try which finds the server well: all are to be at the cap.
const AT_CAP: usize = 3;
/// The answer to this try names a time in `Retry-After`, so that the wait after it is the third.
const NAMES_A_TIME: usize = 2;
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A timer may be a little early by another clock.
const RETRY_AFTER_LEAST: Duration = Duration::from_millis(950);
/// Answers after those: each has an event and is cut, so that each wait after it begins anew.
const SUCCESSES: usize = 6;
/// How long such an answer stands.
const STANDS: Duration = Duration::from_millis(50);

const GROWN: Duration = Duration::from_millis(500);
/// 1600 ms, and a second for a busy machine.
const CAPPED: Duration = Duration::from_millis(2600);
/// A fifth of the cap: so wide that on a busy machine the same wait for all still falls into it. Of waits that are
/// drawn between 0 and the cap more than two thirds do so once in a million times.
const WINDOW: Duration = Duration::from_millis(320);
/// Chance gives less once in a hundred thousand times,
const ANEW_LEAST: Duration = Duration::from_millis(80);
const ANEW_MOST: Duration = Duration::from_millis(400);

/// For so many programs to start, however loaded the machine is.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// For the tries that fail: without a cap and without chance they take 26 s.
const RETURNS_WITHIN: Duration = Duration::from_secs(40);

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let storm = Storm::start().await?;
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        crowd.push(judge.client(&storm.url(number))?);
    }
    let outcome = judge_crowd(judge, &storm, &mut crowd).await;
    join_all(crowd.into_iter().map(Client::stop)).await;
    outcome
}

async fn judge_crowd(judge: &mut Judge, storm: &Storm, crowd: &mut [Client]) -> Result<(), Stop> {
    let begun = join_all(crowd.iter_mut().map(|client| client.next(STARTS_WITHIN))).await;
    let mut reading = 0;
    for printed in begun {
        match judge.need("reads", printed)? {
            Prints::Event(event) if event.data == DATA => reading += 1,
            _ => {}
        }
    }
    judge.require("reads", reading == CROWD, format!("{reading} of {CROWD} printed {DATA:?}"))?;

    storm.cut();
    storm.wait_for_tries(FAILS + 1, crowd).await;
    let waits = storm.waits();
    let came = waits.iter().filter(|waits| waits.len() > FAILS).count();
    if came < CROWD {
        judge.expect("comes-back", false, gave_up(&waits, crowd));
        return Err(Stop::Missed);
    }
    judge.expect("comes-back", true, format!("{came} of {CROWD} asked again each time"));

    let before = |attempt: usize| waits.iter().map(move |waits| waits[attempt - 1]);
    let late = sorted(waits.iter().flat_map(|waits| waits[FAILS + 1 - AT_CAP..=FAILS].iter().copied()));
    let quarter = late[late.len() * 3 / 4];
    let saw = Saw::new(format!("a quarter waited over {} ms: {}", ms(quarter), by_attempt(&waits)));
    judge.expect("grows", quarter >= GROWN, saw.figure(ms(quarter), "ms", "at least 500 ms"));

    // One may have been held up by something else.
    let nearly_all = sorted(before(FAILS + 1))[CROWD - 2];
    let saw = Saw::new(format!("7 of 8 waited at most {} ms before the 6th try", ms(nearly_all)));
    judge.expect("cap", nearly_all <= CAPPED, saw.figure(ms(nearly_all), "ms", "at most 2600 ms"));

    let (peak, from) = peak(&late);
    let (from, to) = (ms(from), ms(from + WINDOW));
    let saw = format!("{peak} of {} waits fell between {from} and {to} ms. {}", late.len(), picture(&late));
    let share = 100.0 * peak as f64 / late.len() as f64;
    judge.expect(
        "spread",
        3 * peak <= 2 * late.len(),
        Saw::new(saw).figure(share.round(), "%", "at most 67 %"),
    );

    retry_after(judge, &sorted(before(NAMES_A_TIME + 1)));
    starts_anew(judge, storm, crowd).await;
    Ok(())
}

fn retry_after(judge: &mut Judge, waits: &[Duration]) {
    let early = waits.iter().filter(|&&wait| wait < RETRY_AFTER_LEAST).count();
    let (peak, from) = peak(waits);
    let saw = if early > 0 {
        Saw::new(format!("{early} of {CROWD} came back within the second. {}", picture(waits)))
    } else {
        let (from, to) = (ms(from), ms(from + WINDOW));
        let saw =
            format!("all waited, and {peak} of {CROWD} came between {from} and {to} ms. {}", picture(waits));
        Saw::new(saw)
            .next("Add the random wait to the seconds of Retry-After: they are the same for everybody.")
    };
    judge.expect(
        "retry-after",
        early == 0 && 4 * peak <= 3 * CROWD,
        saw.figure(early as f64, "clients early", "0"),
    );
}

async fn starts_anew(judge: &mut Judge, storm: &Storm, crowd: &mut [Client]) {
    storm.wait_for_tries(FAILS + 1 + SUCCESSES, crowd).await;
    let waits = storm.waits();
    let anew = sorted(waits.iter().flat_map(|waits| waits.iter().skip(FAILS + 1).take(SUCCESSES).copied()));
    if anew.len() < CROWD * SUCCESSES {
        let saw = format!(
            "of {} cuts after an event only {} were followed by a try",
            CROWD * SUCCESSES,
            anew.len()
        );
        judge.expect("starts-anew", false, saw);
        return;
    }
    let median = middle(&anew);
    let saw =
        Saw::new(format!("the middle of {} waits was {} ms. {}", anew.len(), ms(median), picture(&anew)));
    let saw = saw.figure(ms(median), "ms", "from 80 to 400 ms");
    let saw = match median < ANEW_LEAST {
        true => saw.next("Wait before the first try too: everybody was cut off at the same moment as you."),
        false => saw,
    };
    judge.expect("starts-anew", (ANEW_LEAST..=ANEW_MOST).contains(&median), saw);
}

/// Who did not come, and after what.
fn gave_up(waits: &[Vec<Duration>], crowd: &mut [Client]) -> Saw {
    let fewest = waits.iter().map(Vec::len).min().unwrap_or_default();
    let gone = waits.iter().filter(|waits| waits.len() == fewest).count();
    let after = match fewest {
        0 => "after the stream had ended",
        1 => "after a reset",
        _ => "after status 503",
    };
    let ended = crowd.iter_mut().filter_map(Client::ended).count();
    let next = match fewest {
        0 => "Put a loop around asking and reading.",
        1 => "Catch the error of asking, wait, and go on with the loop.",
        _ => "Take a status such as 503 for a failure: wait, and ask again.",
    };
    let how = match ended {
        0 => format!("within {} s", RETURNS_WITHIN.as_secs()),
        _ => format!("({ended} have ended)"),
    };
    Saw::new(format!("{gone} of {CROWD} did not come back {after} {how}")).next(next)
}

/// A server that many clients read, each by a path of its own.
struct Storm {
    server: Scripted,
    cut: watch::Sender<bool>,
    cut_at: Mutex<Option<Instant>>,
}

const DATA: &str = "all is well";

impl Storm {
    async fn start() -> Result<Self, Stop> {
        let (cut, is_cut) = watch::channel(false);
        let tries = Arc::new(Mutex::new(HashMap::<String, usize>::new()));
        let script = move |heard: &Heard| {
            let mut tries = tries.lock();
            let count = tries.entry(heard.path.clone()).or_default();
            *count += 1;
            let event = || Act::Send(format!("data: {DATA}\n\n").into());
            match *count - 1 {
                0 => vec![Act::stream_head(), event(), Act::Until(is_cut.clone())],
                1 => vec![Act::Reset],
                NAMES_A_TIME => {
                    let header = format!("Retry-After: {}\r\n", RETRY_AFTER.as_secs());
                    vec![Act::status("503 Service Unavailable", &header)]
                }
                attempt if attempt <= FAILS => vec![Act::status("503 Service Unavailable", "")],
                attempt if attempt <= FAILS + SUCCESSES => {
                    vec![Act::stream_head(), event(), Act::Pause(STANDS)]
                }
                _ => vec![Act::status("204 No Content", "")],
            }
        };
        let server = Scripted::start(script).await;
        let server = server.map_err(|error| Stop::CouldNotTell(format!("no port to serve on: {error}")))?;
        Ok(Storm { server, cut, cut_at: Mutex::default() })
    }

    fn url(&self, number: usize) -> String {
        format!("{}/{number}", self.server.url)
    }

    /// Ends all first answers at once.
    fn cut(&self) {
        *self.cut_at.lock() = Some(Instant::now());
        self.cut.send_replace(true);
    }

    /// Waits until each client has tried so often after the cut or has ended, or the time is over.
    async fn wait_for_tries(&self, count: usize, crowd: &mut [Client]) {
        let deadline = Instant::now() + RETURNS_WITHIN;
        while Instant::now() < deadline {
            let mut behind = self.waits().into_iter().zip(crowd.iter_mut());
            if behind.all(|(waits, client)| waits.len() >= count || client.ended().is_some()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How long each client waited before each try after the cut.
    fn waits(&self) -> Vec<Vec<Duration>> {
        let (requests, cut_at) = (self.server.requests(), *self.cut_at.lock());
        let of = |number: usize| {
            let path = format!("/events/{number}");
            let asked: Vec<_> = requests.iter().filter(|heard| heard.path == path).map(|it| it.at).collect();
            let released = asked.iter().enumerate().map(|(attempt, &at)| match attempt {
                0 => cut_at.unwrap_or(at),
                attempt if attempt > FAILS => at + STANDS,
                _ => at,
            });
            let pairs = released.zip(asked.iter().skip(1));
            pairs.map(|(released, &at)| at.saturating_duration_since(released)).collect()
        };
        (0..CROWD).map(of).collect()
    }
}

fn sorted(waits: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut waits: Vec<_> = waits.collect();
    waits.sort_unstable();
    waits
}

fn middle(sorted: &[Duration]) -> Duration {
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// How many waits fall into the fullest window, and where it begins.
fn peak(sorted: &[Duration]) -> (usize, Duration) {
    let count =
        |from: Duration| sorted.iter().filter(|&&wait| (from..=from + WINDOW).contains(&wait)).count();
    let windows = sorted.iter().map(|&from| (count(from), from));
    windows.max_by_key(|&(count, from)| (count, std::cmp::Reverse(from))).unwrap_or_default()
}

/// The middle wait before each try up to the last that fails.
fn by_attempt(waits: &[Vec<Duration>]) -> String {
    let middles = (0..=FAILS).map(|attempt| middle(&sorted(waits.iter().map(|waits| waits[attempt]))));
    let middles: Vec<_> = middles.map(|wait| ms(wait).to_string()).collect();
    format!("the middle waits before the six tries were {} ms", middles.join(", "))
}

/// Where the waits lie, as columns from 0 to the longest.
fn picture(sorted: &[Duration]) -> String {
    const COLUMNS: usize = 20;
    const HEIGHTS: [char; 9] = ['.', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let longest = sorted.last().copied().unwrap_or_default().max(Duration::from_millis(100));
    let mut counts = [0usize; COLUMNS];
    for wait in sorted {
        let column = (wait.as_secs_f64() / longest.as_secs_f64() * COLUMNS as f64) as usize;
        counts[column.min(COLUMNS - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let height = |count: usize| HEIGHTS[(count * (HEIGHTS.len() - 1)).div_ceil(most)];
    let drawn: String = counts.into_iter().map(height).collect();
    format!("From 0 to {} ms: {drawn}", ms(longest))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64().mul_add(1000.0, 0.5).floor()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(list: impl IntoIterator<Item = u64>) -> Vec<Duration> {
        list.into_iter().map(Duration::from_millis).collect()
    }

    #[test]
    fn the_fullest_window_is_found() {
        assert_eq!(peak(&millis([0, 500, 600, 660, 820, 821, 1200])), (4, Duration::from_millis(500)));
        assert_eq!(peak(&millis((0..10).map(|it| it * 321))).0, 1);
        assert_eq!(peak(&[]), (0, Duration::ZERO));
    }

    #[test]
    fn a_picture_has_a_column_for_each_twentieth() {
        let even = picture(&millis((0..40).map(|it| it * 50)));
        assert_eq!(even, format!("From 0 to 1950 ms: {}", "█".repeat(20)));
        let one = picture(&millis([1000; 16]));
        assert_eq!(one, format!("From 0 to 1000 ms: {}█", ".".repeat(19)));
    }
}
