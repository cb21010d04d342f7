//! After a cut of many readers: how they come back, over time.

use serde::Serialize;

use crate::{
    harness::{definition::Figure, record::Record},
    report::{
        axis::Axis,
        condition::fault_in_words,
        curves::{self, Around, Curve, CurvePanel, extent},
        palette::Look,
        statistics::Estimate,
        summary::{Group, Summary},
        units::{Unit, grouped, plural},
    },
};

const SUBTITLE: &str = "All readers were cut at 0. Means over the repetitions, in tenths of a second.";

/// What the chart shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Storm {
    /// For each condition attempts to connect per second, over milliseconds from the cut.
    pub connects: Vec<CurvePanel>,
    /// For each condition the share of readers that are back, in per cent.
    pub back: Vec<CurvePanel>,
    /// For the caption: clients under the condition with the most readers, with their peak and the time
    /// until all were back.
    pub words: Vec<(String, Estimate, Estimate)>,
    /// How many readers that were.
    pub readers: u32,
}

impl Storm {
    /// What the chart asks.
    pub(super) const TITLE: &str = "How do the readers of a server come back that were all cut at once?";

    /// The curves of all conditions under which many were cut.
    pub(super) fn of(summary: &Summary<'_>) -> Self {
        let mut storm = Storm { connects: Vec::new(), back: Vec::new(), words: Vec::new(), readers: 0 };
        for condition in &summary.conditions {
            let groups: Vec<_> =
                summary.under(condition).filter(|group| bucket_ms(group).is_some()).collect();
            if groups.is_empty() {
                continue;
            }
            let readers = plural(condition.readers.into(), "reader");
            let several = summary.conditions.iter().any(|other| other.fault != condition.fault);
            let fault = condition.fault.as_deref().filter(|_| several).map(fault_in_words);
            let name = fault.map_or_else(|| readers.clone(), |fault| format!("{readers}, {fault}"));
            let panel = |what: &str, points: fn(&Group<'_>) -> Vec<(f64, f64)>| CurvePanel {
                heading: format!("{what}: {name}"),
                curves: groups
                    .iter()
                    .map(|group| Curve::new(Look::of(summary.series_of(group)), points(group), false))
                    .collect(),
            };
            storm.connects.push(panel("Attempts to connect", connects));
            storm.back.push(panel("Readers that are back", back));
            storm.readers = condition.readers;
            storm.words = groups
                .iter()
                .filter_map(|group| {
                    let label = summary.series_of(group).label.clone();
                    let peak = group.estimate(Figure::PeakConnectsPerSecond)?;
                    Some((label, peak, group.estimate(Figure::BackMaxMs)?))
                })
                .collect();
        }
        storm
    }

    /// One sentence.
    pub(super) fn caption(&self) -> String {
        let each = self.words.iter().map(|(label, peak, all)| {
            format!(
                "{label} peaks at {} connects/s and is all back after {}",
                grouped(peak.median.round()),
                Unit::Millis.format(all.median)
            )
        });
        let text = each.collect::<Vec<_>>().join("; ");
        if text.is_empty() {
            "Never were several readers cut at once.".to_owned()
        } else {
            format!("{} readers: {text}.", grouped(self.readers.into()))
        }
    }

    /// The picture.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(super) fn draw(&self) -> Result<String, String> {
        let panels: Vec<CurvePanel> = self
            .connects
            .iter()
            .zip(&self.back)
            .flat_map(|(one, other)| [one.clone(), other.clone()])
            .collect();
        let caption = self.caption();
        let around = Around {
            title: Self::TITLE,
            subtitle: SUBTITLE,
            caption: &caption,
            nothing: "no run of this experiment cut several readers at once",
        };
        curves::picture(&around, &panels, |panel| {
            let (times, values) = extent(std::slice::from_ref(panel));
            let x = Axis::linear(Unit::Millis, times);
            if self.back.contains(panel) {
                ((x, "Time from the cut"), (Axis::linear(Unit::Count, [105.0]), "% of the readers"))
            } else {
                let y = Axis::linear(Unit::Count, values).with_room(0.06);
                ((x, "Time from the cut"), (y, "per second"))
            }
        })
    }
}

fn bucket_ms(group: &Group<'_>) -> Option<f64> {
    group.records.iter().find_map(|record| Some(record.storm.as_ref()?.bucket_ms))
}

/// The mean of one list of all repetitions, bucket by bucket.
fn means(group: &Group<'_>, list: fn(&Record) -> Option<&Vec<u64>>) -> Vec<f64> {
    let lists: Vec<&Vec<u64>> = group.records.iter().filter_map(|record| list(record)).collect();
    let longest = lists.iter().map(|list| list.len()).max().unwrap_or(0);
    let mean = |bucket: usize| {
        lists.iter().map(|list| list.get(bucket).copied().unwrap_or(0) as f64).sum::<f64>()
            / lists.len() as f64
    };
    (0..longest).map(mean).collect()
}

/// Steps: what a bucket counted is true of all of it.
fn connects(group: &Group<'_>) -> Vec<(f64, f64)> {
    let width = bucket_ms(group).unwrap_or(1.0);
    let means = means(group, |record| record.storm.as_ref().map(|storm| &storm.connects));
    let step = |(bucket, mean): (usize, f64)| {
        let rate = mean * 1e3 / width;
        [(bucket as f64 * width, rate), ((bucket + 1) as f64 * width, rate)]
    };
    means.into_iter().enumerate().flat_map(step).collect()
}

fn back(group: &Group<'_>) -> Vec<(f64, f64)> {
    let width = bucket_ms(group).unwrap_or(1.0);
    let cut: u64 = group.records.iter().filter_map(|record| Some(record.storm.as_ref()?.cut)).sum();
    let all = cut as f64 / group.records.len().max(1) as f64;
    let means = means(group, |record| record.storm.as_ref().map(|storm| &storm.back));
    let mut sum = 0.0;
    let later = means.into_iter().enumerate().map(|(bucket, mean)| {
        sum += mean;
        ((bucket + 1) as f64 * width, 100.0 * sum / all.max(1.0))
    });
    std::iter::once((0.0, 0.0)).chain(later).collect()
}
