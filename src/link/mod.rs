//! What stands between a client and a server: the counting stream, the kernel's own figures about a
//! connection, and a relay that makes faults.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `counted` | a TCP stream that counts every byte that passes |
//! | `source` | from which of this machine's addresses it connects, where one has no port left |
//! | `tally` | one connection's counters, shared with whoever sends its requests |
//! | `head` | where an HTTP head ends, whatever the chunks it arrives in |
//! | `tcp_info` | what the kernel knows about a connection |
//! | `wire` | from the kernel's figures to bytes on the wire |
//! | `conditions` | what networks do to bytes, as values; those of some named networks |
//! | `namespace` | a network of its own, where segments can be lost |
//! | `meter` | all connections of a subscription, added up |
//! | `relay` | delay, jitter, rate, chunking, cut, reset, silence, refusal, answers in the server's place |
//!
//! Nothing here knows what the bytes mean, but for the end of an HTTP head, and for what the relay answers
//! itself.

mod counted;
mod head;
mod meter;
mod source;

pub mod conditions;
pub mod namespace;
pub mod relay;
mod tally;
mod tcp_info;
mod wire;

pub use counted::Counted;
pub use meter::{Meter, Totals};
pub use relay::Relay;
pub use tally::Tally;
