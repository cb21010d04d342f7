//! What a capture says of one server port: per direction, what passed and in how many pieces.

use std::collections::BTreeMap;

use super::packet::Packet;

/// The connections of one port together, seen from the client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) incoming: Way,
    pub(super) outgoing: Way,
}

/// One direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// Packets as they were captured.
    pub(super) packets: u64,
    /// Segments as a network card would send them: a packet larger than the other side's maximum segment
    /// stands for several.
    pub(super) segments: u64,
    /// Bytes at the IP layer.
    pub(super) wire: u64,
    /// Payload, each byte of the stream once.
    pub(super) application: u64,
    /// Payload that came again.
    pub(super) repeated: u64,
    /// IP and TCP header of an ordinary segment, times the segments that packets hide.
    pub(super) hidden_headers: u64,
    /// By how much the headers of packets without SYN are longer than ordinary ones, in sum.
    pub(super) unusual_headers: i64,
    /// The sizes of the packets after the last one with payload, in order.
    pub(super) tail: Vec<u64>,
}

impl Flow {
    /// Of the packets of one port, in the order in which they were captured.
    pub(super) fn of<'a>(packets: impl Iterator<Item = &'a Packet>, port: u16) -> Self {
        let (incoming, outgoing): (Vec<&Packet>, Vec<&Packet>) =
            packets.partition(|packet| packet.source_port == port);
        Flow { incoming: Way::of(&incoming, &outgoing), outgoing: Way::of(&outgoing, &incoming) }
    }
}

impl Way {
    fn of(these: &[&Packet], those: &[&Packet]) -> Self {
        let mut way = Way::default();
        let ordinary = these.iter().find(|packet| !packet.syn).copied().cloned().unwrap_or_default();
        let header = ordinary.wire - ordinary.payload;
        let largest = those.iter().find_map(|packet| packet.maximum_segment).map_or(u64::MAX, u64::from);
        let room = largest.saturating_sub(ordinary.tcp_header.saturating_sub(20)).max(1);
        let mut streams: BTreeMap<(u16, u16), Vec<(u64, u64)>> = BTreeMap::new();
        for packet in these {
            let segments = packet.payload.div_ceil(room).max(1);
            way.packets += 1;
            way.segments += segments;
            way.wire += packet.wire;
            way.hidden_headers += (segments - 1) * header;
            if !packet.syn {
                way.unusual_headers += packet.tcp_header as i64 - ordinary.tcp_header as i64;
            }
            if packet.payload > 0 {
                way.tail.clear();
                let ranges = streams.entry((packet.source_port, packet.destination_port)).or_default();
                // Relative to the first one, so that a number that has wrapped around sorts behind it.
                let origin = ranges.first().map_or(packet.sequence, |(first, _)| *first as u32);
                let start = u64::from(origin) + u64::from(packet.sequence.wrapping_sub(origin));
                ranges.push((start, start + packet.payload));
                way.repeated += packet.payload;
            } else {
                way.tail.push(packet.wire);
            }
        }
        way.application = streams.into_values().map(covered).sum();
        way.repeated -= way.application;
        way
    }
}

/// How much the ranges cover together.
fn covered(mut ranges: Vec<(u64, u64)>) -> u64 {
    ranges.sort_unstable();
    let (mut sum, mut end) = (0, 0);
    for (from, to) in ranges {
        sum += to.saturating_sub(from.max(end));
        end = end.max(to);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(from: u16, sequence: u32, payload: u64) -> Packet {
        Packet {
            source_port: from,
            destination_port: if from == 80 { 4_000 } else { 80 },
            wire: 52 + payload,
            tcp_header: 32,
            payload,
            sequence,
            syn: false,
            maximum_segment: None,
        }
    }

    fn syn(from: u16) -> Packet {
        Packet { syn: true, wire: 60, tcp_header: 40, maximum_segment: Some(1_012), ..packet(from, 0, 0) }
    }

    #[test]
    fn a_large_packet_is_counted_by_its_segments() {
        let packets = [syn(4_000), syn(80), packet(4_000, 1, 0), packet(80, 1, 2_500), packet(4_000, 1, 0)];
        let flow = Flow::of(packets.iter(), 80);
        assert_eq!((flow.incoming.packets, flow.incoming.segments), (2, 4), "1,000 bytes fit");
        assert_eq!((flow.incoming.wire, flow.incoming.hidden_headers), (60 + 2_552, 2 * 52));
        assert_eq!((flow.incoming.application, flow.incoming.repeated), (2_500, 0));
        assert_eq!((flow.outgoing.application, flow.outgoing.wire), (0, 60 + 2 * 52));
        assert_eq!(flow.outgoing.tail.len(), 3);
    }

    #[test]
    fn what_came_twice_is_told_apart_even_where_numbers_wrap() {
        let near_the_end = u32::MAX - 49;
        let packets = [packet(80, near_the_end, 100), packet(80, near_the_end, 100), packet(80, 50, 10)];
        let flow = Flow::of(packets.iter(), 80);
        assert_eq!((flow.incoming.application, flow.incoming.repeated), (110, 100));
    }

    #[test]
    fn an_acknowledgement_with_more_options_is_noticed() {
        let longer = Packet { wire: 64, tcp_header: 44, ..packet(4_000, 1, 0) };
        let flow = Flow::of([packet(4_000, 1, 0), longer].iter(), 80);
        assert_eq!(flow.outgoing.unusual_headers, 12);
    }
}
