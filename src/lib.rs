//! `pushlab` shows, with measured numbers, how a server gets events to a browser.

pub mod client;
pub mod clock;
pub mod encoding;
pub mod event;
pub mod feed;
pub mod harness;
pub mod link;
pub mod transport;
pub mod watch;
