//! Sentences for a terminal: wrapped, and harmless.

use std::fmt::Write as _;

/// Adds a sentence, wrapped to so many columns: its first line begins with `first`, the others with `indent`.
/// What a stranger sent must not reach a terminal as it is, so control characters go.
pub fn push_wrapped(text: &mut String, columns: usize, first: &str, indent: &str, sentence: &str) {
    let mut line = first.to_owned();
    let mut empty = true;
    for word in sentence.split_whitespace() {
        let word: String = word.chars().filter(|c| !c.is_control()).collect();
        if !empty && line.chars().count() + 1 + word.chars().count() > columns {
            let _ = writeln!(text, "{line}");
            indent.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(&word);
        empty = false;
    }
    let _ = writeln!(text, "{line}");
}
