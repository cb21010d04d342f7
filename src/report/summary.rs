//! Records, grouped: every client under every condition, with its repetitions together.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::{Histogram, serialization::Deserializer};

use crate::{
    harness::{
        definition::{Client, Figure, Subject},
        record::{Latency, Record},
        target::Target,
    },
    report::{
        condition::Condition,
        folder::Experiment,
        statistics::{self, Estimate},
    },
};

/// A client as charts and tables show it.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Its name in the definition and in records.
    pub name: String,
    /// The server that it reads from; `None` where our own was the only one.
    pub target: Option<String>,
    /// How charts call it.
    pub label: String,
    /// What it reads by; `None` where a record names a transport that this program does not know.
    pub subject: Option<Subject>,
    /// Short poll: milliseconds from request to request.
    pub interval_ms: Option<u64>,
    /// How many clients of the same transport come before it, in the whole report; tells it apart from them
    /// on charts.
    pub variant: usize,
}

/// The repetitions of one client under one condition.
#[derive(Debug)]
pub struct Group<'a> {
    /// Its place in [`Summary::series`].
    pub series: usize,
    /// What they share.
    pub condition: Condition,
    /// Those that ran.
    pub records: Vec<&'a Record>,
    /// How many more failed.
    pub failed: usize,
    /// The latencies of all of them; `None` where nothing was received.
    pub histogram: Option<Histogram<u64>>,
    /// The same as a closed loop counts them; `None` where the publisher was not one.
    pub closed_loop: Option<Histogram<u64>>,
}

/// An experiment's records, grouped.
#[derive(Debug)]
pub struct Summary<'a> {
    /// The clients, in the definition's order, each with every server.
    pub series: Vec<Series>,
    /// The conditions, in the order of [`Condition::order`].
    pub conditions: Vec<Condition>,
    /// By condition, then by client; only what was run.
    pub groups: Vec<Group<'a>>,
    /// The server that others are compared with: ours where it was measured, else the first.
    pub target: Option<String>,
    /// Histograms that can't be read, as sentences.
    pub warnings: Vec<String>,
}

impl<'a> Summary<'a> {
    /// Groups an experiment's records. `known` are the clients of the experiments before it; this one's are
    /// added, so that one client looks the same on every chart of a report.
    pub fn of(experiment: &'a Experiment, known: &mut Vec<Series>) -> Self {
        let series = series(experiment, known);
        let mut groups: Vec<Group<'a>> = Vec::new();
        let mut conditions: Vec<Condition> = Vec::new();
        for record in &experiment.records {
            let is_of = |series: &Series| series.name == record.client && series.target == record.target;
            let Some(index) = series.iter().position(is_of) else { continue };
            let condition = Condition::of(&record.parameters);
            if !conditions.contains(&condition) {
                conditions.push(condition.clone());
            }
            let place = groups.iter().position(|group| group.series == index && group.condition == condition);
            let place = place.unwrap_or_else(|| {
                let (records, failed, histogram, closed_loop) = (Vec::new(), 0, None, None);
                groups.push(Group { series: index, condition, records, failed, histogram, closed_loop });
                groups.len() - 1
            });
            match record.err {
                None => groups[place].records.push(record),
                Some(_) => groups[place].failed += 1,
            }
        }
        conditions.sort_by(Condition::order);
        groups.sort_by(|left, right| {
            left.condition.order(&right.condition).then_with(|| left.series.cmp(&right.series))
        });
        let mut warnings = Vec::new();
        for group in &mut groups {
            group.records.sort_by_key(|record| record.repetition);
            group.histogram = merged(&group.records, |it| it.latency_us.as_ref(), &mut warnings);
            group.closed_loop = merged(&group.records, |it| it.closed_loop_us.as_ref(), &mut warnings);
        }
        let target = targets(experiment).into_iter().next().flatten();
        Summary { series, conditions, groups, target, warnings }
    }

    /// The groups under a condition, by client.
    pub fn under<'s>(&'s self, condition: &'s Condition) -> impl Iterator<Item = &'s Group<'a>> {
        self.groups.iter().filter(move |group| group.condition == *condition)
    }

    /// The client of a group.
    pub fn series_of(&self, group: &Group<'_>) -> &Series {
        &self.series[group.series]
    }

    /// The bare TCP stream's group under the same condition.
    pub fn floor(&self, condition: &Condition) -> Option<&Group<'a>> {
        self.groups.iter().find(|group| {
            group.condition == *condition && self.series_of(group).subject == Some(Subject::Floor)
        })
    }
}

