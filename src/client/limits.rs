//! What a server can make a client hold.

use super::Cause;

/// The largest data of an event, in bytes, over SSE and the floor: four times what our server takes.
pub(super) const EVENT_BYTES: usize = 16 << 20;

/// The largest WebSocket message, in bytes: JSON can make six bytes of one, though it seldom does.
pub(super) const MESSAGE_BYTES: usize = 32 << 20;

/// The largest body of a poll's answer, in bytes: it carries many events.
pub(super) const BODY_BYTES: usize = 64 << 20;

/// The largest head of an answer, in bytes.
pub(super) const HEAD_BYTES: usize = 64 << 10;

/// How much of an error's body is read for its message, in bytes.
pub(super) const ERROR_BYTES: usize = 4 << 10;

/// How many redirects are followed for one request, as
/// [Fetch](https://fetch.spec.whatwg.org/#http-redirect-fetch) has it.
pub(super) const REDIRECTS: usize = 20;

/// Why reading can't go on: to skip what is too large would be to lose it without a word, and to ask
/// again would bring it again.
pub(super) fn too_large(what: &str, limit: usize) -> Cause {
    Cause::Refused(format!("{what} is larger than {limit} bytes"))
}
