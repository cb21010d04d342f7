//! What the events of a bench carry: their number, and when they were due.
//!
//! Both are written so that no format changes them, with as many digits always, and can be found in a stream
//! of bytes without knowing its format.

use memchr::{memchr, memrchr};
use pushlab::clock::Timestamp;

/// An event's bytes of data.
pub const PAYLOAD: usize = 100;

/// How a mark begins. No format has this byte in what it puts around data, but for lengths that are never
/// ours.
const BEGIN: u8 = b'#';
const NUMBER: usize = 10;
const TIME: usize = 19;

/// A mark's bytes.
pub(super) const MARK: usize = 1 + NUMBER + 1 + TIME;

pub(super) fn data(number: u64, due: Timestamp) -> String {
    let mark = format!("#{number:0NUMBER$}@{:0TIME$}", due.as_nanos());
    format!("{mark:x<PAYLOAD$}")
}

/// A mark, as it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) number: u64,
    pub(super) due: Timestamp,
}

/// The marks of a piece of a stream, in order; and how many bytes at its end are the beginning of one.
pub(super) fn marks(bytes: &[u8], mut each: impl FnMut(Mark)) -> usize {
    let mut at = 0;
    while let Some(next) = memchr(BEGIN, &bytes[at..]) {
        let begin = at + next;
        let Some(mark) = bytes.get(begin..begin + MARK) else { return bytes.len() - begin };
        each(parse(mark));
        // The next one is behind this one's padding.
        at = (begin + PAYLOAD).min(bytes.len());
    }
    0
}

/// The last mark alone; and the same.
pub(super) fn last_mark(bytes: &[u8]) -> (Option<Mark>, usize) {
    let Some(last) = memrchr(BEGIN, bytes) else { return (None, 0) };
    if let Some(mark) = bytes.get(last..last + MARK) {
        return (Some(parse(mark)), 0);
    }
    let before = memrchr(BEGIN, &bytes[..last]);
    (before.and_then(|at| bytes.get(at..at + MARK)).map(parse), bytes.len() - last)
}

/// When events of the server's own source were due, as far as they are in these bytes as a whole: `"at":` and
/// milliseconds, with backslashes where the data is within JSON.
pub(super) fn source_times(bytes: &[u8]) -> Vec<Timestamp> {
    let text = String::from_utf8_lossy(bytes);
    let after = text.split("at\\\":").flat_map(|part| part.split("at\":")).skip(1);
    let millis = after.filter_map(|rest| rest.split_once(',')?.0.parse().ok());
    millis.map(Timestamp::from_millis).collect()
}

fn parse(mark: &[u8]) -> Mark {
    let number = |digits: &[u8]| digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    let due = number(&mark[1 + NUMBER + 1..]);
    Mark { number: number(&mark[1..=NUMBER]), due: Timestamp::from_nanos(due as i64) }
}
