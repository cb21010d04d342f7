//! The plain way to serve streams, inside hyper and with a task for each reader, keeps the same promises as the
//! writers that own many sockets: these are the same tests, whose servers are told so by the name of this file.

#![allow(
    clippy::duplicate_mod,
    reason = "each file is the tests of another one too, and has its own helpers there"
)]

#[path = "conformance.rs"]
mod conformance;
#[path = "server_disconnect.rs"]
mod server_disconnect;
#[path = "server_limits.rs"]
mod server_limits;
#[path = "server_long_poll.rs"]
mod server_long_poll;
#[path = "server_streams.rs"]
mod server_streams;
