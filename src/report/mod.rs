//! From records to a report: figures, intervals, verdicts, charts and tables.
//!
//! Everything is computed from a run folder's `manifest.json` and `runs.jsonl` files and from nothing else,
//! so that it can be drawn again at any time, and comes out the same. In the order in which data pass:
//!
//! - `folder` reads a run folder and says what is missing in it;
//! - `figure` takes one number from one record, [`statistics`] concludes from several, `summary` groups the
//!   records by client and `condition`;
//! - `claims` compares figures and gives verdicts; `table`, `table_losses` and `csv` list them;
//! - `published` sets figures that others published beside ours, `beside` those of a browser, `relay_cost` says
//!   what the relay costs;
//! - each `chart_*` file turns a summary into the data of one chart, and those into a picture, by way of
//!   `axis`, `panel`, `palette`, `font` and `canvas`; only the last two know plotters;
//! - `document` holds all of it together, for `html`, `markdown` and `terminal` to write down.

mod axis;
mod beside;
mod canvas;
mod chart;
mod chart_bytes;
mod chart_capacity;
mod chart_frontier;
mod chart_memory;
mod chart_notice;
mod chart_opening;
mod chart_peers;
mod chart_percentiles;
mod chart_readers_memory;
mod chart_recovery;
mod chart_storm;
mod chart_strip;
mod chart_timeline;
mod chart_zombies;
pub mod claims;
mod compare;
pub mod condition;
mod csv;
mod curves;
mod document;
pub mod figure;
mod figure_capacity;
pub mod folder;
mod font;
mod html;
mod markdown;
mod palette;
mod panel;
mod published;
mod relay_cost;
pub mod statistics;
pub mod summary;
mod table;
mod table_losses;
mod terminal;
pub mod units;

#[cfg(test)]
mod tests;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub use claims::Outcome;
pub use compare::compare;
pub use folder::ReportError;
pub use font::register_font;
pub use units::Unit;

use document::Document;
use folder::RunFolder;

/// How it is measured, and in whose favour: written beside a report, so that its readers have the words that
/// belong to its version, wherever the folder is taken.
const EXPLAINED: [(&str, &str); 2] = [
    ("METHODOLOGY.md", include_str!("../../experiments/METHODOLOGY.md")),
    ("BIAS.md", include_str!("../../experiments/BIAS.md")),
];

/// What a report consists of, and what its readers should know at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// `report.html`.
    pub html: PathBuf,
    /// `report.md`.
    pub markdown: PathBuf,
    /// All files that were written, those two included.
    pub files: Vec<PathBuf>,
    /// What keeps the run from being whole, and lines that are no record, a sentence each.
    pub incomplete: Vec<String>,
    /// The claims' short names with their verdicts, in the report's order.
    pub verdicts: Vec<(String, Outcome)>,
}

/// Reads the run folder `dir` and writes its `report.html` and `report.md`, and for each experiment its
/// `summary.csv` and its charts as `.svg` and `.png`; beside them what explains the measuring.
///
/// # Errors
/// Where the folder holds no manifest, the manifest or a definition in it can't be read, or a file can't
/// be written. A line that is no record is no error; [`Written::incomplete`] and the report name it.
pub fn write(dir: &Path) -> Result<Written, ReportError> {
    let report = Document::of(&RunFolder::read(dir)?)?;
    let mut files = Vec::new();
    let mut put = |path: PathBuf, bytes: &[u8]| {
        fs::write(&path, bytes).map_err(|source| ReportError::Write { path: path.clone(), source })?;
        files.push(path.clone());
        Ok::<PathBuf, ReportError>(path)
    };
    for section in &report.sections {
        let folder = dir.join(&section.name);
        fs::create_dir_all(&folder).map_err(|source| ReportError::Write { path: folder.clone(), source })?;
        put(folder.join("summary.csv"), section.csv.as_bytes())?;
        for chart in &section.charts {
            put(folder.join(format!("{}.svg", chart.slug)), chart.svg.as_bytes())?;
            let png = canvas::png(&chart.svg).map_err(|problem| ReportError::Draw {
                chart: format!("{}/{}", section.name, chart.slug),
                problem,
            })?;
            put(folder.join(format!("{}.png", chart.slug)), &png)?;
        }
    }
    for (name, text) in EXPLAINED {
        put(dir.join(name), text.as_bytes())?;
    }
    let markdown = put(dir.join("report.md"), markdown::render(&report).as_bytes())?;
    let html = put(dir.join("report.html"), html::render(&report)?.as_bytes())?;
    let verdicts = report.verdicts().map(|(_, verdict)| (verdict.id.clone(), verdict.outcome)).collect();
    Ok(Written { html, markdown, files, incomplete: report.incomplete, verdicts })
}

/// The verdicts and the key figures of the run folder `dir`, for a terminal of 80 columns.
///
/// # Errors
/// As [`write`](fn@write), but for writing.
pub fn terminal_summary(dir: &Path) -> Result<String, ReportError> {
    let folder = RunFolder::read(dir)?;
    let report = Document::of(&folder)?;
    Ok(terminal::render(&folder, &report))
}
