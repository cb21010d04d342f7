//! The streams' suites once more, read in the plain way: by hyper and tungstenite to the end.
//!
//! `client_support::subscription` sees by the name of this file which way is meant.

#[path = "client_sse.rs"]
mod sse;
#[path = "client_websocket.rs"]
mod websocket;
