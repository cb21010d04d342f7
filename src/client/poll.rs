//! What both polls share: one request, and what came of it.
//!
//! Our server's answer carries a cursor, a gap and events. Anybody else's is one event whenever its body
//! differs from the one before, so that any URL that is meant to be polled can be watched; 204 and 304
//! bring nothing. Once our server has answered, any other body, or none at all, is not its own (a login page, a
//! proxy's error) and is asked for again, as a page does whose `response.json()` failed.

use std::{
    mem,
    time::{Duration, SystemTime},
};

use http::{Response, StatusCode, header};
use hyper::body::Incoming;
use url::Url;

use super::{
    Cause, Context, Observation, Subscription,
    answer::{self, Answer, Page},
    http::{self as connection, Get, Http},
    lifecycle::{Over, Teller},
    limits,
    refusal::{may_pass, retry_after},
};
use crate::{clock::Timestamp, event::DEFAULT_TYPE};

/// What a poll goes on from.
pub(super) struct Poll {
    url: Url,
    /// Where it stands; `None` before the first answer.
    pub(super) cursor: Option<String>,
    body: Vec<u8>,
    /// The body before, where it was not our server's.
    foreign: Option<Vec<u8>>,
    /// Whether our server has answered at least once.
    is_ours: bool,
}

/// What a request brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Events or a gap, of a server that keeps a log: there may be more by now.
    Some,
    /// Nothing new, or a body that tells nothing about when to ask again.
    None,
}

impl Poll {
    pub(super) fn new(subscription: &Subscription) -> Self {
        Poll {
            url: subscription.url.clone(),
            cursor: subscription.after.clone(),
            body: Vec::new(),
            foreign: None,
            is_ours: false,
        }
    }

    /// Asks once, and tells what came. `parameters` are for the transport to add, `limit` is how long
    /// the whole exchange may take.
    pub(super) async fn ask(
        &mut self,
        slot: &mut Option<Http>,
        parameters: &[(&str, &str)],
        limit: Duration,
        teller: &mut Teller<'_>,
    ) -> Result<News, Over> {
        let exchange = self.exchange(slot, parameters, teller.context);
        let status = match tokio::time::timeout(limit, exchange).await {
            Ok(status) => status?,
            Err(_) => return Err(Over::Lost(Cause::Silent(limit))),
        };
        let at = slot.as_ref().map_or_else(|| teller.context.clock.now(), |http| http.tally.read_at());
        if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            if self.is_ours {
                return Err(no_page(&format!("status {status}")));
            }
            teller.open(at)?;
            return Ok(News::None);
        }
        match answer::parse(&self.body) {
            Answer::Page(page) => {
                teller.open(at)?;
                self.is_ours = true;
                let news =
                    if page.gap.is_some() || !page.events.is_empty() { News::Some } else { News::None };
                // Before the events are told: an observer that stops at one has seen it.
                let cursor = page.cursor.as_ref();
                if self.cursor.as_deref() != Some(cursor) {
                    self.cursor = Some(cursor.to_owned());
                }
                tell_page(at, &page, teller)?;
                Ok(news)
            }
            Answer::Other(text) if self.is_ours => {
                let start: String = text.chars().take(40).collect();
                Err(no_page(&format!("{start:?}")))
            }
            Answer::Other(text) => {
                teller.open(at)?;
                if self.foreign.as_deref() != Some(&self.body) {
                    teller.tell(at, &Observation::Event { id: None, kind: DEFAULT_TYPE, data: &text })?;
                    let body = mem::take(&mut self.body);
                    self.foreign = Some(body);
                }
                Ok(News::None)
            }
        }
    }

    /// Sends the request and reads the whole answer.
    async fn exchange(
        &mut self,
        slot: &mut Option<Http>,
        parameters: &[(&str, &str)],
        context: &Context,
    ) -> Result<StatusCode, Over> {
        let after = self.cursor.as_deref().map(|cursor| ("after", cursor));
        let parameters: Vec<_> = after.into_iter().chain(parameters.iter().copied()).collect();
        let headers = [(header::ACCEPT, &b"application/json, */*;q=0.5"[..])];
        let get = Get { url: &self.url, parameters: &parameters, headers: &headers, holds: false };
        let response = match Http::get(slot, &get, context).await {
            Ok(connection::Answer::Response(response)) => response,
            Ok(connection::Answer::FoundGone(cause)) => return Err(Over::FoundGone(cause)),
            Err(cause @ Cause::Refused(_)) => return Err(Over::Fatal(cause)),
            Err(cause) => return Err(Over::Lost(cause)),
        };
        // A connection that has answered is in its slot.
        let Some(http) = slot else { return Err(Over::Lost(Cause::Closed(None))) };
        let status = response.status();
        if !status.is_success() && status != StatusCode::NOT_MODIFIED {
            let retry_after = retry_after(response.headers(), SystemTime::now());
            let cause = http.refusal(response).await;
            let again = may_pass(status);
            return Err(if again { Over::Refused { cause, retry_after } } else { Over::Fatal(cause) });
        }
        let is_last = is_last(&response);
        let read = http.read_body(&mut response.into_body(), limits::BODY_BYTES, &mut self.body).await;
        match read {
            Err(cause @ Cause::Refused(_)) => return Err(Over::Fatal(cause)),
            Err(cause) => return Err(Over::Lost(cause)),
            Ok(()) => {}
        }
        if is_last {
            // The server said that it would close, so that is no news to anybody.
            *slot = None;
        }
        Ok(status)
    }
}

/// Somebody else answered in our server's place.
fn no_page(what: &str) -> Over {
    let cause = Cause::Refused(format!("the answer is no page of events: {what}"));
    Over::Refused { cause, retry_after: None }
}

/// Whether a response is the last one of its connection.
fn is_last(response: &Response<Incoming>) -> bool {
    let says = |word: &str| {
        response.headers().get_all(header::CONNECTION).iter().any(|value| {
            let value = String::from_utf8_lossy(value.as_bytes());
            value.split(',').any(|said| said.trim().eq_ignore_ascii_case(word))
        })
    };
    says("close") || (response.version() == ::http::Version::HTTP_10 && !says("keep-alive"))
}

fn tell_page(at: Timestamp, page: &Page<'_>, teller: &mut Teller<'_>) -> Result<(), Over> {
    if let Some(gap) = page.gap {
        teller.tell(at, &Observation::Gap(gap))?;
    }
    for item in &page.events {
        teller.tell(at, &Observation::Event { id: Some(&item.id), kind: &item.kind, data: &item.data })?;
    }
    Ok(())
}
