//! Why a WebSocket's connection is over, from what tungstenite says.

use tungstenite::{Error, error::ProtocolError, protocol::CloseFrame};

use super::{Cause, lifecycle::Over, limits, refusal::refusal};

/// What a close frame says.
pub(super) fn describe(frame: &CloseFrame) -> String {
    let code = u16::from(frame.code);
    if frame.reason.is_empty() { code.to_string() } else { format!("{code} {}", frame.reason) }
}

/// Why a handshake failed. Any answer but 101 fails it, a redirect too; a page is told nothing of the answer
/// but that (close code 1006), and so comes back or not whatever it was.
pub(super) fn refused(error: &Error) -> Over {
    let refused = |cause| Over::Refused { cause, retry_after: None };
    match error {
        Error::Http(response) => {
            refused(refusal(response.status(), response.body().as_deref().unwrap_or_default()))
        }
        Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            Over::Lost(Cause::Broken("the connection ended before the handshake was answered".to_owned()))
        }
        Error::Io(error) => Over::Lost(Cause::Broken(error.to_string())),
        other => refused(Cause::Refused(format!("the handshake's answer is not a WebSocket's: {other}"))),
    }
}

/// Why reading failed.
pub(super) fn lost(error: &Error) -> Over {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            Over::Lost(Cause::Broken("the connection ended without a close frame".to_owned()))
        }
        Error::Capacity(_) => Over::Fatal(limits::too_large("a message", limits::MESSAGE_BYTES)),
        Error::Io(error) => Over::Lost(Cause::Broken(error.to_string())),
        other => Over::Lost(Cause::Broken(other.to_string())),
    }
}
