//! The suites of the clients once more, read in the plain way: by hyper and tungstenite to the end.
//!
//! `client_support::subscription` sees by the name of this file which way is meant.

#![allow(
    clippy::duplicate_mod,
    reason = "each suite is a test of its own elsewhere, and has its support with it"
)]

#[path = "client_polls.rs"]
mod polls;
#[path = "client_sse.rs"]
mod sse;
#[path = "client_websocket.rs"]
mod websocket;
