//! The harness: what is measured, and how.
//!
//! A definition (a TOML file) is unrolled into a plan; each group of a plan gets a server of its own, readers,
//! and a story (publishing, perhaps a cut); what the readers noted is checked, accounted, and written as one
//! line per run.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `catalogue`, `definition` | where definitions are found; what they say, checked |
//! | `plan` | a definition unrolled: which runs, in which order; pure |
//! | `runner` | a session: experiments, one after the other, into a folder |
//! | **`run`** | one group, from the first connect to its records: read this first |
//! | `reader`, `check` | a subscriber whose observations are tallied; order, loss, duplicates |
//! | `reading` | the threads that readers run on |
//! | `publisher`, `payload`, `control` | publishing from here; what events carry; requests of our own |
//! | `server_process`, `client_process` | this program again: as the server under test, as a client of its own |
//! | `target` | other servers, as files describe them |
//! | `browser` | a headless Chromium, whose pages are clients |
//! | `line` | what a reader in another process says that it saw |
//! | `recovery`, `storm`, `zombies` | what a cut did: to one client, to a crowd, to what the server counts |
//! | `stalled`, `memory`, `queueing` | readers that never read, what that costs, and a server that queues for them |
//! | `jitter`, `soundness`, `schedstat`, `process` | how much of a figure is the harness's or the machine's own doing |
//! | `room` | how many readers there is room for |
//! | `signal` | how a group of processes that was started here is ended |
//! | `explain` | what a policy lets expect of a fault, and why |
//! | `record`, `capacity`, `manifest`, `folder`, `machine` | what is written down |
//! | `verify` | our counters against a packet capture |
//! | `progress` | how far a session is |
//!
//! Nothing here draws, and nothing of it is known below: server and clients are measured as anybody uses them.

pub mod browser;
pub mod capacity;
pub mod catalogue;
pub mod check;
pub mod client_process;
pub mod control;
pub mod definition;
pub mod explain;
pub mod folder;
pub mod jitter;
mod line;
pub mod machine;
pub mod manifest;
pub mod memory;
pub mod payload;
pub mod plan;
pub mod process;
pub mod progress;
pub mod publisher;
pub mod queueing;
pub mod reader;
pub mod reading;
pub mod record;
pub mod recovery;
pub mod room;
pub mod run;
pub mod runner;
pub mod schedstat;
pub mod server_process;
pub(crate) mod signal;
mod soundness;
pub mod stalled;
pub mod storm;
pub mod target;
pub mod verify;
pub mod zombies;
