//! Telling a class's board what a check said: an event on a channel of the lab's server, which anybody may
//! publish and the page `/board` reads.

use std::collections::BTreeMap;

use serde::Serialize;
use url::Url;

use super::{
    excerpt::one_line,
    finding::{Outcome, Report, Verdict},
    http::{self, Answer, Place, Request},
    progress::{Progress, now_ms},
};
use crate::{exercise::BOARD, feed::ChannelName};

/// A class's board, and the room whose verdicts it is told.
#[derive(Debug, Clone)]
pub struct Board {
    /// The lab's server: its address, with `?token=` where it asks for one.
    pub url: Url,
    /// Who tells.
    pub room: ChannelName,
}

/// Why a board was not told. The verdict stands all the same.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// It can't be reached, or what answers there is no server of the lab.
    #[error(
        "{0}: give the board the address that the lab's server printed at its start, such as \
         http://192.0.2.7:3000"
    )]
    Unreachable(String),
    /// It asks for a token, or for another one.
    #[error("it asks for its token: give the whole address that the server printed, with ?token=")]
    Token,
    /// It says no.
    #[error("it answered {0}")]
    Refused(String),
}

/// What the board is told.
#[derive(Debug, Serialize)]
struct Told<'a> {
    room: &'a str,
    exercise: &'a str,
    verdict: Verdict,
    met: Vec<&'a str>,
    missed: Vec<&'a str>,
    not_reached: Vec<&'a str>,
    /// By the server's clock, as those of a class differ.
    at_ms: u64,
    /// What the room had passed by then, and when, so that a board which has lost its log has it again.
    passed: BTreeMap<&'a str, u64>,
}

#[derive(Debug, Serialize)]
struct Publication {
    r#type: &'static str,
    data: String,
}

impl Board {
    /// Publishes a verdict.
    ///
    /// # Errors
    /// Where the board can't be reached, or does not take it. It is never waited for without end.
    pub async fn tell(&self, report: &Report, progress: &Progress) -> Result<(), BoardError> {
        let place = Place::of(&self.url).await.map_err(BoardError::Unreachable)?;
        let ahead = ahead_ms(&place).await?;
        let body = serde_json::to_string(&Publication {
            r#type: "verdict",
            data: serde_json::to_string(&self.told(report, progress, ahead)).unwrap_or_default(),
        });
        let path = format!("/channels/{BOARD}/events");
        let mut request = Request::post(path, "application/json", body.unwrap_or_default());
        if let Some((_, token)) = self.url.query_pairs().find(|(key, _)| key == "token") {
            // A line end in it would begin another header.
            let token: String = token.chars().filter(char::is_ascii_graphic).collect();
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let answer = ask(&place, &request).await?;
        match answer.status {
            201 => Ok(()),
            401 => Err(BoardError::Token),
            _ => Err(BoardError::Refused(said(&answer))),
        }
    }

    fn told<'a>(&'a self, report: &'a Report, progress: &'a Progress, ahead_ms: i64) -> Told<'a> {
        let names = |outcome| -> Vec<&str> {
            let findings = report.findings.iter().filter(|finding| finding.outcome == outcome);
            findings.map(|finding| finding.name.as_str()).collect()
        };
        let by_its_clock = |ms: u64| ms.saturating_add_signed(ahead_ms);
        let passed = progress.exercises.iter().filter_map(|(name, done)| {
            let at = done.passed_at_ms?;
            Some((name.as_str(), by_its_clock(at)))
        });
        Told {
            room: self.room.as_str(),
            exercise: &report.exercise,
            verdict: report.verdict,
            met: names(Outcome::Met),
            missed: names(Outcome::Missed),
            not_reached: names(Outcome::NotReached),
            at_ms: by_its_clock(now_ms()),
            passed: passed.collect(),
        }
    }
}

/// How far the server's clock is ahead of this machine's, in milliseconds.
async fn ahead_ms(place: &Place) -> Result<i64, BoardError> {
    let answer = ask(place, &Request::get("/time")).await?;
    if answer.status != 200 {
        return Err(BoardError::Refused(said(&answer)));
    }
    let now = answer.json().ok().and_then(|json| json["now"].as_f64());
    let now =
        now.ok_or_else(|| BoardError::Unreachable("what answers there does not tell the time".into()))?;
    Ok(now as i64 - i64::try_from(now_ms()).unwrap_or_default())
}

async fn ask(place: &Place, request: &Request) -> Result<Answer, BoardError> {
    http::ask(place, request).await.map_err(|trouble| BoardError::Unreachable(one_line(&trouble.what)))
}

/// The server's own words where it has some, and otherwise what can be seen of its answer.
fn said(answer: &Answer) -> String {
    let error = answer.json().ok().and_then(|json| Some(json["error"].as_str()?.to_owned()));
    match error {
        Some(error) => format!("{}: {}", answer.status, one_line(&error)),
        None => answer.summary(),
    }
}
