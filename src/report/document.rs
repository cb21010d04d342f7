//! What a report says, before it is HTML or Markdown.

use crate::{
    harness::manifest::{Machine, Manifest},
    report::{
        beside,
        chart::{self, Drawn},
        claims::{self, Verdict},
        csv,
        folder::{Experiment, ReportError, RunFolder},
        published, relay_cost,
        statistics::{ENOUGH, coverage},
        summary::{Series, Summary},
        table::{self, Table},
        table_losses,
        units::{plural, significant},
    },
};

/// A whole report.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    /// The experiments' names.
    pub title: String,
    /// What keeps the run from being whole; empty where it is.
    pub incomplete: Vec<String>,
    /// The machine in one line.
    pub machine: String,
    /// Program, profile, seed, target and time in one line.
    pub run: String,
    /// The command that made the records.
    pub command: String,
    /// One per experiment.
    pub sections: Vec<Section>,
    /// How figures and verdicts are to be read.
    pub how_to_read: Vec<String>,
}

/// An experiment's part of the report.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    /// Its name, which is also its folder's.
    pub name: String,
    /// What was asked.
    pub question: String,
    /// Why.
    pub why: String,
    /// How many runs there are.
    pub runs: String,
    /// Its claims.
    pub verdicts: Vec<Verdict>,
    /// Its charts.
    pub charts: Vec<Drawn>,
    /// Its tables.
    pub tables: Vec<Table>,
    /// Runs that failed, with why.
    pub failed: Vec<(String, String)>,
    /// Why figures should be doubted and what to do next, with the runs that it concerns.
    pub doubtful: Vec<(String, Vec<String>)>,
    /// What could not be read.
    pub warnings: Vec<String>,
    /// The text of `summary.csv`.
    pub csv: String,
}

impl Document {
    /// Computes and draws everything.
    ///
    /// # Errors
    /// Where a chart can't be drawn.
    pub(super) fn of(folder: &RunFolder) -> Result<Self, ReportError> {
        let mut known: Vec<Series> = Vec::new();
        let sections: Result<Vec<Section>, ReportError> =
            folder.experiments.iter().map(|experiment| Section::of(experiment, &mut known)).collect();
        let sections = sections?;
        let manifest = &folder.manifest;
        let names: Vec<&str> = sections.iter().map(|section| section.name.as_str()).collect();
        Ok(Document {
            title: names.join(", "),
            incomplete: folder.incomplete(),
            machine: machine(&manifest.machine),
            run: run(manifest),
            command: command(&manifest.command),
            how_to_read: how_to_read(folder),
            sections,
        })
    }

    /// All verdicts, with the experiment that each is from.
    pub(super) fn verdicts(&self) -> impl Iterator<Item = (&Section, &Verdict)> {
        self.sections
            .iter()
            .flat_map(|section| section.verdicts.iter().map(move |verdict| (section, verdict)))
    }
}

impl Section {
    fn of(experiment: &Experiment, known: &mut Vec<Series>) -> Result<Self, ReportError> {
        let definition = &experiment.definition;
        let summary = Summary::of(experiment, known);
        let charts: Result<Vec<Drawn>, ReportError> =
            definition.charts.iter().map(|chart| chart::draw(*chart, &definition.name, &summary)).collect();
        let failed = experiment.failed();
        let recorded = plural(experiment.records.len() as u64, "run");
        Ok(Section {
            name: definition.name.clone(),
            question: definition.question.clone(),
            why: definition.why.clone(),
            runs: match experiment.planned {
                Some(planned) if planned != experiment.records.len() as u64 => {
                    format!("{recorded} of {planned} planned")
                }
                _ => recorded,
            },
            verdicts: definition.claims.iter().map(|claim| claims::evaluate(claim, &summary)).collect(),
            charts: charts?,
            tables: [
                published::table(definition, &summary),
                beside::table(definition, &summary),
                relay_cost::table(&summary),
            ]
            .into_iter()
            .flatten()
            .chain(table_losses::tables(&summary))
            .chain(table_losses::cuts(&summary))
            .chain(table::tables(&summary))
            .collect(),
            failed: failed
                .map(|record| (record.run.clone(), record.err.clone().unwrap_or_default()))
                .collect(),
            doubtful: doubtful(experiment),
            csv: csv::summary(&summary),
            warnings: summary.warnings,
        })
    }
}

