//! Which language a visitor gets: the one asked for, else the one chosen before, else what the browser
//! says that its user reads.

use http::{HeaderMap, header};

/// The cookie that keeps a choice.
pub(super) const COOKIE: &str = "lang";

/// A language that the pages are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Chinese,
}

impl Language {
    /// Every language, the fallback first.
    pub(super) const ALL: [Language; 2] = [Language::English, Language::Chinese];

    /// The word in URLs, in the cookie and in file names.
    pub(super) const fn slug(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh",
        }
    }

    /// The tag that tells screen readers, and fonts, how to read the page.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Chinese => "zh-Hans",
        }
    }

    /// The language's own name, which is the same in every catalogue.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::Chinese => "简体中文",
        }
    }

    /// The language of a slug, or of a tag that begins with it, such as `zh-CN`.
    pub(super) fn of(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default().trim();
        Language::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.slug()))
    }

    /// What a request's headers say.
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
        let all = |name| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        let chosen = all(header::COOKIE).flat_map(|value| value.split(';')).find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == COOKIE).then(|| Language::of(value)).flatten()
        });
        let preferred = || {
            let mut best: Option<(f32, Language)> = None;
            for range in all(header::ACCEPT_LANGUAGE).flat_map(|value| value.split(',')) {
                let (tag, weight) = range.split_once(';').unwrap_or((range, "q=1"));
                let weight =
                    weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).unwrap_or(0.0);
                // Of equals the first counts, as browsers list them in their user's order.
                if let Some(language) = Language::of(tag.trim())
                    && weight > best.map_or(0.0, |(best, _)| best)
                {
                    best = Some((weight, language));
                }
            }
            best.map(|(_, language)| language)
        };
        chosen.or_else(preferred).unwrap_or(Language::English)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(cookie: &str, accept: &str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, cookie.parse().expect("a header"));
        headers.insert(header::ACCEPT_LANGUAGE, accept.parse().expect("a header"));
        Language::from_headers(&headers)
    }

    #[test]
    fn a_choice_wins_over_the_browser_and_weights_over_order() {
        assert_eq!(language("a=b; lang=zh", "en"), Language::Chinese);
        assert_eq!(language("lang=xx", "zh-CN,en;q=0.5"), Language::Chinese);
        assert_eq!(language("", "fr, en;q=0.3, zh-TW;q=0.9"), Language::Chinese);
        assert_eq!(language("", "zh;q=0, de"), Language::English);
        assert_eq!(language("language=zh", "*"), Language::English);
    }
}
