//! The workshop's exercises as pages read them: texts and hints are part of the program, so that a server that
//! was copied anywhere has them. Starters are in the repository; solutions are nowhere here.

use std::sync::LazyLock;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use crate::{
    exercise::{About, Kind, Language, number},
    transport::Transport,
};

/// What a student may read, listed by the build script: the folder's name, README.md, exercise.toml.
static FOLDERS: &[(&str, &str, &str)] = &include!(concat!(env!("OUT_DIR"), "/exercises.rs"));

/// An exercise, ready to be shown.
#[derive(Debug)]
pub(super) struct Exercise {
    /// The folder's name, which is its page's too.
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) about: About,
    /// The text without its heading, as HTML of our own making.
    pub(super) html: String,
}

static ALL: LazyLock<Vec<Exercise>> =
    LazyLock::new(|| FOLDERS.iter().filter_map(|(name, text, about)| read(name, text, about)).collect());

/// All that are built in, in the order of their numbers.
pub(super) fn all() -> &'static [Exercise] {
    &ALL
}

/// One, by its folder's name or its number.
pub(super) fn find(wanted: &str) -> Option<&'static Exercise> {
    let by_number = wanted.parse::<u32>().ok();
    all().iter().find(|it| it.name == wanted || Some(it.number) == by_number)
}

fn read(name: &str, text: &str, about: &str) -> Option<Exercise> {
    // A test reads them all.
    let about = About::parse(about).ok()?;
    Some(Exercise { name: name.to_owned(), number: number(name)?, about, html: render(text) })
}

impl Exercise {
    /// Its number and a few words.
    pub(super) fn title(&self) -> String {
        format!("{:02} {}", self.number, self.about.title)
    }

    /// Its hints as HTML of our own making: they name code as its text does.
    pub(super) fn hints(&self) -> Vec<String> {
        self.about.hints.iter().map(|hint| render(hint)).collect()
    }

    /// Where its page is.
    pub(super) fn path(&self) -> String {
        format!("/workshop/{}", self.name)
    }

    /// The transport whose demo stands beside its text, if its first page is one's.
    pub(super) fn transport(&self) -> Option<Transport> {
        self.about.demos.first()?.strip_prefix("/demo/")?.parse().ok()
    }

    /// What is handed in, as the word that its string's key ends in.
    pub(super) fn kind(&self) -> &'static str {
        match self.about.kind {
            Kind::Server => "server",
            Kind::Client => "client",
            Kind::File => "file",
        }
    }

    /// How somebody has it checked. A file has one language, so that none needs to be named.
    pub(super) fn command(&self) -> String {
        let language = match self.about.languages.as_slice() {
            [] | [_] => "",
            [Language::Javascript, ..] => " --lang javascript",
            [Language::Python, ..] => " --lang python",
            [..] => " --lang rust",
        };
        format!("cargo run --bin workshop -- check {}{language}", self.number)
    }
}

/// Markdown as HTML. What looks like HTML in it is text, and a link leads to a page on the web or to none.
fn render(markdown: &str) -> String {
    let mut links = Vec::new();
    let mut in_title = false;
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).filter_map(|event| {
        // The page has a heading of its own.
        match &event {
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => in_title = true,
            Event::End(TagEnd::Heading(HeadingLevel::H1)) => {
                in_title = false;
                return None;
            }
            _ => {}
        }
        if in_title {
            return None;
        }
        Some(match event {
            Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
            Event::Start(Tag::Link { ref dest_url, .. }) => {
                links.push(is_web(dest_url));
                if is_web(dest_url) { event } else { nothing() }
            }
            Event::End(TagEnd::Link) if links.pop() == Some(false) => nothing(),
            // The text that stands for a picture is inside of it.
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => nothing(),
            other => other,
        })
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

fn nothing() -> Event<'static> {
    Event::Text(CowStr::Borrowed(""))
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exercise_can_be_read_and_names_pages_that_there_are() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/workshop");
        let there = std::fs::read_dir(folder).expect("a folder").flatten();
        let there = there.filter(|it| number(&it.file_name().to_string_lossy()).is_some()).count();
        assert_eq!(
            all().len(),
            there,
            "an exercise.toml that can't be read, or files that git does not know"
        );
        for exercise in all() {
            let text = &exercise.html;
            assert!(text.contains("<h2>Your task</h2>") && !text.contains("<h1"), "{}", exercise.name);
            for demo in &exercise.about.demos {
                let known = match demo.split_once('/').map(|(_, path)| path.split_once('/')) {
                    Some(Some(("demo", slug))) => slug.parse::<Transport>().is_ok(),
                    Some(Some(("tour", subject))) => super::super::views::TOURS.contains(&subject),
                    _ => demo == "/compare" || demo == "/results",
                };
                assert!(known, "{}: there is no page {demo}", exercise.name);
            }
            assert_eq!(find(&exercise.number.to_string()).map(|it| &it.name), Some(&exercise.name));
        }
    }

    #[test]
    fn html_and_strange_links_in_a_text_are_text() {
        let html = render(
            "# Title\n\nA <img src=x onerror=alert(1)> and\n\n<script>alert(1)</script>\n\n\
             [a](javascript:alert(1)) [b](../secret) [c](https://example.org/) ![d](http://x/y.png)\n",
        );
        assert!(!html.contains("<img") && !html.contains("<script") && !html.contains("Title"), "{html}");
        assert!(html.contains("&lt;img") && html.contains("&lt;script&gt;"), "{html}");
        assert!(!html.contains("javascript:") && !html.contains("../secret"), "{html}");
        assert!(html.contains("<a href=\"https://example.org/\">c</a>") && html.contains(" d"), "{html}");
    }
}
