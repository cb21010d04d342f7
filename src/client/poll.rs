//! What both polls share: one request, and what came of it.
//!
//! Our server's answer carries a cursor, a gap and events. Anybody else's is one event whenever its body
//! differs from the one before, so that any URL that is meant to be polled can be watched; 204 and 304
//! bring nothing. Once our server has answered, any other body, or none at all, is not its own (a login page, a
//! proxy's error) and is asked for again, as a page does whose `response.json()` failed.

use std::{
    mem,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::body::Incoming;
use url::Url;

use super::{
    Cause, Context, Observation, Subscription,
    answer::{self, Answer, Page},
    dialect::{Batch, Dialect, Told},
    endpoint::Endpoint,
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
    /// How the server speaks, where it is not ours.
    pub(super) dialect: Option<Arc<Dialect>>,
    /// Where a reader stands by the answer's own headers, and what hands them back.
    validators: Vec<(HeaderName, HeaderValue)>,
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
            dialect: subscription.dialect.clone(),
            validators: Vec::new(),
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
        if self.dialect.as_ref().is_some_and(|dialect| dialect.poll.from_the_first) {
            self.stand(slot, teller).await?;
        }
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
        if let Some(dialect) = self.dialect.clone() {
            return self.tell_foreign(at, &dialect, teller);
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

    /// Connects, where that has not been done: whatever is published from now on will be there to be asked for.
    async fn stand(&mut self, slot: &mut Option<Http>, teller: &mut Teller<'_>) -> Result<(), Over> {
        if slot.is_none() {
            let endpoint = Endpoint::of(&self.url).map_err(Over::Fatal)?;
            *slot = Some(Http::connect(endpoint, teller.context).await.map_err(Over::Lost)?);
        }
        teller.open(teller.context.clock.now())
    }

    fn tell_foreign(
        &mut self,
        at: Timestamp,
        dialect: &Dialect,
        teller: &mut Teller<'_>,
    ) -> Result<News, Over> {
        let Some(Batch { cursor, events }) = dialect.batch(&self.body) else {
            let start: String = String::from_utf8_lossy(&self.body).chars().take(40).collect();
            let cause = Cause::Refused(format!("the answer is not as the dialect says: {start:?}"));
            return Err(Over::Fatal(cause));
        };
        teller.open(at)?;
        let news = if events.is_empty() { News::None } else { News::Some };
        let last = events.iter().rev().find_map(|event| event.id.clone());
        if let Some(cursor) = cursor.or(last).filter(|_| dialect.after.is_some()) {
            self.cursor = Some(cursor);
        }
        for Told { id, kind, data } in &events {
            teller.tell(at, &Observation::Event { id: id.as_deref(), kind, data })?;
        }
        Ok(news)
    }

    /// Forgets where it stood.
    pub(super) fn forget(&mut self) {
        self.cursor = None;
        self.validators.clear();
    }

    /// Sends the request and reads the whole answer.
    async fn exchange(
        &mut self,
        slot: &mut Option<Http>,
        parameters: &[(&str, &str)],
        context: &Context,
    ) -> Result<StatusCode, Over> {
        let dialect = self.dialect.clone();
        let name = match &dialect {
            None => Some("after"),
            Some(dialect) => dialect.after.as_deref(),
        };
        let after = name.zip(self.cursor.as_deref());
        let parameters: Vec<_> = after.into_iter().chain(parameters.iter().copied()).collect();
        let accept = (header::ACCEPT, &b"application/json, */*;q=0.5"[..]);
        let known = self.validators.iter().map(|(name, value)| (name.clone(), value.as_bytes()));
        let headers: Vec<_> = std::iter::once(accept).chain(known).collect();
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
        let validators = dialect
            .filter(|dialect| dialect.poll.conditional && status != StatusCode::NOT_MODIFIED)
            .map(|_| validators(response.headers()));
        let read = http.read_body(&mut response.into_body(), limits::BODY_BYTES, &mut self.body).await;
        match read {
            Err(cause @ Cause::Refused(_)) => return Err(Over::Fatal(cause)),
            Err(cause) => return Err(Over::Lost(cause)),
            Ok(()) => {}
        }
        if let Some(validators) = validators {
            self.validators = validators;
        }
        if is_last {
            // The server said that it would close, so that is no news to anybody.
            *slot = None;
        }
        Ok(status)
    }
}

/// What is to be handed back of an answer's validators.
fn validators(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    [(header::LAST_MODIFIED, header::IF_MODIFIED_SINCE), (header::ETAG, header::IF_NONE_MATCH)]
        .into_iter()
        .filter_map(|(given, handed_back)| Some((handed_back, headers.get(given)?.clone())))
        .collect()
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
