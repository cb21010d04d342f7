//! Where an HTTP head ends.

/// Counts the bytes of HTTP/1 heads in one direction of a connection, whatever the chunks in which they
/// pass. It has to be told when a head begins, since only the client knows where a body ends.
#[derive(Debug, Default)]
pub(super) struct HeadScanner {
    place: Place,
    /// The beginning of the head, long enough to know the status of a response.
    start: [u8; STATUS_END],
    started: usize,
}

/// `HTTP/1.1 101` is twelve bytes long.
const STATUS_END: usize = 12;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// In a body, or between messages.
    #[default]
    Outside,
    InLine,
    LineStart,
    /// After a CR at the start of a line, most likely the blank line that ends the head.
    LineStartCr,
}

impl HeadScanner {
    /// The next byte is the first one of a head.
    pub(super) fn expect(&mut self) {
        self.place = Place::InLine;
        self.started = 0;
    }

    /// How many of these bytes belong to a head, its closing blank line included.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> u64 {
        if self.place == Place::Outside {
            return 0;
        }
        for (index, &byte) in bytes.iter().enumerate() {
            if self.started < STATUS_END {
                self.start[self.started] = byte;
                self.started += 1;
            }
            self.place = match (self.place, byte) {
                (Place::LineStart | Place::LineStartCr, b'\n') => {
                    if self.another_follows() {
                        self.expect();
                        continue;
                    }
                    self.place = Place::Outside;
                    return index as u64 + 1;
                }
                (_, b'\n') => Place::LineStart,
                (Place::LineStart, b'\r') => Place::LineStartCr,
                _ => Place::InLine,
            };
        }
        bytes.len() as u64
    }

    /// Whether the last head that was expected is over, and was that of an answer behind which a stream begins: 101 or
    /// 200.
    pub(super) fn begins_a_stream(&self) -> bool {
        self.place == Place::Outside
            && self.started == STATUS_END
            && matches!(&self.start[9..], b"101" | b"200")
    }

    /// An interim response (100 Continue, 103 Early Hints) is followed by the head of the real one. 101
    /// is not: there the protocol changes.
    fn another_follows(&self) -> bool {
        let start = &self.start[..self.started];
        start.len() == STATUS_END
            && start.starts_with(b"HTTP/1.")
            && start[9] == b'1'
            && &start[9..] != b"101"
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn in_chunks(bytes: &[u8], cuts: &[usize]) -> u64 {
        let mut scanner = HeadScanner::default();
        scanner.expect();
        let mut rest = bytes;
        let mut count = 0;
        for cut in cuts {
            let (chunk, left) = rest.split_at((*cut).min(rest.len()));
            count += scanner.scan(chunk);
            rest = left;
        }
        count + scanner.scan(rest)
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_count(
            lines in proptest::collection::vec("[a-zA-Z0-9:]{1,9}", 1..6),
            lf_only: bool,
            body in "[a\r\n]{0,20}",
            cuts in proptest::collection::vec(0_usize..7, 0..40),
        ) {
            let end = if lf_only { "\n" } else { "\r\n" };
            let head = lines.iter().map(|line| format!("{line}{end}")).collect::<String>() + end;
            let message = format!("{head}{body}");
            prop_assert_eq!(in_chunks(message.as_bytes(), &cuts), head.len() as u64);
        }
    }

    #[test]
    fn bytes_between_heads_are_not_counted_and_each_expected_head_is() {
        let mut scanner = HeadScanner::default();
        assert_eq!(scanner.scan(b"noise\r\n\r\n"), 0);
        for _ in 0..2 {
            scanner.expect();
            assert_eq!(scanner.scan(b"HTTP/1.1 200 OK\r\n\r\nbody\r\n\r\n"), 19);
            assert_eq!(scanner.scan(b"more\r\n\r\n"), 0);
        }
    }

    #[test]
    fn an_interim_response_is_part_of_what_the_head_costs() {
        let interim = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
        let real = b"HTTP/1.1 200 OK\r\n\r\n";
        let bytes = [&interim[..], real, b"HTTP/1.1 "].concat();
        for size in [1, 5, bytes.len()] {
            let cuts = vec![size; bytes.len()];
            assert_eq!(in_chunks(&bytes, &cuts), (interim.len() + real.len()) as u64);
        }
        let switch = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
        assert_eq!(in_chunks(&[&switch[..], b"\x81\x05hello"].concat(), &[]), switch.len() as u64);
    }
}
