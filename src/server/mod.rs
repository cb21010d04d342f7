//! The server: every way to read a channel over HTTP, and what surrounds it.
//!
//! A guided tour, in the order in which a request meets the files:
//!
//! | file | what it does |
//! | --- | --- |
//! | `config`, `flags` | limits and times, all in one value; the same on a command line |
//! | `doors` | the addresses that a program listens on |
//! | `listen` | accepts connections, serves them, ends them: [`run`] |
//! | `connection` | one TCP connection, and the switch that cuts it below HTTP |
//! | `envelope` | what is the same for every answer: errors are JSON |
//! | `hosts` | whose requests are served: `Host` and `Origin` |
//! | `request`, `refusal` | what handlers take from a request; errors as clients get them |
//! | **`short_poll`, `long_poll`** | two of the four transports, over `polling` |
//! | **`sse`, `websocket`** | the other two; `upgrade` gets from HTTP to a WebSocket |
//! | **`handover`** | the fast path: streams that HTTP has let go of, and who writes to them |
//! | `publish`, `source` | how events come in: by request, and by the built-in publisher |
//! | `readers`, `describe`, `disconnect` | who reads: counted, shown, cut |
//! | `networks` | doors through which a page reads as if from a telephone or by satellite |
//! | `token`, `cors`, `page_policy` | who may change things; who else may read; what pages may load |
//! | `wire` | a page's own connections, byte by byte |
//! | `results` | the runs of experiments, and one at a time on demand |
//! | `tour`, `second_origin` | streams with one lesson each, here and on another origin |
//! | `assets` | the pages' own files |
//! | `pages`, `tutorial`, `echo` | the pages, the streams of the tutorials, a WebSocket that echoes |
//! | `floor` | the bare TCP stream that all transports are measured against |
//! | `descriptors`, `memory` | how many connections the process may have; what a crowd leaves behind |
//!
//! Read the four transports side by side: each is a loop around one call of the
//! [feed](crate::feed), `since`, `wait_after` or `follow`, and the rest of its file is what its protocol
//! asks for. None holds a queue: a reader that does not read is not read for, so what it costs is its
//! cursor and the one batch that waits for its socket.
//!
//! Nothing here knows TOML, experiments or our own clients.

mod assets;
mod config;
mod connection;
mod cors;
mod describe;
mod descriptors;
mod disconnect;
mod doors;
mod echo;
mod envelope;
mod flags;
pub mod floor;
mod handover;
mod hosts;
mod listen;
mod long_poll;
mod memory;
mod networks;
mod page_policy;
mod pages;
mod polling;
mod publish;
mod readers;
mod refusal;
mod request;
mod results;
mod second_origin;
mod short_poll;
pub mod source;
mod sse;
mod token;
mod tour;
mod tutorial;
mod upgrade;
mod websocket;
mod wire;

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::IntoResponse as _,
    routing::{MethodRouter, get, post, put},
};

use http::{HeaderValue, Method, StatusCode, Uri, header};

pub use config::Config;
pub use cors::{BadOrigin, Origin};
pub use descriptors::max_connections;
pub use doors::{Addresses, Doors, url_with_token};
pub use flags::Flags;
pub use listen::{bind, run, run_second_origin};
pub use token::{BadToken, Token};

use self::{
    handover::Habits, hosts::Hosts, networks::Doorways, readers::Readers, refusal::Refusal, results::Runs,
    source::Sources, wire::Wires,
};
use crate::{clock::Clock, feed::Feed};

/// All that the server knows; clones are the same server.
#[derive(Debug, Clone)]
pub struct State(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    clock: Clock,
    feed: Arc<Feed>,
    hosts: Hosts,
    readers: Arc<Readers>,
    sources: Sources,
    wires: Arc<Wires>,
    runs: Runs,
    second_origin: OnceLock<SocketAddr>,
    doorways: OnceLock<Doorways>,
}

impl State {
    /// A server without channels.
    pub fn new(config: Config, clock: Clock) -> State {
        let feed = Feed::new(config.feed);
        Self::with_feed(config, clock, feed)
    }

    /// A server of a feed that is there already, such as one that is kept on a disk.
    pub fn with_feed(mut config: Config, clock: Clock, feed: Feed) -> State {
        // A timer without a period would ring without end.
        config.heartbeat = config.heartbeat.max(Duration::from_millis(1));
        State(Arc::new(Inner {
            feed: Arc::new(feed),
            hosts: Hosts::new(&config.hosts),
            readers: Arc::new(Readers::new(config.readers_per_channel)),
            sources: Sources::new(config.max_sources),
            wires: Arc::new(Wires::new(clock, config.token.as_ref().map(|token| token.reveal().to_owned()))),
            runs: Runs::new(config.results.clone(), config.experiment_program.clone(), clock),
            second_origin: OnceLock::new(),
            doorways: OnceLock::new(),
            config,
            clock,
        }))
    }

