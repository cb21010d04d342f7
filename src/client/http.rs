//! An HTTP/1.1 connection that its own task drives.
//!
//! hyper splits a connection into a handle and a driver that is usually spawned. Here both are polled by
//! the reader's one task: no second task per connection, and when the reader is done the stream is still
//! in its hands, so that it can be closed in an orderly way.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use url::Url;

use super::{
    Cause, Context,
    driver::Driver,
    endpoint::{Endpoint, request_target},
    lifecycle::Over,
    limits,
    refusal::refusal,
};
use crate::link::{Counted, Tally};

/// An open connection.
pub(super) struct Http {
    endpoint: Endpoint,
    pub(super) tally: Arc<Tally>,
    /// A redirect led here.
    is_elsewhere: bool,
    sender: SendRequest<Full<Bytes>>,
    connection: Connection<TokioIo<Counted>, Full<Bytes>>,
    driver: Driver,
    /// How the driver came to its end, after which it must not be polled again.
    ended: Option<Cause>,
}

/// What to ask for.
pub(super) struct Get<'a> {
    pub(super) url: &'a Url,
    /// Query parameters to add.
    pub(super) parameters: &'a [(&'a str, &'a str)],
    pub(super) headers: &'a [(HeaderName, &'a [u8])],
    /// Whether [`Http::let_go`] is to follow, or [`Tally::let_through`]: hyper reads a body before anybody asks
    /// for it.
    pub(super) holds: bool,
}

/// What came of a request.
pub(super) enum Answer {
    Response(Response<Incoming>),
    /// The connection, which had served before, turned out to be gone before anything was answered.
    FoundGone(Cause),
}

/// Who asks.
pub(super) const USER_AGENT: &str = concat!("pushlab/", env!("CARGO_PKG_VERSION"));

/// A server may end a kept connection at the moment at which it is used again, and the request is then
/// nobody's loss. After this time it was lost while the server held the request.
pub(super) const FOUND_GONE_WITHIN: Duration = Duration::from_secs(1);

impl Http {
    /// Sends a GET over the connection in `slot`, or over a new one put there, and follows redirects as
    /// browsers do.
    pub(super) async fn get(
        slot: &mut Option<Http>,
        get: &Get<'_>,
        context: &Context,
    ) -> Result<Answer, Cause> {
        let mut url = get.url.clone();
        let mut parameters = get.parameters;
        for redirects in 0..=limits::REDIRECTS {
            let endpoint = Endpoint::of(&url)?;
            let usable = slot.as_ref().is_some_and(|http| http.endpoint == endpoint);
            if !usable {
                *slot = None;
            }
            let http = match slot {
                Some(http) => http,
                None => slot.insert(Http::connect(endpoint, context).await?),
            };
            http.is_elsewhere |= redirects > 0;
            let served_before = http.tally.has_read();
            let mut request = Request::get(request_target(&url, parameters))
                .header(header::HOST, http.endpoint.host_header())
                .header(header::USER_AGENT, USER_AGENT);
            for (name, value) in get.headers {
                request = request.header(name, *value);
            }
            let request = request
                .body(Full::default())
                .map_err(|error| Cause::Refused(format!("{url} makes no request: {error}")))?;
            if get.holds {
                http.tally.hold_behind_head();
            }
            let (asked, read_before) = (Instant::now(), http.tally.read_at());
            let response = match http.send(request).await {
                Ok(response) => response,
                Err(cause)
                    if served_before
                        && http.tally.read_at() == read_before
                        && asked.elapsed() < FOUND_GONE_WITHIN =>
                {
                    return Ok(Answer::FoundGone(cause));
                }
                Err(cause) => return Err(cause),
            };
            let Some(location) = redirect(response.status(), response.headers()) else {
                return Ok(Answer::Response(response));
            };
            url = url
                .join(&location)
                .map_err(|error| Cause::Refused(format!("redirect to {location:?}: {error}")))?;
            // Where it leads is the server's to say, parameters included; what a redirect keeps is left.
            parameters = &[];
            // Its body, which nobody wants, may be of any length.
            *slot = None;
        }
        Err(Cause::Refused(format!("more than {} redirects", limits::REDIRECTS)))
    }

