//! What a channel may be called.

use std::{fmt, str::FromStr, sync::Arc};

/// The name of a channel: 1–64 of `a–z`, `0–9` and `-`.
///
/// So short an alphabet needs no escaping in a URL, a file name, a label or a log line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

/// A text that names no channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad channel name {0:?}: use 1 to 64 of a-z, 0-9 and -")]
pub struct BadName(String);

impl FromStr for ChannelName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=64).contains(&text.len()) && text.bytes().all(good) {
            Ok(ChannelName(text.into()))
        } else {
            Err(BadName(text.chars().take(65).collect()))
        }
    }
}

impl ChannelName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_alphabet_and_length() {
        let longest = "z".repeat(64);
        for good in ["a", "0", "-", "room-17", longest.as_str()] {
            assert_eq!(good.parse::<ChannelName>().map(|name| name.to_string()).as_deref(), Ok(good));
        }
        let too_long = "z".repeat(65);
        for bad in ["", "A", "a b", "a/b", "ä", "..", too_long.as_str()] {
            assert!(bad.parse::<ChannelName>().is_err(), "{bad}");
        }
    }
}
