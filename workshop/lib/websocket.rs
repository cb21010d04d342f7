//! As much of WebSocket (RFC 6455) as the exercises' servers in Rust need, without a package.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

/// No message is longer than this.
const MESSAGE_BYTES: usize = 1024 * 1024;

/// What a frame is: the low four bits of its first byte.
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What the other side sent, or what it is sent.
#[allow(dead_code)] // not every program sends all of them
#[derive(Debug, PartialEq)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// Its payload: two bytes of a status code and a reason, or nothing.
    Close(Vec<u8>),
}

/// Answers a request for a WebSocket; `key` is its header `Sec-WebSocket-Key`.
pub fn accept(stream: &mut TcpStream, key: &str) -> io::Result<()> {
    // The browser sees by this that the answer is not an old one from a cache, and that this server
    // knows what a WebSocket is.
    let proof = base64(&sha1(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes()));
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {proof}\r\n\r\n"
    )
}

impl Message {
    /// The message as one frame. A server's frames have no mask.
    pub fn frame(&self) -> Vec<u8> {
        let (kind, payload) = match self {
            Message::Text(text) => (TEXT, text.as_bytes()),
            Message::Binary(bytes) => (BINARY, bytes.as_slice()),
            Message::Ping(bytes) => (PING, bytes.as_slice()),
            Message::Pong(bytes) => (PONG, bytes.as_slice()),
            Message::Close(bytes) => (CLOSE, bytes.as_slice()),
        };
        let mut frame = vec![0b1000_0000 | kind]; // the high bit: it is the message's last frame
        match payload.len() {
            short @ ..126 => frame.push(short as u8),
            middle @ ..65536 => {
                frame.push(126);
                frame.extend((middle as u16).to_be_bytes());
            }
            long => {
                frame.push(127);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }
}

/// Reads whole messages. Pings and their like may come between the frames of one.
pub struct Incoming {
    stream: TcpStream,
    /// What has come of a message in several frames.
    begun: Option<(u8, Vec<u8>)>,
}

impl Incoming {
    pub fn new(stream: TcpStream) -> Incoming {
        Incoming { stream, begun: None }
    }

    /// Waits for the next message.
    pub fn message(&mut self) -> io::Result<Message> {
        loop {
            let (is_last, kind, payload) = self.frame()?;
            match kind {
                PING => return Ok(Message::Ping(payload)),
                PONG => return Ok(Message::Pong(payload)),
                CLOSE => return Ok(Message::Close(payload)),
                TEXT | BINARY if self.begun.is_none() => self.begun = Some((kind, payload)),
                CONTINUATION => match &mut self.begun {
                    Some((_, message)) if message.len() + payload.len() <= MESSAGE_BYTES => {
                        message.extend(payload);
                    }
                    Some(_) => return Err(io::Error::other("the message is too long")),
                    None => return Err(io::Error::other("nothing was begun that could be continued")),
                },
                _ => return Err(io::Error::other("no frame of this kind may come now")),
            }
            if is_last {
                return match self.begun.take() {
                    Some((TEXT, text)) => match String::from_utf8(text) {
                        Ok(text) => Ok(Message::Text(text)),
                        Err(_) => Err(io::Error::other("a text that is not UTF-8")),
                    },
                    Some((_, bytes)) => Ok(Message::Binary(bytes)),
                    None => Err(io::Error::other("a message without a beginning")),
                };
            }
        }
    }

    /// One frame: whether it is its message's last, its kind, and its payload without the mask.
    fn frame(&mut self) -> io::Result<(bool, u8, Vec<u8>)> {
        let [first, second] = self.bytes()?;
        let length = match second & 0b0111_1111 {
            126 => u16::from_be_bytes(self.bytes()?) as u64,
            127 => u64::from_be_bytes(self.bytes()?),
            short => short as u64,
        };
        if second & 0b1000_0000 == 0 {
            return Err(io::Error::other("a client has to mask its frames"));
        }
        if length > MESSAGE_BYTES as u64 {
            return Err(io::Error::other("the frame is too long"));
        }
        let mask: [u8; 4] = self.bytes()?;
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload)?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Ok((first & 0b1000_0000 != 0, first & 0b0000_1111, payload))
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// SHA-1 (FIPS 180-4). It protects nothing any more; the handshake only uses it as a fingerprint.
fn sha1(data: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
    let mut padded = data.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((data.len() as u64 * 8).to_be_bytes());
    for block in padded.chunks(64) {
        let mut words = [0u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks(4)) {
            *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        for i in 16..80 {
            words[i] = (words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (i, word) in words.iter().enumerate() {
            let (mixed, constant) = match i {
                0..20 => ((b & c) | (!b & d), 0x5a827999),
                20..40 => (b ^ c ^ d, 0x6ed9eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1bbcdc),
                _ => (b ^ c ^ d, 0xca62c1d6u32),
            };
            let sum = a.rotate_left(5).wrapping_add(mixed).wrapping_add(e);
            let sum = sum.wrapping_add(constant).wrapping_add(*word);
            (a, b, c, d, e) = (sum, a, b.rotate_left(30), c, d);
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d, e]) {
            *total = total.wrapping_add(part);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// Base64 (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let at = |i: usize| *three.get(i).unwrap_or(&0) as usize;
        let number = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let digit = DIGITS[number >> (18 - 6 * i) & 63] as char;
            text.push(if i <= three.len() { digit } else { '=' });
        }
    }
    text
}
