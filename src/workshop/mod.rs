//! The workshop: exercises in any language, checked from outside.
//!
//! A student writes a server or a client in whatever language; a check runs it, talks to it over sockets, and
//! says for each named expectation what was expected, what was seen and what to try next. A check knows
//! nothing of how the student's program is made, and trusts nothing that it does: every wait has a limit and
//! every byte is counted.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `exercise`, `catalogue` | what an exercise's folder says of it; where the folders are |
//! | `finding` | expectations, what became of them, and the verdict |
//! | **`judge`** | what a check works with: the student's program and the findings; read this first |
//! | `checks` | one file per exercise: what it expects |
//! | `examine` | one check from start to end: the program started, judged within a limit, stopped |
//! | `program`, `invocation`, `language`, `listening`, `tail` | a student's program as a process; how a file becomes one |
//! | `http`, `body`, `stream`, `poll`, `socket` | a student's server, asked by raw bytes |
//! | `account` | what of the events that were to come is lost, twice or out of order |
//! | `memory` | how much memory a student's server takes |
//! | `proxy` | a reverse proxy that buffers, in front of a student's server |
//! | `scripted`, `client` | a server whose every byte is scripted, and a student's client that reads it |
//! | `page` | a student's page, opened in a real browser |
//! | `excerpt` | bytes as text that a terminal bears |
//! | `terminal` | findings for people |
//! | `progress`, `again` | what a room has done so far; noticing that a file was saved |
//! | `board` | telling a class's board what a check said |
//! | `verify` | the exercises themselves, held to what they say |
//!
//! No student's program is judged by the lab's own server or clients: the client side's judge is a script of raw
//! bytes, since our own encoder would never write what a parser has to bear. Only where the lab itself is what a
//! student predicts, in `checks/polling_frontier`, the two are run, and measured.

mod account;
pub mod again;
pub mod board;
mod body;
pub mod catalogue;
mod checks;
#[allow(dead_code, reason = "the vocabulary of all checks, of which each uses a part")]
mod client;
pub mod examine;
pub mod excerpt;
pub mod exercise;
pub mod finding;
#[allow(dead_code, reason = "the vocabulary of all checks, of which each uses a part")]
mod http;
pub mod invocation;
#[allow(dead_code, reason = "the vocabulary of all checks, of which each uses a part")]
mod judge;
pub mod language;
mod listening;
mod memory;
mod page;
#[allow(dead_code, reason = "the vocabulary of all checks, of which each uses a part")]
mod poll;
mod program;
pub mod progress;
mod proxy;
#[allow(dead_code, reason = "the vocabulary of all checks, of which each uses a part")]
mod scripted;
#[allow(dead_code, reason = "the vocabulary of all checks, of which each uses a part")]
mod socket;
#[allow(dead_code, reason = "the vocabulary of all checks, of which each uses a part")]
mod stream;
mod tail;
pub mod terminal;
pub mod verify;