impl Group<'_> {
    /// One value per repetition that has it.
    pub fn values(&self, figure: Figure) -> Vec<f64> {
        self.records.iter().filter_map(|record| figure.of(record)).collect()
    }

    /// The figure's median over the repetitions, with its interval.
    pub fn estimate(&self, figure: Figure) -> Option<Estimate> {
        statistics::estimate(&self.values(figure))
    }

    /// A count, added up over the repetitions.
    pub fn sum(&self, count: impl Fn(&Record) -> u64) -> u64 {
        self.records.iter().map(|record| count(record)).fold(0, u64::saturating_add)
    }
}

impl Series {
    /// Its name with that of its server, where there are several.
    pub fn called(&self) -> String {
        match &self.target {
            Some(target) => format!("{} of {target}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The servers that records name, ours first, then as the definition has them.
fn targets(experiment: &Experiment) -> Vec<Option<String>> {
    let mut targets: Vec<Option<String>> = Vec::new();
    for record in &experiment.records {
        if !targets.contains(&record.target) {
            targets.push(record.target.clone());
        }
    }
    let known = &experiment.definition.targets;
    let rank = |target: &Option<String>| match target.as_deref() {
        None => 0,
        Some(Target::BUILT_IN) => 1,
        Some(name) => 2 + known.iter().position(|other| other == name).unwrap_or(known.len()),
    };
    targets.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.cmp(other)));
    targets
}

/// The clients of the definition, then any others that records name.
fn series(experiment: &Experiment, known: &mut Vec<Series>) -> Vec<Series> {
    let defined = experiment.definition.clients.iter().map(|client: &Client| Series {
        name: client.name.clone(),
        target: None,
        label: client.label().to_owned(),
        subject: Some(client.transport),
        interval_ms: client.interval_ms,
        variant: 0,
    });
    let recorded = experiment.records.iter().map(|record| Series {
        name: record.client.clone(),
        target: None,
        label: record.client.clone(),
        subject: Subject::try_from(record.transport.clone()).ok(),
        interval_ms: record.parameters.interval_ms,
        variant: 0,
    });
    let targets = targets(experiment);
    let of_targets = |series: Series| {
        let was_run = |target: &Option<String>| {
            let is_of = |record: &Record| record.client == series.name && record.target == *target;
            target.is_none() || experiment.records.iter().any(is_of)
        };
        let each = |target: Option<String>| {
            let label = match &target {
                Some(target) => format!("{} · {target}", series.label),
                None => series.label.clone(),
            };
            Series { target, label, ..series.clone() }
        };
        match targets.as_slice() {
            [] => vec![series],
            targets => targets.iter().filter(|it| was_run(it)).cloned().map(each).collect(),
        }
    };
    let mut all: Vec<Series> = Vec::new();
    for mut series in defined.chain(recorded).flat_map(of_targets) {
        if all.iter().any(|other| other.name == series.name && other.target == series.target) {
            continue;
        }
        let same = |other: &&Series| {
            other.name == series.name && other.subject == series.subject && other.target == series.target
        };
        series.variant = known.iter().find(same).map_or_else(
            || known.iter().filter(|other| other.subject == series.subject).count(),
            |other| other.variant,
        );
        if !known.iter().any(|other| same(&other)) {
            known.push(series.clone());
        }
        all.push(series);
    }
    all
}

fn merged(
    records: &[&Record],
    which: fn(&Record) -> Option<&Latency>,
    warnings: &mut Vec<String>,
) -> Option<Histogram<u64>> {
    let mut all: Option<Histogram<u64>> = None;
    for record in records {
        let Some(latency) = which(record) else { continue };
        let added = histogram(latency).and_then(|one| match &mut all {
            Some(all) => all.add(&one).map_err(|error| error.to_string()),
            None => {
                all = Some(one);
                Ok(())
            }
        });
        if let Err(problem) = added {
            warnings.push(format!(
                "{}: run {}: its latency histogram can't be read ({problem}); the percentile curves are \
                 drawn without it, its medians are used.",
                record.experiment, record.run
            ));
        }
    }
    all
}

fn histogram(latency: &Latency) -> Result<Histogram<u64>, String> {
    let bytes = STANDARD.decode(&latency.histogram).map_err(|error| error.to_string())?;
    let mut histogram: Histogram<u64> =
        Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(|error| format!("{error:?}"))?;
    histogram.auto(true);
    Ok(histogram)
}
