//! Where the bytes of a body are, once HTTP has let go of its connection.
//!
//! The plain way leaves this to hyper. Here the bytes stay where they were read: what is found is a slice of
//! them.

use http::{HeaderMap, HeaderValue, Version, header};

/// How an answer's head says that its body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// By chunks ([RFC 9112, 7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1)).
    Chunked(Place),
    /// By its length, of which so much is to come.
    Length(u64),
    /// By the connection's end.
    ToTheEnd,
}

/// What comes next within a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The first digit of a chunk's size.
    Start,
    /// Its other digits.
    Size(u64),
    /// What may follow a size, and says nothing here.
    Extension(u64),
    /// The line feed behind a size.
    SizeEnd(u64),
    /// So many bytes of data, at least one.
    Data(u64),
    /// The line end behind a chunk's data.
    DataEnd,
    /// The line feed there.
    DataEndLf,
    /// The first byte of a line behind the last chunk.
    TrailerStart,
    /// The rest of such a line.
    Trailer,
    /// The line feed of the blank line that ends all.
    LastLf,
    /// Nothing: the body is over.
    Over,
}

/// What has been found in bytes that were read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// Some of the body.
    Data(&'a [u8]),
    /// Nothing further in these bytes.
    Nothing,
    /// The end of the body.
    End,
}

/// It can't be told where the body goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer's chunks are broken")]
pub(super) struct Broken;

impl Body {
    /// What a head says; `None` where hyper had better see to it.
    pub(super) fn of(version: Version, headers: &HeaderMap) -> Option<Body> {
        let all = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes).collect::<Vec<_>>();
        match (all(header::TRANSFER_ENCODING).as_slice(), all(header::CONTENT_LENGTH).as_slice()) {
            ([], []) => Some(Body::ToTheEnd),
            ([], [length]) => Body::of_length(length),
            ([one], _) if version == Version::HTTP_11 && one.eq_ignore_ascii_case(b"chunked") => {
                Some(Body::Chunked(Place::Start))
            }
            _ => None,
        }
    }

    /// One of the length that a head says.
    pub(super) fn of_length(text: &[u8]) -> Option<Body> {
        if !text.iter().all(u8::is_ascii_digit) {
            return None;
        }
        std::str::from_utf8(text).ok()?.parse().ok().map(Body::Length)
    }

    /// Whether a connection that ends here ends the body.
    pub(super) fn may_end(self) -> bool {
        matches!(self, Body::ToTheEnd | Body::Length(0) | Body::Chunked(Place::Over))
    }

    /// Finds the next piece of the body, and takes what was looked at from the front of `bytes`.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Found<'a>, Broken> {
        let place = match self {
            Body::Chunked(place) => place,
            Body::Length(0) => return Ok(Found::End),
            Body::Length(_) | Body::ToTheEnd if bytes.is_empty() => return Ok(Found::Nothing),
            Body::Length(left) => {
                let data = first(bytes, *left);
                *left -= data.len() as u64;
                return Ok(Found::Data(data));
            }
            Body::ToTheEnd => return Ok(Found::Data(std::mem::take(bytes))),
        };
        loop {
            if *place == Place::Over {
                return Ok(Found::End);
            }
            if let Place::Data(left) = *place {
                if bytes.is_empty() {
                    return Ok(Found::Nothing);
                }
                let data = first(bytes, left);
                *place = match left - data.len() as u64 {
                    0 => Place::DataEnd,
                    left => Place::Data(left),
                };
                return Ok(Found::Data(data));
            }
            let Some((&byte, rest)) = bytes.split_first() else { return Ok(Found::Nothing) };
            *bytes = rest;
            *place = place.after(byte)?;
        }
    }
}

/// Takes at most so many bytes from the front.
fn first<'a>(bytes: &mut &'a [u8], most: u64) -> &'a [u8] {
    let here = usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len());
    let (data, rest) = bytes.split_at(here);
    *bytes = rest;
    data
}

