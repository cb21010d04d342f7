//! Where the body of an answer ends (RFC 9112, 6.3), read from bytes that may be anything.

use super::http::More;

/// A chunk's size line with its extensions is no longer than this.
const LINE_BYTES: usize = 4096;

/// How a body is delimited, and how far it is.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// Chunks.
    Chunked(Chunk),
    /// Until the connection ends.
    Close,
}

/// What comes next in a chunked body.
#[derive(Debug, Clone, Copy)]
pub(super) enum Chunk {
    /// A line with the size.
    Size,
    /// So many bytes of data.
    Data(u64),
    /// The line end after the data.
    DataEnd,
    /// Trailers, then nothing.
    Trailers,
    /// Nothing.
    Over,
}

impl Framing {
    pub(super) fn of(status: u16, headers: &[(String, String)]) -> Result<Self, String> {
        let all = |name: &'static str| {
            headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value)
        };
        if status == 204 || status == 304 || status < 200 {
            return Ok(Framing::Length(0));
        }
        if all("transfer-encoding").any(|value| value.to_ascii_lowercase().ends_with("chunked")) {
            return Ok(Framing::Chunked(Chunk::Size));
        }
        match all("content-length").next() {
            None => Ok(Framing::Close),
            Some(text) => match text.parse() {
                Ok(length) => Ok(Framing::Length(length)),
                Err(_) => Err(format!("the Content-Length {text:?} is no number")),
            },
        }
    }

    /// Takes from `unread` what belongs to the body; `None` where more has to be read first.
    pub(super) fn take(&mut self, unread: &mut Vec<u8>) -> Result<Option<More>, String> {
        match self {
            Framing::Length(0) => Ok(Some(More::End)),
            Framing::Length(left) => Ok(data(left, unread)),
            Framing::Close if unread.is_empty() => Ok(None),
            Framing::Close => Ok(Some(More::Bytes(std::mem::take(unread)))),
            Framing::Chunked(chunk) => chunk.take(unread),
        }
    }

    /// Whether the body may end where the connection has.
    pub(super) fn at_end_of_connection(&self) -> Result<More, String> {
        match self {
            Framing::Close | Framing::Length(0) | Framing::Chunked(Chunk::Over) => Ok(More::End),
            Framing::Length(left) => {
                Err(format!("the connection was closed {left} bytes before the Content-Length was reached"))
            }
            Framing::Chunked(_) => {
                Err("the connection was closed in the middle of the body: its last chunk is missing"
                    .to_owned())
            }
        }
    }
}

impl Chunk {
    fn take(&mut self, unread: &mut Vec<u8>) -> Result<Option<More>, String> {
        loop {
            match self {
                Chunk::Data(0) => *self = Chunk::DataEnd,
                Chunk::Data(left) => return Ok(data(left, unread)),
                Chunk::Over => return Ok(Some(More::End)),
                Chunk::Size | Chunk::DataEnd | Chunk::Trailers => {
                    let Some(line) = line(unread)? else { return Ok(None) };
                    *self = self.after(&line)?;
                }
            }
        }
    }

    fn after(self, line: &[u8]) -> Result<Chunk, String> {
        match self {
            Chunk::DataEnd if line.is_empty() => Ok(Chunk::Size),
            Chunk::DataEnd => Err("a chunk is longer than its size says".to_owned()),
            Chunk::Trailers if line.is_empty() => Ok(Chunk::Over),
            Chunk::Trailers => Ok(Chunk::Trailers),
            _ => {
                let text = String::from_utf8_lossy(line);
                let digits = text.split(';').next().unwrap_or_default().trim();
                match u64::from_str_radix(digits, 16) {
                    Ok(0) => Ok(Chunk::Trailers),
                    Ok(size) => Ok(Chunk::Data(size)),
                    Err(_) => {
                        Err("the body says that it is chunked, but a chunk's size is missing".to_owned())
                    }
                }
            }
        }
    }
}

fn data(left: &mut u64, unread: &mut Vec<u8>) -> Option<More> {
    if unread.is_empty() {
        return None;
    }
    let take = usize::try_from(*left).unwrap_or(usize::MAX).min(unread.len());
    let rest = unread.split_off(take);
    *left -= take as u64;
    Some(More::Bytes(std::mem::replace(unread, rest)))
}

fn line(unread: &mut Vec<u8>) -> Result<Option<Vec<u8>>, String> {
    let Some(end) = unread.windows(2).position(|two| two == b"\r\n") else {
        let too_long = unread.len() > LINE_BYTES;
        return if too_long { Err("a chunk's size line does not end".to_owned()) } else { Ok(None) };
    };
    let rest = unread.split_off(end + 2);
    let mut line = std::mem::replace(unread, rest);
    line.truncate(end);
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a body that arrives in pieces of `size` bytes; the connection ends after it.
    fn read(headers: &[(&str, &str)], bytes: &[u8], size: usize) -> Result<Vec<u8>, String> {
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let mut framing = Framing::of(200, &headers)?;
        let (mut unread, mut body) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(size) {
            unread.extend(piece);
            while let Some(more) = framing.take(&mut unread)? {
                match more {
                    More::Bytes(bytes) => body.extend(bytes),
                    _ => return Ok(body),
                }
            }
        }
        framing.at_end_of_connection().map(|_| body)
    }

    #[test]
    fn a_body_ends_where_its_head_says() {
        let chunked = [("transfer-encoding", "chunked")];
        let text = b"3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nT: 1\r\n\r\nmore";
        for size in 1..40 {
            assert_eq!(read(&chunked, text, size).as_deref(), Ok(&b"abcd"[..]));
            assert_eq!(read(&[("content-length", "2")], b"abcd", size).as_deref(), Ok(&b"ab"[..]));
            assert_eq!(read(&[], b"abcd", size).as_deref(), Ok(&b"abcd"[..]));
            let short = read(&[("content-length", "99")], b"abcd", size).unwrap_err();
            assert!(short.contains("95 bytes before"), "{short}");
            assert!(read(&chunked, b"3\r\nab", size).unwrap_err().contains("last chunk"));
            assert!(read(&chunked, b"data: 1\r\n", size).unwrap_err().contains("size is missing"));
            assert!(read(&chunked, b"1\r\nabc\r\n", size).unwrap_err().contains("longer"));
        }
        assert!(read(&[("content-length", "-1")], b"", 1).unwrap_err().contains("no number"));
        assert!(read(&chunked, &vec![b'1'; 9000], 100).unwrap_err().contains("does not end"));
        let huge = read(&[("content-length", "18446744073709551615")], b"abcd", 4).unwrap_err();
        assert!(huge.contains("before the Content-Length"), "{huge}");
    }
}