fn doubtful(experiment: &Experiment) -> Vec<(String, Vec<String>)> {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for record in &experiment.records {
        for reason in &record.doubtful {
            match reasons.iter_mut().find(|(known, _)| known == reason) {
                Some((_, runs)) => runs.push(record.run.clone()),
                None => reasons.push((reason.clone(), vec![record.run.clone()])),
            }
        }
    }
    reasons
}

fn machine(machine: &Machine) -> String {
    let memory = machine.memory_mib.map(|mib| format!("{} GiB memory", significant(mib as f64 / 1024.0)));
    let control = machine.congestion_control.as_ref().map(|name| format!("TCP congestion control {name}"));
    let cores = plural(machine.cores as u64, "core");
    [
        machine.cpu.clone(),
        Some(cores),
        memory,
        Some(machine.platform.clone()),
        machine.kernel.clone(),
        control,
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" · ")
}

fn run(manifest: &Manifest) -> String {
    let revision =
        manifest.git_revision.as_ref().map(|revision| format!(" ({revision})")).unwrap_or_default();
    let finished =
        manifest.finished.as_ref().map_or("not finished".to_owned(), |at| format!("finished {at}"));
    format!(
        "pushlab {}{revision} · {} profile · seed {} · server {} · started {} · {finished}",
        manifest.pushlab, manifest.profile, manifest.seed, manifest.target, manifest.started
    )
}

/// The command as it can be pasted into a shell.
fn command(words: &[String]) -> String {
    let quoted = |word: &String| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

fn how_to_read(folder: &RunFolder) -> Vec<String> {
    let fewest = folder.experiments.iter().flat_map(|experiment| {
        experiment.definition.clients.iter().filter_map(|client| {
            let of = experiment.records.iter().filter(|record| record.client == client.name);
            of.map(|record| record.repetition).max()
        })
    });
    let mut sentences = vec![
        "A figure is the median over repetitions; in brackets its 95 % bootstrap interval and the number of \
         repetitions n. No interval means that it never varied, or that there are fewer than three \
         repetitions."
            .to_owned(),
    ];
    if let Some(n) = fewest.min().filter(|n| *n >= ENOUGH as u32 && coverage(*n as usize) < 0.95) {
        sentences.push(format!(
            "With only {n} repetitions an interval is the range of all of them, which holds the true median in \
             about {} % of cases and not in 95 %.",
            significant((coverage(n as usize) * 100.0).floor())
        ));
    }
    sentences.extend(
        [
            "A claim holds if the whole interval of the ratio lies where the sentence says, is refuted if none \
             of it does, and is undecided otherwise. It is a statement about this machine and these conditions.",
            "“Against the fastest” compares the repetitions' medians: the shift is the median of all differences \
             (Hodges–Lehmann), p is that of the two-sided Mann–Whitney test (exact for up to 40 values, with \
             ties). No practical difference: the ratio's whole interval lies within 5 % of 1. Slower: it \
             excludes 1, and the ratio is outside of that margin. Else undecided.",
            "Latency counts from the intended time of publishing (open loop), so a stall is charged to every \
             event that it delays. The floor is the same payload over a bare TCP connection on the same schedule.",
            "Wire bytes include TCP and IP headers and pure acknowledgements, both ways, from the kernel's \
             counters. Payload is the events' data; heads are HTTP heads; framing is the rest of what the TCP \
             streams carried; TCP/IP is wire minus application bytes. What opening a subscription took is \
             left out of all figures per event and per minute.",
            "“Never” is a time that did not come before the run ended; it counts as longer than any other.",
        ]
        .map(str::to_owned),
    );
    sentences
}