    /// Sends a POST with a JSON body over the connection in `slot`, or over a new one put there. A redirect
    /// is an answer like any other: nobody wants a message sent twice.
    pub(super) async fn post(
        slot: &mut Option<Http>,
        url: &Url,
        json: Bytes,
        context: &Context,
    ) -> Result<Response<Incoming>, Cause> {
        let http = match slot {
            Some(http) => http,
            None => slot.insert(Http::connect(Endpoint::of(url)?, context).await?),
        };
        let request = Request::post(request_target(url, &[]))
            .header(header::HOST, http.endpoint.host_header())
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(json))
            .map_err(|error| Cause::Refused(format!("{url} makes no request: {error}")))?;
        http.send(request).await
    }

    pub(super) async fn connect(endpoint: Endpoint, context: &Context) -> Result<Http, Cause> {
        let stream = endpoint.connect(context).await?;
        let tally = stream.tally();
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(limits::HEAD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| cause_of(&error))?;
        Ok(Http {
            endpoint,
            tally,
            is_elsewhere: false,
            sender,
            connection,
            driver: Driver::new(),
            ended: None,
        })
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Cause> {
        let Http { tally, sender, connection, driver, ended, .. } = self;
        drive(driver, connection, ended, async {
            sender.ready().await?;
            tally.begin_request();
            sender.send_request(request).await
        })
        .await
    }

    /// The next piece of a response's body; `None` at its end.
    pub(super) async fn chunk(&mut self, body: &mut Incoming) -> Option<Result<Bytes, Cause>> {
        loop {
            let frame = async { body.frame().await.transpose() };
            match drive(&self.driver, &mut self.connection, &mut self.ended, frame).await {
                Ok(None) => return None,
                Ok(Some(frame)) => {
                    // Trailers say nothing here.
                    if let Ok(data) = frame.into_data() {
                        return Some(Ok(data));
                    }
                }
                Err(cause) => return Some(Err(cause)),
            }
        }
    }

    /// Reads a whole body into `buffer`, if it is not longer than `limit` bytes.
    pub(super) async fn read_body(
        &mut self,
        body: &mut Incoming,
        limit: usize,
        buffer: &mut Vec<u8>,
    ) -> Result<(), Cause> {
        buffer.clear();
        while let Some(chunk) = self.chunk(body).await {
            let chunk = chunk?;
            if buffer.len() + chunk.len() > limit {
                return Err(limits::too_large("the answer", limit));
            }
            buffer.extend_from_slice(&chunk);
        }
        Ok(())
    }

    /// What a response other than the hoped-for one says.
    pub(super) async fn refusal(&mut self, response: Response<Incoming>) -> Cause {
        let status = response.status();
        let mut text = Vec::new();
        let mut body = response.into_body();
        // A body that is too long, or breaks off, has given what it has.
        let _ = self.read_body(&mut body, limits::ERROR_BYTES, &mut text).await;
        refusal(status, &text)
    }

    /// Whether what is asked of this endpoint is answered over this connection, and not elsewhere.
    pub(super) fn answers_for(&self, endpoint: &Endpoint) -> bool {
        self.endpoint == *endpoint && !self.is_elsewhere
    }

    /// Takes the connection in `slot` out of HTTP's hands, once an answer has been read, or its head behind which
    /// everything was held; with what was read beyond that. Where the connection is over it is `None`, and stays
    /// in its slot.
    pub(super) fn let_go(slot: &mut Option<Http>) -> Option<(Counted, Vec<u8>)> {
        let http = slot.take_if(|http| http.ended.is_none())?;
        let parts = http.connection.into_parts();
        let mut stream = parts.io.into_inner();
        let mut ahead = Vec::from(parts.read_buf);
        ahead.append(&mut stream.take_held());
        Some((stream, ahead))
    }

    /// Parts with a connection, if there is one.
    pub(super) async fn leave(slot: Option<Http>, over: &Over) {
        if let Some(http) = slot {
            over.part_with(http.connection.into_parts().io.into_inner()).await;
        }
    }
}

/// Polls a connection beside a future that waits for something that it does.
async fn drive<T>(
    driver: &Driver,
    connection: &mut Connection<TokioIo<Counted>, Full<Bytes>>,
    ended: &mut Option<Cause>,
    future: impl Future<Output = hyper::Result<T>>,
) -> Result<T, Cause> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let polled = driver.poll(
            cx,
            |cx| {
                if ended.is_none()
                    && let Poll::Ready(end) = connection.poll_without_shutdown(cx)
                {
                    *ended = Some(end.map_or_else(|error| cause_of(&error), |()| Cause::Closed(None)));
                }
            },
            future.as_mut(),
        );
        match (polled, &*ended) {
            (Poll::Ready(done), _) => Poll::Ready(done.map_err(|error| cause_of(&error))),
            // It would wait for ever: the handle does not notice while the driver has only ended and is
            // not dropped.
            (Poll::Pending, Some(cause)) => Poll::Ready(Err(cause.clone())),
            (Poll::Pending, None) => Poll::Pending,
        }
    })
    .await
}

/// Where an answer redirects to, if it does.
pub(super) fn redirect(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    use StatusCode as S;
    match status {
        S::MOVED_PERMANENTLY | S::FOUND | S::SEE_OTHER | S::TEMPORARY_REDIRECT | S::PERMANENT_REDIRECT => {
            Some(String::from_utf8_lossy(headers.get(header::LOCATION)?.as_bytes()).into_owned())
        }
        _ => None,
    }
}

/// A connection that ended too early.
pub(super) fn incomplete() -> Cause {
    Cause::Broken("the connection ended before the answer was complete".to_owned())
}

fn cause_of(error: &hyper::Error) -> Cause {
    if error.is_parse() || error.is_parse_too_large() {
        return Cause::Refused(format!("not an HTTP answer: {error}"));
    }
    if error.is_incomplete_message() {
        return incomplete();
    }
    if error.is_canceled() || error.is_closed() {
        return Cause::Closed(None);
    }
    // hyper's own words say where it happened, those of its source what.
    let mut source: &dyn std::error::Error = error;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    Cause::Broken(source.to_string())
}
