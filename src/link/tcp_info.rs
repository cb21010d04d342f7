//! What the kernel knows about a TCP connection.
//!
//! Linux tells by `getsockopt(TCP_INFO)`. Elsewhere there is no such thing that counts the same, and the
//! answer is `None`, never a guess.

/// Names an open socket, for as long as its owner keeps it open.
#[cfg(unix)]
pub(super) type SocketId = std::os::fd::RawFd;
/// Names an open socket, for as long as its owner keeps it open.
#[cfg(not(unix))]
pub(super) type SocketId = ();

/// The figures that are used here, in the kernel's words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TcpInfo {
    /// `TCP_CLOSE_WAIT` and the like.
    pub(super) state: u8,
    /// `TCPI_OPT_*`: what both sides agreed on in their SYNs.
    pub(super) options: u8,
    /// Sequence numbers taken in: payload, without what came twice, and one for a FIN.
    pub(super) bytes_received: u64,
    /// Payload sent, retransmissions included.
    pub(super) bytes_sent: u64,
    /// Segments received, SYN, FIN and pure ACKs included.
    pub(super) segs_in: u32,
    /// Segments sent, in the same way; retransmissions included.
    pub(super) segs_out: u32,
}

/// Timestamps were agreed on: twelve more bytes in every segment.
pub(super) const OPTION_TIMESTAMPS: u8 = 1;
/// Selective acknowledgements were agreed on.
pub(super) const OPTION_SACK: u8 = 2;
/// Window scaling was agreed on.
pub(super) const OPTION_WINDOW_SCALE: u8 = 4;

/// States in which the other side's FIN has been taken in: CLOSE_WAIT, LAST_ACK and CLOSING.
pub(super) const STATES_AFTER_FIN: [u8; 3] = [8, 9, 11];

/// Names a stream's socket.
#[cfg(unix)]
pub(super) fn id_of(stream: &tokio::net::TcpStream) -> SocketId {
    std::os::fd::AsRawFd::as_raw_fd(stream)
}

/// Names a stream's socket.
#[cfg(not(unix))]
pub(super) fn id_of(_stream: &tokio::net::TcpStream) -> SocketId {}

/// Asks the kernel. The caller keeps the socket open meanwhile.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(super) fn read(socket: SocketId) -> Option<TcpInfo> {
    use std::mem::{offset_of, size_of};

    /// The beginning of the kernel's `struct tcp_info` (linux/tcp.h), which only ever grows at its end.
    /// libc's own is shorter on some targets, and its length differs between C libraries.
    #[repr(C)]
    #[derive(Default)]
    struct Prefix {
        state: u8,
        ca_state_to_backoff: [u8; 4],
        options: u8,
        scales_and_flags: [u8; 2],
        rto_to_total_retrans: [u32; 24],
        pacing_rates: [u64; 2],
        bytes_acked: u64,
        bytes_received: u64,
        segs_out: u32,
        segs_in: u32,
        notsent_to_data_segs_out: [u32; 4],
        delivery_rate_to_sndbuf_limited: [u64; 4],
        delivered: [u32; 2],
        bytes_sent: u64,
    }
    const _: () = assert!(offset_of!(Prefix, bytes_received) == 128 && offset_of!(Prefix, bytes_sent) == 200);

    let mut prefix = Prefix::default();
    let mut length = size_of::<Prefix>() as libc::socklen_t;
    // SAFETY: `prefix` is a plain struct of `length` writable bytes, every bit pattern of which is a
    // value; the kernel writes no more than `length` and says how much it wrote.
    let status = unsafe {
        libc::getsockopt(socket, libc::IPPROTO_TCP, libc::TCP_INFO, (&raw mut prefix).cast(), &raw mut length)
    };
    // A kernel before 4.19 knows fewer fields.
    if status != 0 || (length as usize) < size_of::<Prefix>() {
        return None;
    }
    Some(TcpInfo {
        state: prefix.state,
        options: prefix.options,
        bytes_received: prefix.bytes_received,
        bytes_sent: prefix.bytes_sent,
        segs_in: prefix.segs_in,
        segs_out: prefix.segs_out,
    })
}

/// This system does not tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn read(_socket: SocketId) -> Option<TcpInfo> {
    None
}