    /// The channels.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.0.feed
    }

    fn config(&self) -> &Config {
        &self.0.config
    }

    /// What all of its streams have in common.
    fn habits(&self) -> Habits {
        Habits::of(self.config())
    }

    fn clock(&self) -> Clock {
        self.0.clock
    }

    fn hosts(&self) -> &Hosts {
        &self.0.hosts
    }

    fn readers(&self) -> &Arc<Readers> {
        &self.0.readers
    }

    fn sources(&self) -> &Sources {
        &self.0.sources
    }

    fn wires(&self) -> &Arc<Wires> {
        &self.0.wires
    }

    fn runs(&self) -> &Runs {
        &self.0.runs
    }

    /// Where the second origin listens, if it does.
    fn second_origin(&self) -> Option<SocketAddr> {
        self.0.second_origin.get().copied()
    }

    /// The doors of the named networks, if it stands behind any.
    fn doorways(&self) -> Option<&Doorways> {
        self.0.doorways.get()
    }

    /// Takes the doors of the named networks over.
    fn stands_behind(&self, doorways: Doorways) {
        doorways.ports().for_each(|port| self.0.hosts.add_door(port));
        let _ = self.0.doorways.set(doorways);
    }

    /// Takes note of an address that the server listens on, and so answers to.
    fn answers_to(&self, address: SocketAddr) {
        self.0.hosts.add_bound(address);
    }

    /// Takes note of where the second origin listens. It is no address of the first one, whose pages must
    /// not be loaded from there.
    fn answers_also_to(&self, address: SocketAddr) {
        let _ = self.0.second_origin.set(address);
    }
}

/// Every endpoint, without the listener. [`run`] serves it; without `run`, as in a unit test, connections
/// are neither counted nor cut.
pub fn app(state: State) -> Router {
    let channel = Router::new()
        .route("/", only("GET, HEAD", get(describe::get)))
        .route("/events", only("POST", post(publish::post)))
        .route("/short-poll", only("GET, HEAD", get(short_poll::get)))
        .route("/long-poll", only("GET, HEAD", get(long_poll::get)))
        .route("/sse", only("GET, HEAD", get(sse::get)))
        .route("/websocket", only("GET", get(websocket::get)))
        .route("/source", only("PUT, DELETE", put(source::put).delete(source::delete)))
        .route("/disconnect", only("POST", post(disconnect::post)));
    Router::new()
        .nest("/channels/{channel}", channel)
        .merge(pages::routes())
        .route("/dates", only("GET, HEAD", get(tutorial::dates)))
        .route("/sendMessage", only("GET, HEAD", get(tutorial::send_message)))
        .route("/echo", only("GET", get(echo::get)))
        .merge(lab_routes())
        .fallback(pages::not_found)
        .layer(from_fn_with_state(state.clone(), token::check))
        .layer(from_fn_with_state(state.clone(), page_policy::apply))
        .layer(from_fn_with_state(state.clone(), cors::allow))
        .layer(from_fn_with_state(state.clone(), hosts::check))
        .layer(from_fn(envelope::wrap))
        .with_state(state)
}

/// What the pages use besides the channels.
fn lab_routes() -> Router<State> {
    Router::new()
        .route("/static/{*path}", only("GET, HEAD", get(assets::get)))
        .route("/origins", only("GET, HEAD", get(second_origin::origins)))
        .route("/networks", only("GET, HEAD", get(networks::list)))
        .route("/networks/{name}", only("PUT", put(networks::open)))
        .route("/wire/session", only("POST", post(wire::endpoints::open)))
        .route(
            "/wire/{session}",
            only("GET, DELETE", get(wire::endpoints::watch).delete(wire::endpoints::close)),
        )
        .route("/results/runs", only("GET, HEAD", get(results::folder::list)))
        .route(
            "/results/run",
            only(
                "GET, HEAD, POST, DELETE",
                get(results::running).post(results::start).delete(results::cancel),
            ),
        )
        .route("/results/{stamp}/{*file}", only("GET, HEAD", get(results::folder::file)))
        .nest("/tour", tour::routes())
}

/// An endpoint that says which methods it has: to `OPTIONS`, and to whoever used another.
fn only(allow: &'static str, methods: MethodRouter<State>) -> MethodRouter<State> {
    methods.fallback(move |method: Method, uri: Uri| async move {
        let header = (header::ALLOW, HeaderValue::from_static(allow));
        if method == Method::OPTIONS {
            // No Access-Control header is among them: pages of other origins may not read here.
            return (StatusCode::NO_CONTENT, [header]).into_response();
        }
        let path: String = uri.path().chars().take(120).collect();
        let methods = allow.replace(", ", " or ");
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not for {path:?}: use {methods}"))
            .with(header.0, header.1)
            .into_response()
    })
}
