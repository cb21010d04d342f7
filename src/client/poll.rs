//! What both polls share: one request, and what came of it.
//!
//! Our server's answer carries a cursor, a gap and events. Anybody else's is one event whenever its body
//! differs from the one before, so that any URL that is meant to be polled can be watched; 204 and 304
//! bring nothing. Once our server has answered, any other body, or none at all, is not its own (a login page, a
//! proxy's error) and is asked for again, as a page does whose `response.json()` failed.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use url::Url;

use super::{
    Cause, Context, Observation, Subscription,
    answer::{self, Answer, Page},
    dialect::{Batch, Dialect, Told},
    endpoint::{Endpoint, write_request_target},
    http::{self as connection, Get, Http, redirect},
    lifecycle::{Over, Teller},
    limits,
    refusal::{may_pass, refusal, retry_after},
};
use crate::{clock::Timestamp, event::DEFAULT_TYPE};

/// What a poll goes on from.
pub(super) struct Poll {
    url: Url,
    /// Where it stands; `None` before the first answer.
    pub(super) cursor: Option<String>,
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
    /// Events or a gap, of a server that keeps a log, or the first place to go on from: there may be more by now.
    Some,
    /// Nothing new, or a body that tells nothing about when to ask again.
    None,
}

impl Poll {
    pub(super) fn new(subscription: &Subscription) -> Self {
        Poll {
            url: subscription.url.clone(),
            cursor: subscription.after.clone(),
            foreign: None,
            is_ours: false,
            dialect: subscription.dialect.clone(),
            validators: Vec::new(),
        }
    }

    /// Asks once by HTTP, and tells what came. `parameters` are for the transport to add, `limit` is how long
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
        let mut body = Vec::new();
        let exchange = self.exchange(slot, parameters, &mut body, teller.context);
        let (at, head) = match tokio::time::timeout(limit, exchange).await {
            Ok(answered) => answered?,
            Err(_) => return Err(Over::Lost(Cause::Silent(limit))),
        };
        self.judge(at, head, &body, teller)
    }

    /// Whether the server keeps a log by which it can be asked for more at once: ours, or one whose ways are known.
    pub(super) fn is_of_a_log(&self) -> bool {
        self.is_ours || self.dialect.is_some()
    }

    /// Tells what an answer says.
    pub(super) fn judge(
        &mut self,
        at: Timestamp,
        head: Head,
        body: &[u8],
        teller: &mut Teller<'_>,
    ) -> Result<News, Over> {
        let status = head.status;
        if head.is_refusal() {
            let cause = refusal(status, body);
            let again = may_pass(status);
            return Err(if again {
                Over::Refused { cause, retry_after: head.retry_after }
            } else {
                Over::Fatal(cause)
            });
        }
        let has_no_body = head.has_no_body();
        if let Some(validators) = head.validators {
            self.validators = validators;
        }
        if has_no_body {
            if self.is_ours {
                return Err(no_page(&format!("status {status}")));
            }
            teller.open(at)?;
            return Ok(News::None);
        }
        if let Some(dialect) = self.dialect.clone() {
            return self.tell_foreign(at, &dialect, body, teller);
        }
        match answer::parse(body) {
            Answer::Page(page) => {
                teller.open(at)?;
                self.is_ours = true;
                let is_new = page.gap.is_some() || !page.events.is_empty() || self.cursor.is_none();
                // Before the events are told: an observer that stops at one has seen it.
                let cursor = page.cursor.as_ref();
                if self.cursor.as_deref() != Some(cursor) {
                    let kept = self.cursor.get_or_insert_default();
                    kept.clear();
                    kept.push_str(cursor);
                }
                tell_page(at, &page, teller)?;
                Ok(if is_new { News::Some } else { News::None })
            }
            Answer::Other(text) if self.is_ours => {
                let start: String = text.chars().take(40).collect();
                Err(no_page(&format!("{start:?}")))
            }
            Answer::Other(text) => {
                teller.open(at)?;
                if self.foreign.as_deref() != Some(body) {
                    teller.tell(at, &Observation::Event { id: None, kind: DEFAULT_TYPE, data: &text })?;
                    self.foreign = Some(body.to_vec());
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
        body: &[u8],
        teller: &mut Teller<'_>,
    ) -> Result<News, Over> {
        let Some(Batch { cursor, events }) = dialect.batch(body) else {
            let start: String = String::from_utf8_lossy(body).chars().take(40).collect();
            let cause = Cause::Refused(format!("the answer is not as the dialect says: {start:?}"));
            return Err(Over::Fatal(cause));
        };
        teller.open(at)?;
        let had_cursor = self.cursor.is_some();
        let last = events.iter().rev().find_map(|event| event.id.clone());
        if let Some(cursor) = cursor.or(last).filter(|_| dialect.after.is_some()) {
            self.cursor = Some(cursor);
        }
        for Told { id, kind, data } in &events {
            teller.tell(at, &Observation::Event { id: id.as_deref(), kind, data })?;
        }
        let is_new = !events.is_empty() || !had_cursor && self.cursor.is_some();
        Ok(if is_new { News::Some } else { News::None })
    }

    /// Forgets where it stood.
    pub(super) fn forget(&mut self) {
        self.cursor = None;
        self.validators.clear();
    }

    /// The request's target: the URL with the cursor, if there is one, and with what the transport adds.
    pub(super) fn target(&self, parameters: &[(&str, &str)], write: impl FnMut(&str)) {
        write_request_target(&self.url, &self.with_cursor(parameters), write);
    }

    fn with_cursor<'a>(&'a self, parameters: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let name = match &self.dialect {
            None => Some("after"),
            Some(dialect) => dialect.after.as_deref(),
        };
        let after = name.zip(self.cursor.as_deref());
        after.into_iter().chain(parameters.iter().copied()).collect()
    }

    /// The parameter by which the server is asked to hold the next request.
    pub(super) fn wait_parameter(&self) -> Option<&str> {
        match &self.dialect {
            None => Some("wait"),
            // The first question is answered at once and tells where the present is, unless the server
            // gives everything from the beginning.
            Some(dialect)
                if self.cursor.is_some() || dialect.poll.from_the_first || dialect.after.is_none() =>
            {
                dialect.poll.wait.as_deref()
            }
            Some(_) => None,
        }
    }

    /// The request's headers, beside those that say to whom it goes and from whom it comes.
    pub(super) fn headers(&self) -> impl Iterator<Item = (HeaderName, &[u8])> {
        let accept = (header::ACCEPT, &b"application/json, */*;q=0.5"[..]);
        let known = self.validators.iter().map(|(name, value)| (name.clone(), value.as_bytes()));
        std::iter::once(accept).chain(known)
    }

    /// Where the requests go.
    pub(super) fn endpoint(&self) -> Result<Endpoint, Cause> {
        Endpoint::of(&self.url)
    }

    /// Whether the answer's head says where the reader stands.
    pub(super) fn is_conditional(&self) -> bool {
        self.dialect.as_ref().is_some_and(|dialect| dialect.poll.conditional)
    }

    /// Sends the request and reads the whole answer.
    async fn exchange(
        &self,
        slot: &mut Option<Http>,
        parameters: &[(&str, &str)],
        body: &mut Vec<u8>,
        context: &Context,
    ) -> Result<(Timestamp, Head), Over> {
        let parameters = self.with_cursor(parameters);
        let headers: Vec<_> = self.headers().collect();
        let get = Get { url: &self.url, parameters: &parameters, headers: &headers, holds: false };
        let response = match Http::get(slot, &get, context).await {
            Ok(connection::Answer::Response(response)) => response,
            Ok(connection::Answer::FoundGone(cause)) => return Err(Over::FoundGone(cause)),
            Err(cause @ Cause::Refused(_)) => return Err(Over::Fatal(cause)),
            Err(cause) => return Err(Over::Lost(cause)),
        };
        // A connection that has answered is in its slot.
        let Some(http) = slot else { return Err(Over::Lost(Cause::Closed(None))) };
        let head = Head::of(response.status(), response.version(), response.headers(), self.is_conditional());
        let read = http.read_body(&mut response.into_body(), head.body_limit(), body).await;
        match read {
            // What there is says why.
            _ if head.is_refusal() => {}
            Err(cause @ Cause::Refused(_)) => return Err(Over::Fatal(cause)),
            Err(cause) => return Err(Over::Lost(cause)),
            Ok(()) => {}
        }
        let at = http.tally.read_at();
        if head.is_last {
            // The server said that it would close, so that is no news to anybody.
            *slot = None;
        }
        Ok((at, head))
    }
}

/// What an answer's head says to a poll.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    /// It is the last one of its connection.
    pub(super) is_last: bool,
    /// It says where to ask instead.
    pub(super) is_redirect: bool,
    /// How long the server wants to be left alone.
    retry_after: Option<Duration>,
    /// What is to be handed back with the next request, where that is how the server is asked.
    validators: Option<Vec<(HeaderName, HeaderValue)>>,
}

