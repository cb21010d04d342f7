//! `pushlab` shows, with measured numbers, how a server gets events to a browser: short polling, long
//! polling, Server-Sent Events, WebSocket.
//!
//! One idea carries all of it: **a channel is a log, and a transport is a way of reading it after a cursor.**
//! Since all four read the same log by the same cursor, what differs between their figures is the transport
//! and nothing else.
//!
//! ```
//! use pushlab::{event::Draft, feed::{Channel, Limits, ReadLimit}};
//!
//! let channel = Channel::new(Limits::default());
//! let cursor = channel.head();
//! channel.publish(Draft::message("hello"))?;
//! let batch = channel.since(cursor, ReadLimit::default())?;
//! assert_eq!(batch.entries[0].data, "hello");
//! assert_eq!(channel.since(batch.cursor, ReadLimit::default())?.entries.len(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # One event's journey
//!
//! 1. A publisher posts it, or the built-in source makes it ([`schedule`] says when): [`server`].
//! 2. It is checked, its line ends become LF ([`event::Draft`]), and the channel's log gives it the next
//!    cursor ([`feed`]).
//! 3. Whoever waits on the channel is woken. A short poll does not wait but asks later; a long poll answers
//!    and is done; a stream writes everything after its cursor at once and waits again. The event's text is
//!    made once per format ([`encoding`]) and shared by all readers.
//! 4. It crosses the network, perhaps through a relay that delays or cuts ([`link`]).
//! 5. A client reads it and tells an observer ([`client`]).
//! 6. A measured reader checks that it is the right one, and notes how long after its *intended* publish time
//!    it came ([`harness`]).
//! 7. The notes of all runs become figures, verdicts and pictures ([`report`]).
//!
//! # The floors
//!
//! ```text
//! bin
//!  ├─ watch             a client in a user's hand
//!  ├─ workshop          exercises in any language, checked from outside
//!  └─ report            pictures and words, from the records alone
//!      └─ harness       what is measured, and how
//!          ├─ server    four ways of reading a channel over HTTP ─┐   these two never
//!          └─ client    the four ways' other ends ────────────────┘   import each other
//!              └─ link  what stands between: counting, faults
//!                  └─ feed
//!                      └─ encoding, event, exercise, schedule, transport, clock, wrap
//! ```
//!
//! Arrows point down only; a test reads the `use` lines and holds this (`tests/tidy.rs`). The feed knows no
//! HTTP, only the harness and the report know files, only the report draws.
//!
//! The same noun names the same thing on every floor: `server/sse.rs`, `client/sse.rs`. Read one transport's
//! two files side by side, then the next one's: the difference is the lesson. A good order to start with is
//! [`event`], [`feed`], then `server/long_poll.rs` and its mirror in `client/`.

pub mod client;
pub mod clock;
pub mod encoding;
pub mod event;
pub mod exercise;
pub mod feed;
pub mod harness;
pub mod link;
pub mod report;
pub mod schedule;
pub mod server;
pub mod transport;
pub mod watch;
pub mod workshop;
pub mod wrap;
