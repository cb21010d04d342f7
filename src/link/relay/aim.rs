//! Where in a stream a connection is to be cut: found in its bytes, whatever the pieces in which they pass.
//!
//! Pure: it is shown what was read and says how much of it still passes.

/// A spot within what a server writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Within a UTF-8 character: after the first byte of the next one that has several.
    Character,
    /// Within the header that stands before an event: after the first byte of what the server writes next. For
    /// WebSocket that is a frame's header of two bytes or more; for SSE a chunk's size and the CRLF behind it;
    /// for a poll its answer's head.
    ///
    /// The relay reads what is there at once, up to 16 KiB, so that what it reads next is the beginning of what
    /// the server writes next: true for servers that write an event in one piece, of less than that.
    Header,
}

/// Looks for a [`Spot`] in the bytes that pass.
#[derive(Debug)]
pub(super) struct Aim {
    spot: Spot,
    /// The byte before was the first of a character with several.
    within: bool,
}

impl Aim {
    pub(super) fn at(spot: Spot) -> Self {
        Aim { spot, within: false }
    }

    /// How many of these bytes, which follow those of the call before, still pass; `None` for all of them.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        match self.spot {
            Spot::Header => (!bytes.is_empty()).then_some(1),
            Spot::Character => bytes.iter().position(|&byte| {
                // Both bytes are asked for, since a frame's length may look like the first one.
                let continues = self.within && matches!(byte, 0x80..=0xbf);
                self.within = matches!(byte, 0xc2..=0xf4);
                continues
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Shows the bytes in pieces and gives what passes.
    fn passes(spot: Spot, bytes: &[u8], piece: usize) -> Vec<u8> {
        let (mut aim, mut passed) = (Aim::at(spot), Vec::new());
        for piece in bytes.chunks(piece) {
            match aim.find(piece) {
                Some(count) => {
                    passed.extend(&piece[..count]);
                    return passed;
                }
                None => passed.extend(piece),
            }
        }
        passed
    }

    #[test]
    fn a_header_is_cut_after_its_first_byte() {
        assert_eq!(passes(Spot::Header, b"\x81\x05hello", 7), b"\x81");
        assert_eq!(passes(Spot::Header, b"1f\r\ndata: x\n\n\r\n", 100), b"1");
    }

    #[test]
    fn a_length_that_looks_like_a_character_is_none() {
        let mut frame = vec![0x81, 126, 0x00, 0xc8];
        frame.extend("{\"data\":\"né\"}".as_bytes());
        let passed = passes(Spot::Character, &frame, 100);
        assert!(passed.ends_with(b"n\xc3"), "{passed:?}");
    }

    proptest! {
        #[test]
        fn the_first_character_of_several_bytes_is_cut_in_any_pieces(text in ".{0,40}", piece in 1_usize..9) {
            let expected = match text.char_indices().find(|(_, c)| c.len_utf8() > 1) {
                Some((at, _)) => &text.as_bytes()[..=at],
                None => text.as_bytes(),
            };
            prop_assert_eq!(passes(Spot::Character, text.as_bytes(), piece), expected);
        }
    }
}