impl Place {
    /// Where a byte leads that is none of the data.
    fn after(self, byte: u8) -> Result<Place, Broken> {
        let behind_size = |size| if size == 0 { Place::TrailerStart } else { Place::Data(size) };
        let digit = char::from(byte).to_digit(16).map(u64::from);
        Ok(match (self, byte) {
            (Place::Start, _) => Place::Size(digit.ok_or(Broken)?),
            (Place::Size(size), b'\r') => Place::SizeEnd(size),
            (Place::Size(size), b' ' | b'\t' | b';') => Place::Extension(size),
            (Place::Size(size), _) => {
                let size = size.checked_mul(16).zip(digit).and_then(|(size, digit)| size.checked_add(digit));
                Place::Size(size.ok_or(Broken)?)
            }
            (Place::Extension(size), b'\r') => Place::SizeEnd(size),
            // A bare line feed there has been used to smuggle requests.
            (Place::Extension(_), b'\n') => return Err(Broken),
            (Place::Extension(size), _) => Place::Extension(size),
            (Place::SizeEnd(size), b'\n') => behind_size(size),
            (Place::DataEnd, b'\r') => Place::DataEndLf,
            (Place::DataEndLf, b'\n') => Place::Start,
            (Place::TrailerStart, b'\r') => Place::LastLf,
            (Place::TrailerStart | Place::Trailer, b'\n') => Place::TrailerStart,
            (Place::TrailerStart | Place::Trailer, _) => Place::Trailer,
            (Place::LastLf, b'\n') => Place::Over,
            _ => return Err(Broken),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// Everything that is found in pieces of these lengths, and whether the end was.
    fn found(bytes: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, bool), Broken> {
        let (mut body, mut data, mut rest) = (Body::Chunked(Place::Start), Vec::new(), bytes);
        for cut in cuts.iter().copied().chain([bytes.len()]) {
            let (mut piece, left) = rest.split_at(cut.min(rest.len()));
            rest = left;
            loop {
                match body.next(&mut piece)? {
                    Found::Data(more) => data.extend_from_slice(more),
                    Found::Nothing => break,
                    Found::End => return Ok((data, true)),
                }
            }
        }
        Ok((data, body.may_end()))
    }

    proptest! {
        #[test]
        fn any_chunking_of_any_chunks_gives_the_data(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..6),
            extension in "(;[a-z]{1,3}=\"[a-z ]{0,3}\")?",
            trailer in "([a-z]{1,4}: [a-z]{0,4}\r\n){0,2}",
            cuts in proptest::collection::vec(0_usize..9, 0..60),
        ) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                bytes.extend(format!("{:X}{extension}\r\n", chunk.len()).bytes());
                bytes.extend(chunk);
                bytes.extend(b"\r\n");
            }
            bytes.extend(format!("0\r\n{trailer}\r\n").bytes());
            prop_assert_eq!(found(&bytes, &cuts), Ok((chunks.concat(), true)));
            // Cut off anywhere before its end it is no whole body.
            let whole = found(&bytes[..bytes.len() - 1], &cuts);
            prop_assert_eq!(whole, Ok((chunks.concat(), false)));
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = found(&bytes, &[3, 1, 7]);
        }
    }

    #[test]
    fn what_is_no_chunk_is_not_guessed_at() {
        for bytes in [
            "x\r\n",
            "\r\n",
            "5\nhello",
            "5\r\nhello5",
            "5\r\nhello\n",
            "5;a\nhello",
            "11111111111111111\r\n",
            "0\r\n\rx",
        ] {
            assert_eq!(found(bytes.as_bytes(), &[]), Err(Broken), "{bytes:?}");
        }
    }

    #[test]
    fn the_head_says_how_a_body_is_delimited() {
        let of = |version, lines: &[(header::HeaderName, &'static str)]| {
            let line = |(name, value): &(header::HeaderName, &'static str)| {
                (name.clone(), HeaderValue::from_static(value))
            };
            Body::of(version, &lines.iter().map(line).collect())
        };
        let (coding, length) = (header::TRANSFER_ENCODING, header::CONTENT_LENGTH);
        let chunked = Some(Body::Chunked(Place::Start));
        assert_eq!(of(Version::HTTP_11, &[]), Some(Body::ToTheEnd));
        assert_eq!(of(Version::HTTP_10, &[]), Some(Body::ToTheEnd));
        assert_eq!(of(Version::HTTP_11, &[(coding.clone(), "Chunked")]), chunked);
        assert_eq!(of(Version::HTTP_10, &[(coding.clone(), "chunked")]), None);
        assert_eq!(of(Version::HTTP_11, &[(coding, "gzip, chunked")]), None);
        assert_eq!(of(Version::HTTP_11, &[(length.clone(), "5")]), Some(Body::Length(5)));
        for unclear in ["", "+5", "5, 5", "99999999999999999999"] {
            assert_eq!(of(Version::HTTP_11, &[(length.clone(), unclear)]), None, "{unclear:?}");
        }
    }

    #[test]
    fn a_length_ends_where_it_says() {
        let (mut body, mut bytes) = (Body::Length(5), &b"hello world"[..]);
        assert_eq!(body.next(&mut &b"he"[..]), Ok(Found::Data(b"he")));
        assert_eq!(body.next(&mut &b""[..]), Ok(Found::Nothing));
        assert!(!body.may_end());
        bytes = &bytes[2..];
        assert_eq!(body.next(&mut bytes), Ok(Found::Data(b"llo")));
        assert_eq!((body.next(&mut bytes), bytes, body.may_end()), (Ok(Found::End), &b" world"[..], true));
    }
}
