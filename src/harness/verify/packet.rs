//! From a capture tool's output to TCP segments.
//!
//! The container is the classic pcap format, which every tool can write: a header of 24 bytes, then per
//! packet a header of 16 and its bytes (draft-ietf-opsawg-pcap). What is in a packet is etherparse's to read.

use etherparse::{NetSlice, SlicedPacket, TcpOptionElement, TransportSlice};

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;

/// Ethernet, which the loopback of Linux pretends to be.
const LINK_ETHERNET: u32 = 1;

/// A TCP packet as it was captured: with offload it may stand for several segments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    /// Bytes at the IP layer.
    pub(super) wire: u64,
    /// Of those, the TCP header with its options.
    pub(super) tcp_header: u64,
    /// Of those, TCP payload.
    pub(super) payload: u64,
    /// The number of its first byte of payload.
    pub(super) sequence: u32,
    pub(super) syn: bool,
    /// The largest segment that the sender takes, where a SYN says it.
    pub(super) maximum_segment: Option<u16>,
}

impl Packet {
    pub(super) fn is_of(&self, port: u16) -> bool {
        self.source_port == port || self.destination_port == port
    }
}

/// The TCP packets of a capture that may still be growing; what is not whole yet is left out.
///
/// # Errors
/// Where it is no capture of an Ethernet-like device.
pub(super) fn packets(capture: &[u8]) -> Result<Vec<Packet>, String> {
    let Some((header, mut rest)) = capture.split_first_chunk::<FILE_HEADER>() else { return Ok(Vec::new()) };
    let word = |bytes: &[u8], at: usize| -> [u8; 4] { std::array::from_fn(|index| bytes[at + index]) };
    // Seconds and either micro- or nanoseconds, in the byte order of whoever wrote it.
    let number = match word(header, 0) {
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => u32::from_le_bytes,
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => u32::from_be_bytes,
        other => return Err(format!("its output begins with {other:02x?}, which is no pcap")),
    };
    let link = number(word(header, 20)) & 0x0fff_ffff;
    if link != LINK_ETHERNET {
        return Err(format!("the loopback device has link type {link} here, and only Ethernet (1) is known"));
    }
    let mut packets = Vec::new();
    while let Some((header, behind)) = rest.split_first_chunk::<PACKET_HEADER>() {
        let (captured, original) = (number(word(header, 8)) as usize, number(word(header, 12)) as usize);
        let Some((packet, behind)) = behind.split_at_checked(captured) else { break };
        if captured < original {
            return Err(format!("a packet of {original} bytes was cut to {captured}"));
        }
        packets.extend(tcp(packet));
        rest = behind;
    }
    Ok(packets)
}

fn tcp(packet: &[u8]) -> Option<Packet> {
    let sliced = SlicedPacket::from_ethernet(packet).ok()?;
    let wire = match sliced.net? {
        NetSlice::Ipv4(ip) => u64::from(ip.header().total_len()),
        NetSlice::Ipv6(ip) => 40 + u64::from(ip.header().payload_length()),
        NetSlice::Arp(_) => return None,
    };
    let TransportSlice::Tcp(tcp) = sliced.transport? else { return None };
    let options = tcp.options_iterator().filter_map(Result::ok);
    let maximum_segment = options.into_iter().find_map(|option| match option {
        TcpOptionElement::MaximumSegmentSize(size) => Some(size),
        _ => None,
    });
    Some(Packet {
        source_port: tcp.source_port(),
        destination_port: tcp.destination_port(),
        wire,
        tcp_header: tcp.header_slice().len() as u64,
        payload: tcp.payload().len() as u64,
        sequence: tcp.sequence_number(),
        syn: tcp.syn(),
        maximum_segment,
    })
}

#[cfg(test)]
mod tests {
    use etherparse::{PacketBuilder, TcpOptionElement::MaximumSegmentSize};

    use super::*;

    /// A capture with a SYN and a segment of three bytes.
    fn capture() -> Vec<u8> {
        let mut capture = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, LINK_ETHERNET] {
            capture.extend(word.to_le_bytes());
        }
        for (data, syn) in [(&b""[..], true), (b"abc", false)] {
            let mut packet = PacketBuilder::ethernet2([0; 6], [0; 6])
                .ipv4([127, 0, 0, 1], [127, 0, 0, 1], 64)
                .tcp(40_000, 80, 7, 1_000);
            if syn {
                packet = packet.syn().options(&[MaximumSegmentSize(65_495)]).unwrap();
            }
            let mut bytes = Vec::new();
            packet.write(&mut bytes, data).unwrap();
            let length = bytes.len() as u32;
            for word in [1, 2, length, length] {
                capture.extend(word.to_le_bytes());
            }
            capture.extend(bytes);
        }
        capture
    }

    #[test]
    fn segments_are_read_with_their_sizes() {
        let packets = packets(&capture()).expect("a capture");
        let [syn, data] = packets.as_slice() else { panic!("{packets:?}") };
        assert_eq!((syn.wire, syn.tcp_header, syn.payload, syn.syn), (44, 24, 0, true));
        assert_eq!(syn.maximum_segment, Some(65_495));
        assert_eq!((data.wire, data.tcp_header, data.payload, data.sequence), (43, 20, 3, 7));
        assert!(data.is_of(80) && data.is_of(40_000) && !data.is_of(81));
    }

    #[test]
    fn a_capture_that_is_still_growing_gives_what_it_has() {
        let capture = capture();
        for end in 0..capture.len() {
            let whole = packets(&capture[..end]).expect("the beginning of a capture").len();
            assert!(whole <= 1, "{end}");
        }
        assert!(packets(b"Capturing on 'lo', and some more").is_err());
    }
}
