//! The report as Markdown, with its charts as files beside it.

use std::fmt::Write as _;

use crate::report::{
    document::{Document, Section},
    table::Table,
};

/// The text.
pub(super) fn render(report: &Document) -> String {
    let mut text = String::new();
    // Writing to a String can't fail.
    let _ = writeln!(text, "# What was asked\n");
    for (index, section) in report.sections.iter().enumerate() {
        let _ = writeln!(text, "{}. {}", index + 1, escaped(&section.question));
    }
    let _ = writeln!(text, "\nMeasured on: {}", escaped(&report.machine));
    if !report.incomplete.is_empty() {
        let _ = writeln!(text, "\n**This run is not whole:**\n");
        list(&mut text, &report.incomplete);
    }
    let _ = writeln!(text, "\n## What the figures say\n");
    if report.verdicts().next().is_none() {
        let _ = writeln!(text, "The definitions make no claims.");
    }
    for (section, verdict) in report.verdicts() {
        let word = verdict.outcome.word();
        let _ = writeln!(
            text,
            "- {} **{word}** — **{}** {}",
            verdict.outcome.sign(),
            escaped(&verdict.id),
            escaped(&verdict.sentence)
        );
        for finding in &verdict.findings {
            let _ = writeln!(text, "  <br>{}", escaped(finding));
        }
        let (asked, source) = (escaped(&verdict.asked), escaped(&verdict.source));
        let _ = writeln!(text, "  <br><sub>{asked} · {source} · {}</sub>", section.name);
    }
    for section in &report.sections {
        push_section(&mut text, section);
    }
    let _ = writeln!(text, "\n## How to read this\n");
    list(&mut text, &report.how_to_read);
    let _ = writeln!(text, "\n## How it was made\n\n```sh\n{}\n```\n", report.command.replace("```", "'''"));
    let _ = writeln!(text, "{} · [manifest.json](manifest.json)", escaped(&report.run));
    text
}

fn push_section(text: &mut String, section: &Section) {
    let name = &section.name;
    let _ = writeln!(text, "\n## {}\n\n{}\n", escaped(&section.question), escaped(&section.why));
    let _ = writeln!(
        text,
        "{name} · {} · [runs.jsonl]({name}/runs.jsonl) · [summary.csv]({name}/summary.csv)",
        section.runs
    );
    if !section.warnings.is_empty() {
        text.push('\n');
        list(text, &section.warnings);
    }
    if !section.doubtful.is_empty() {
        let _ = writeln!(text, "\n**Doubtful figures:**\n");
        for (reason, runs) in &section.doubtful {
            let _ = writeln!(text, "- {} ({}: {})", escaped(reason), runs.len(), escaped(&runs.join(", ")));
        }
    }
    for chart in &section.charts {
        let slug = chart.slug;
        let _ = writeln!(text, "\n[![{}]({name}/{slug}.png)]({name}/{slug}.svg)\n", chart.title);
        let _ = writeln!(text, "{}", escaped(&chart.caption));
    }
    for table in &section.tables {
        push_table(text, table);
    }
    if !section.failed.is_empty() {
        let _ = writeln!(text, "\n**Failed runs:**\n");
        for (run, err) in &section.failed {
            let _ = writeln!(text, "- {}: {}", escaped(run), escaped(err));
        }
    }
}

fn push_table(text: &mut String, table: &Table) {
    let _ = writeln!(text, "\n**{}**\n", escaped(&table.caption));
    let _ = writeln!(text, "| {} |", table.headings.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(table.headings.len()));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    if let Some(note) = &table.note {
        let _ = writeln!(text, "\n{}", escaped(note));
    }
}

fn list(text: &mut String, sentences: &[String]) {
    for sentence in sentences {
        let _ = writeln!(text, "- {}", escaped(sentence));
    }
}

/// Text that no Markdown reader takes for markup: everything here comes from definitions and records.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\\' | '|' | '*' | '_' | '`' | '(' if c != '(' || safe.ends_with(']') => {
                safe.push('\\');
                safe.push(c);
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        assert_eq!(escaped("<b> a|b [x](javascript:1)\n# c"), "&lt;b&gt; a\\|b [x]\\(javascript:1) # c");
        assert_eq!(escaped("412 µs [398 µs – 431 µs, n = 5] (x)"), "412 µs [398 µs – 431 µs, n = 5] (x)");
    }
}
