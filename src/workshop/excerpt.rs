//! Bytes as text that a terminal bears, and that shows what matters: where the line ends are.

/// At most so many bytes are shown.
const SHOWN: usize = 240;

/// The end of the bytes, escaped, broken after each LF. What stands before it is counted.
///
/// ```
/// use pushlab::workshop::excerpt::excerpt;
/// assert_eq!(excerpt(b"data: 1\r\n\x00\xff\n"), "data: 1\\r\\n\n\\0\\xff\\n");
/// ```
pub fn excerpt(bytes: &[u8]) -> String {
    let mut start = bytes.len().saturating_sub(SHOWN);
    // A character is not cut in two.
    while start > 0 && start < bytes.len() && (bytes[start] & 0b1100_0000) == 0b1000_0000 {
        start += 1;
    }
    let mut text = if start > 0 { format!("({start} bytes before) …") } else { String::new() };
    for chunk in bytes[start..].utf8_chunks() {
        escape(chunk.valid(), &mut text);
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text.truncate(text.trim_end_matches('\n').len());
    text
}

/// A stranger's text within one line, escaped and bounded: its beginning.
pub fn one_line(text: &str) -> String {
    let mut shown = String::new();
    let beginning: String = text.chars().take(SHOWN).collect();
    escape(&beginning, &mut shown);
    if beginning.len() < text.len() {
        shown.push('…');
    }
    shown.replace("\\n\n", "\\n").trim_end().to_owned()
}

fn escape(text: &str, into: &mut String) {
    for character in text.chars() {
        match character {
            '\n' => into.push_str("\\n\n"),
            '\0' => into.push_str("\\0"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            // What has no width or turns the direction of writing would hide what is there.
            '\u{feff}' | '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => {
                into.extend(character.escape_unicode());
            }
            '\u{2066}'..='\u{2069}' => into.extend(character.escape_unicode()),
            control if control.is_control() => into.extend(control.escape_unicode()),
            plain => into.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_by_their_end_and_without_power_over_the_terminal() {
        assert_eq!(excerpt(b"data: 1\n\ndata: 2\n"), "data: 1\\n\n\\n\ndata: 2\\n");
        assert_eq!(excerpt("\u{feff}\u{1b}[2J é\u{202e}".as_bytes()), "\\u{feff}\\u{1b}[2J é\\u{202e}");
        let long = excerpt("é".repeat(1000).as_bytes());
        assert!(long.starts_with("(1760 bytes before) …éé") && long.chars().count() < 300, "{long}");
        assert_eq!(excerpt(b""), "");
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(one_line("a\nb\r"), "a\\nb\\r");
        assert_eq!(one_line(&"x".repeat(1000)).chars().count(), SHOWN + 1);
    }
}
