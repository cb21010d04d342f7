//! What a client's policy lets expect of a fault, and why: so that a count of lost events is not only a count.
//!
//! Pure: it is told the policy, the faults and what came of them. What it does not explain is a fault of the
//! lab or of the client, and is counted.

use super::{
    check::Account,
    definition::{Client, Fault, ReconnectKind, Subject},
    record::Explanation,
};
use crate::transport::Transport;

/// What comes of a fault, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expected {
    /// Every event comes, once and in order.
    Everything,
    /// Some can't come any more, and the server says so.
    Announced,
    /// What was published while the client was away is lost without a word.
    Meanwhile,
    /// Everything after the fault is lost: the client does not come back.
    NeverBack,
}

impl Expected {
    /// The word in files.
    pub const fn slug(self) -> &'static str {
        match self {
            Expected::Everything => "everything",
            Expected::Announced => "announced",
            Expected::Meanwhile => "meanwhile",
            Expected::NeverBack => "never-back",
        }
    }
}

/// What is to be expected of a client under these faults, one after the other, and why: the worst of them
/// decides. A pause that cuts nothing may still outlast a client's or a server's patience; `given_up` says that
/// somebody did end a connection, which is then a cut like any other.
pub fn expected(client: &Client, faults: &[Fault], given_up: bool) -> (Expected, &'static str) {
    let keeps_log = faults.contains(&Fault::RestartWithLog);
    let met = |fault: &Fault| if given_up && !fault.cuts() { Fault::Close } else { *fault };
    let each = faults.iter().map(|fault| of_one(client, met(fault), keeps_log));
    // The first of several that are as bad.
    each.reduce(|worst, next| if next.0 > worst.0 { next } else { worst })
        .unwrap_or((Expected::Everything, "nothing is done to it"))
}

fn of_one(client: &Client, fault: Fault, keeps_log: bool) -> (Expected, &'static str) {
    use Expected::{Announced, Everything, Meanwhile, NeverBack};
    let policy = client.policy();
    let (is_poll, is_sse) = match client.transport {
        Subject::Floor if fault.cuts() => return (NeverBack, "a bare TCP stream never comes back"),
        Subject::Floor => (false, false),
        Subject::Transport(transport) => {
            (matches!(transport, Transport::ShortPoll | Transport::LongPoll), transport == Transport::Sse)
        }
    };
    if !fault.cuts() {
        return (Everything, "no connection is lost: what was held up comes late");
    }
    let is_watched =
        is_poll || policy.quiet_limit.is_some() || client.quiet_heartbeats.is_some_and(|count| count > 0);
    if fault.is_silent() && !is_watched {
        return (NeverBack, "nothing watches for silence, so it waits for ever");
    }
    match client.reconnect {
        ReconnectKind::Never => return (NeverBack, "it is told not to come back"),
        ReconnectKind::Standard if !is_poll && !is_sse => {
            return (NeverBack, "a bare WebSocket never comes back");
        }
        ReconnectKind::Standard if is_sse => match fault {
            Fault::Http204 => return (NeverBack, "204 tells an EventSource to stop, by the standard"),
            Fault::Http500 | Fault::Http503 => {
                return (NeverBack, "EventSource gives up on any status but 200, by the standard");
            }
            Fault::HttpWrongType => {
                return (NeverBack, "EventSource gives up on another content type, by the standard");
            }
            _ => {}
        },
        _ => {}
    }
    if !policy.resume {
        return (Meanwhile, "no cursor: what is published until it is back is lost");
    }
    if fault.kills() && !keeps_log {
        return (Announced, "the log went with the server: the gap is announced");
    }
    (Everything, "it hands its cursor back and gets what it missed")
}

/// What came of a run, as far as it needs explaining.
#[derive(Debug, Clone, Copy)]
pub struct Came {
    /// The counts of all readers together.
    pub account: Account,
    /// Whether the first reader was back after the last cut; `None` where nothing was cut.
    pub is_back: Option<bool>,
    /// Whether a connection was given up although no fault cut it.
    pub given_up: bool,
    /// How many events were published while it was away, with some room at both ends; `None` where there are
    /// several readers, each of which was away for a time of its own.
    pub meanwhile: Option<u64>,
}

/// The explanation of a run, with the events that it does not explain.
pub fn explain(client: &Client, faults: &[Fault], came: Came) -> Explanation {
    let (expected, reason) = expected(client, faults, came.given_up);
    let Account { lost, lost_announced, duplicated, out_of_order, gaps, .. } = came.account;
    let never_to_be = duplicated + out_of_order;
    let beyond = match expected {
        Expected::Everything => lost + gaps,
        Expected::Announced => lost.saturating_sub(lost_announced),
        Expected::Meanwhile => {
            let silently = lost.saturating_sub(lost_announced);
            gaps.saturating_sub(gaps_at_most(client, faults))
                + silently.saturating_sub(came.meanwhile.unwrap_or(u64::MAX))
        }
        // What came back after all contradicts the reason, whatever was lost.
        Expected::NeverBack => u64::from(came.is_back == Some(true)),
    };
    Explanation {
        outcome: expected.slug().to_owned(),
        reason: reason.to_owned(),
        unexplained: never_to_be + beyond,
    }
}