impl Head {
    pub(super) fn of(
        status: StatusCode,
        version: Version,
        headers: &HeaderMap,
        is_conditional: bool,
    ) -> Self {
        Head {
            is_last: is_last(version, headers),
            is_redirect: redirect(status, headers).is_some(),
            retry_after: retry_after(headers, SystemTime::now()),
            validators: (is_conditional && status.is_success()).then(|| validators(headers)),
            status,
        }
    }

    /// One that says nothing but that all is well.
    pub(super) fn ok() -> Self {
        Head {
            status: StatusCode::OK,
            is_last: false,
            is_redirect: false,
            retry_after: None,
            validators: None,
        }
    }

    /// Whether it brings nothing of what was asked for.
    pub(super) fn is_refusal(&self) -> bool {
        !self.status.is_success() && self.status != StatusCode::NOT_MODIFIED
    }

    /// Whether nothing can follow it.
    pub(super) fn has_no_body(&self) -> bool {
        matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }

    /// How much is read of what follows, in bytes.
    pub(super) fn body_limit(&self) -> usize {
        if self.is_refusal() { limits::ERROR_BYTES } else { limits::BODY_BYTES }
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
pub(super) fn no_page(what: &str) -> Over {
    let cause = Cause::Refused(format!("the answer is no page of events: {what}"));
    Over::Refused { cause, retry_after: None }
}

/// Whether an answer is the last one of its connection.
fn is_last(version: Version, headers: &HeaderMap) -> bool {
    let says = |word: &str| {
        headers.get_all(header::CONNECTION).iter().any(|value| {
            let value = String::from_utf8_lossy(value.as_bytes());
            value.split(',').any(|said| said.trim().eq_ignore_ascii_case(word))
        })
    };
    says("close") || (version == Version::HTTP_10 && !says("keep-alive"))
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
