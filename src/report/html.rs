//! The report as one self-contained HTML file: charts inlined, no script, nothing fetched.

use askama::Template;

use crate::report::{claims::Outcome, document::Document, folder::ReportError};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Document,
}

/// The page.
///
/// # Errors
/// What the template engine says.
pub(super) fn render(report: &Document) -> Result<String, ReportError> {
    Ok(Page { report }.render()?)
}

impl Outcome {
    /// The sign before the word, for eyes that don't tell its colour.
    pub const fn sign(self) -> &'static str {
        match self {
            Outcome::Holds => "✓",
            Outcome::Refuted => "✗",
            Outcome::Undecided => "?",
        }
    }
}