/// How many gaps may be announced to a client that forgets its cursor with the connection. A server that is
/// asked to end answers the polls that wait, and where a new one is there by the next question, the client has
/// noticed nothing: it still has the cursor, of a log that is gone.
fn gaps_at_most(client: &Client, faults: &[Fault]) -> u64 {
    let is_poll = matches!(client.transport, Subject::Transport(Transport::ShortPoll | Transport::LongPoll));
    let ends = faults.iter().filter(|fault| fault.kills()).count() as u64;
    if is_poll && !faults.contains(&Fault::RestartWithLog) { ends } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> Client {
        toml::from_str(&format!("name = 'x'\n{text}")).expect("a client")
    }

    fn outcomes(text: &str) -> Vec<(Fault, Expected)> {
        let client = client(text);
        Fault::ALL.map(|fault| (fault, expected(&client, &[fault], false).0)).into()
    }

    #[test]
    fn who_hands_a_cursor_back_and_always_returns_loses_nothing_unsaid() {
        for text in [
            "transport = 'short-poll'\ninterval_ms = 100",
            "transport = 'long-poll'",
            "transport = 'sse'\nreconnect = 'fixed'\nquiet_limit_ms = 900",
            "transport = 'websocket'\nreconnect = 'exponential-jitter'\nquiet_heartbeats = 3",
        ] {
            for (fault, expected) in outcomes(text) {
                let log_is_lost = matches!(fault, Fault::Restart | Fault::Sigterm);
                let best = if log_is_lost { Expected::Announced } else { Expected::Everything };
                assert_eq!(expected, best, "{text}: {}", fault.slug());
            }
        }
    }

    #[test]
    fn a_bare_websocket_survives_only_what_cuts_nothing() {
        for (fault, expected) in outcomes("transport = 'websocket'") {
            assert_eq!(expected == Expected::NeverBack, fault.cuts(), "{}", fault.slug());
        }
    }

    #[test]
    fn an_event_source_gives_up_where_the_standard_says_so_and_waits_in_silence() {
        let gives_up: Vec<_> = outcomes("transport = 'sse'")
            .into_iter()
            .filter(|(_, expected)| *expected == Expected::NeverBack)
            .map(|(fault, _)| fault)
            .collect();
        use Fault::{Http204, Http500, Http503, HttpWrongType, OneWay, Silence, Unplug};
        assert_eq!(gives_up, [Silence, OneWay, Unplug, Http500, Http503, Http204, HttpWrongType]);
    }

    #[test]
    fn the_worst_of_several_faults_decides_and_a_log_on_disk_survives_all_of_them() {
        let sse = client("transport = 'sse'");
        assert_eq!(
            expected(&sse, &[Fault::Reset, Fault::Http204, Fault::Close], false).0,
            Expected::NeverBack
        );
        assert_eq!(expected(&sse, &[Fault::Reset, Fault::Restart], false).0, Expected::Announced);
        assert_eq!(expected(&sse, &[Fault::Restart, Fault::RestartWithLog], false).0, Expected::Everything);
        assert_eq!(expected(&sse, &[], false).0, Expected::Everything);
    }

    #[test]
    fn a_pause_that_outlasts_somebodys_patience_is_a_cut() {
        let bare = client("transport = 'websocket'");
        assert_eq!(expected(&bare, &[Fault::Hold], false).0, Expected::Everything);
        assert_eq!(expected(&bare, &[Fault::Hold], true).0, Expected::NeverBack);
        let naive = client("transport = 'long-poll'\nresume = false");
        assert_eq!(expected(&naive, &[Fault::Stall], true).0, Expected::Meanwhile);
    }

    #[test]
    fn what_a_policy_does_not_explain_is_counted() {
        let came = |account, is_back, meanwhile| Came {
            account,
            is_back: Some(is_back),
            given_up: false,
            meanwhile,
        };
        let lost = |lost, lost_announced| Account { lost, lost_announced, ..Account::default() };
        let unexplained = |text: &str, fault, came: Came| explain(&client(text), &[fault], came).unexplained;
        let (poll, naive) = ("transport = 'long-poll'", "transport = 'long-poll'\nresume = false");
        assert_eq!(unexplained(poll, Fault::Reset, came(lost(0, 0), true, Some(5))), 0);
        assert_eq!(unexplained(poll, Fault::Reset, came(lost(3, 0), true, Some(5))), 3);
        assert_eq!(unexplained(poll, Fault::Restart, came(lost(3, 3), true, Some(5))), 0);
        assert_eq!(unexplained(naive, Fault::Reset, came(lost(3, 0), true, Some(5))), 0);
        assert_eq!(unexplained(naive, Fault::Reset, came(lost(9, 0), true, Some(5))), 4);
        assert_eq!(unexplained("transport = 'websocket'", Fault::Reset, came(lost(9, 0), false, Some(5))), 0);
        assert_eq!(unexplained("transport = 'websocket'", Fault::Reset, came(lost(0, 0), true, Some(5))), 1);
        let announced = Account { lost: 3, lost_announced: 3, gaps: 1, ..Account::default() };
        assert_eq!(unexplained(naive, Fault::Sigterm, came(announced, true, Some(0))), 0);
        assert_eq!(unexplained(naive, Fault::Reset, came(announced, true, Some(0))), 1, "its log was there");
        let socket = "transport = 'websocket'\nreconnect = 'fixed'\nresume = false";
        assert_eq!(
            unexplained(socket, Fault::Sigterm, came(announced, true, Some(0))),
            1,
            "it has no cursor"
        );
        let twice = Account { duplicated: 2, ..Account::default() };
        assert_eq!(unexplained(naive, Fault::Reset, came(twice, true, Some(5))), 2);
    }
}
