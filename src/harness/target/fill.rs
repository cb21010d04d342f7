//! Words in braces in a target's file, filled in.

/// What may stand in braces where a server is started.
pub(super) const START_WORDS: &[&str] = &["port", "dir"];
/// What may stand in a URL.
pub(super) const URL_WORDS: &[&str] = &["port", "channel"];
/// What may stand in a published body.
pub(super) const BODY_WORDS: &[&str] = &["data", "json"];

/// Fills words in; what else stands in braces is left as it is, since JSON and configurations are full of them.
pub(super) fn fill(text: &str, words: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let found = words.iter().find_map(|(word, value)| {
            Some((value, from.strip_prefix('{')?.strip_prefix(word)?.strip_prefix('}')?))
        });
        match found {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = &from[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

/// A lone word in braces that is none of these: a slip of the pen, most likely.
pub(super) fn strange_word<'a>(text: &'a str, words: &[&str]) -> Option<&'a str> {
    text.match_indices('{').find_map(|(at, _)| {
        let (word, _) = text[at + 1..].split_once('}')?;
        let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        (is_word && !words.contains(&word)).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_filled_in_once_and_other_braces_stay() {
        let words = [("data", "{json}"), ("json", r#""x""#)];
        assert_eq!(fill(r#"{"data":{json},"x":{}}"#, &words), r#"{"data":"x","x":{}}"#);
        assert_eq!(fill("{data}{data", &words), "{json}{data");
    }

    #[test]
    fn a_strange_word_is_found_and_json_is_none() {
        assert_eq!(strange_word("{port} {prot}", &["port"]), Some("prot"));
        assert_eq!(strange_word(r#"{"a": {}, "b": {json}}"#, &["json"]), None);
    }

    proptest! {
        #[test]
        fn what_holds_no_word_stays_as_it_is(text in "[^{}]*|[{}\"a-z]*") {
            prop_assert_eq!(fill(&text, &[]), text);
        }
    }
}
