//! The last of what a program printed.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    task::JoinHandle,
};

use super::excerpt::one_line;

const KEPT: usize = 4096;
const LINES: usize = 12;

/// The last bytes of one or several outputs, however much comes.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail {
    bytes: Arc<Mutex<VecDeque<u8>>>,
}

impl Tail {
    /// Reads an output to its end, so that the program that writes it never has to wait.
    pub(super) fn follow(&self, mut output: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<()> {
        let tail = self.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; KEPT];
            while let Ok(read @ 1..) = output.read(&mut buffer).await {
                tail.push(&buffer[..read]);
            }
        })
    }

    pub(super) fn push(&self, new: &[u8]) {
        let mut bytes = self.bytes.lock();
        bytes.extend(&new[new.len().saturating_sub(KEPT)..]);
        let excess = bytes.len().saturating_sub(KEPT);
        bytes.drain(..excess);
    }

    /// The last lines, without control characters.
    pub(super) fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.lock().iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<String> = text.lines().map(one_line).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let tail = Tail::default();
        for number in 0..10_000 {
            tail.push(format!("line {number}\u{1b}[31m\n").as_bytes());
        }
        assert!(tail.text().ends_with("line 9999\\u{1b}[31m"));
        assert_eq!(tail.text().lines().count(), LINES);
        tail.push(&vec![b'x'; 10 * KEPT]);
        assert!(tail.text().len() <= KEPT);
    }
}
