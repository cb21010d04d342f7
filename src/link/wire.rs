//! From the kernel's figures to bytes on the wire.
//!
//! Per direction, in bytes at the IP layer:
//!
//! ```text
//! payload + segments × (IP header + TCP header + timestamps) + what the SYN's options add
//! ```
//!
//! * the IP header is 20 bytes, 40 with IPv6; the TCP header 20; timestamps 12, where both sides agreed;
//! * a SYN (sent) and a SYN-ACK (received) carry 4 bytes of maximum segment size and 4 of window scale
//!   more; "SACK permitted" takes the place of the padding beside the timestamps, or 4 bytes without them;
//! * a connection that never came about sent SYNs with Linux's usual 20 bytes of options, and received
//!   a RST with none.
//!
//! Segments are those that the network card would send: with segmentation offload a capture shows fewer
//! and longer packets, with the same payload. Not counted: link-layer framing, SACK blocks in ACKs (which
//! need loss), and what passes after the last reading, such as the ACK of a FIN. A RST may carry no
//! timestamps, and is then counted 12 bytes too large.

use super::tcp_info::{OPTION_SACK, OPTION_TIMESTAMPS, OPTION_WINDOW_SCALE, STATES_AFTER_FIN, TcpInfo};

/// What a connection put on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wire {
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) segments_in: u64,
    pub(super) segments_out: u64,
}

/// What this side knows beyond the kernel's figures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) ipv6: bool,
    /// The handshake was completed.
    pub(super) established: bool,
    /// The end of the stream was read.
    pub(super) end_read: bool,
}

const TCP_HEADER: u64 = 20;
const TIMESTAMPS: u64 = 12;
const MAXIMUM_SEGMENT_SIZE: u64 = 4;
const WINDOW_SCALE: u64 = 4;
const SACK_PERMITTED: u64 = 4;

impl Wire {
    pub(super) fn of(info: &TcpInfo, known: Known) -> Wire {
        let (segments_in, segments_out) = (u64::from(info.segs_in), u64::from(info.segs_out));
        let header = TCP_HEADER + if known.ipv6 { 40 } else { 20 };
        if !known.established {
            let syn = header + MAXIMUM_SEGMENT_SIZE + TIMESTAMPS + WINDOW_SCALE;
            return Wire {
                bytes_in: segments_in * header,
                bytes_out: segments_out * syn,
                segments_in,
                segments_out,
            };
        }
        let agreed = |option| info.options & option != 0;
        let timestamps = if agreed(OPTION_TIMESTAMPS) { TIMESTAMPS } else { 0 };
        let syn_extra = MAXIMUM_SEGMENT_SIZE
            + if agreed(OPTION_WINDOW_SCALE) { WINDOW_SCALE } else { 0 }
            + if agreed(OPTION_SACK) && timestamps == 0 { SACK_PERMITTED } else { 0 };
        let fin = u64::from(known.end_read || STATES_AFTER_FIN.contains(&info.state));
        let around = |segments| segments * (header + timestamps) + syn_extra;
        Wire {
            bytes_in: info.bytes_received.saturating_sub(fin) + around(segments_in),
            bytes_out: info.bytes_sent + around(segments_out),
            segments_in,
            segments_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESTABLISHED: Known = Known { ipv6: false, established: true, end_read: false };

    #[test]
    fn a_bare_handshake_weighs_what_a_capture_shows() {
        // SYN 60, ACK 52 out; SYN-ACK 60 in: the usual figures of two Linux machines over IPv4.
        let info = TcpInfo { options: 7, segs_in: 1, segs_out: 2, ..TcpInfo::default() };
        let wire = Wire::of(&info, ESTABLISHED);
        assert_eq!((wire.bytes_in, wire.bytes_out), (60, 112));
        let wire = Wire::of(&info, Known { ipv6: true, ..ESTABLISHED });
        assert_eq!((wire.bytes_in, wire.bytes_out), (80, 152));
    }

    #[test]
    fn without_timestamps_sack_has_a_word_of_its_own() {
        let info = TcpInfo { options: OPTION_SACK, segs_in: 1, segs_out: 2, ..TcpInfo::default() };
        let wire = Wire::of(&info, ESTABLISHED);
        assert_eq!((wire.bytes_in, wire.bytes_out), (48, 88));
    }

    #[test]
    fn a_refused_connection_is_a_syn_and_a_reset() {
        let info = TcpInfo { segs_in: 1, segs_out: 1, ..TcpInfo::default() };
        let wire = Wire::of(&info, Known { established: false, ..ESTABLISHED });
        assert_eq!((wire.bytes_in, wire.bytes_out), (40, 60));
    }

    #[test]
    fn the_number_that_a_fin_takes_is_no_payload() {
        let info = TcpInfo { bytes_received: 101, ..TcpInfo::default() };
        let bytes = |known, state| Wire::of(&TcpInfo { state, ..info }, known).bytes_in - 4;
        assert_eq!(bytes(ESTABLISHED, 1), 101);
        assert_eq!(bytes(ESTABLISHED, 8), 100);
        assert_eq!(bytes(Known { end_read: true, ..ESTABLISHED }, 7), 100);
    }
}
