//! The records of a run, as `summary.csv` has them: see `results/README.md`.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use super::answer::{CONDITIONS, Citation};

/// The run that is committed.
pub(super) const REFERENCE: &str = "results/reference";

/// A longer table is none of ours.
const TABLE_BYTES: u64 = 4 * 1024 * 1024;

/// A folder of results, whose tables are read as they are asked for.
pub(super) struct Records {
    folder: PathBuf,
    tables: HashMap<String, Table>,
}

struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// What the records say of a figure that was cited.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) transport: String,
    /// What each of [`CONDITIONS`] holds; empty where the table has no such column.
    pub(super) conditions: Vec<String>,
    pub(super) median: f64,
    interval: Option<(f64, f64)>,
}

impl Found {
    /// Whether a value is this one, as it is rounded or within the interval.
    pub(super) fn agrees(&self, value: f64) -> bool {
        let rounded = value == self.median || (value - self.median).abs() <= 0.02 * self.median.abs();
        rounded || self.interval.is_some_and(|(low, high)| (low..=high).contains(&value))
    }

    /// The median, for people.
    pub(super) fn rounded(&self) -> String {
        let digits = usize::from(self.median < 1000.0) + usize::from(self.median < 10.0);
        format!("{:.digits$}", self.median)
    }

    /// What a condition's column holds.
    pub(super) fn condition(&self, column: &str) -> Option<&str> {
        let at = CONDITIONS.iter().position(|known| *known == column)?;
        self.conditions.get(at).map(String::as_str)
    }

    /// The conditions, for people.
    pub(super) fn words(&self) -> String {
        let named = CONDITIONS.iter().zip(&self.conditions).filter(|(_, value)| !value.is_empty());
        named.map(|(column, value)| format!("{column}={value}")).collect::<Vec<_>>().join(" ")
    }
}

impl Records {
    pub(super) fn new(folder: PathBuf) -> Self {
        Records { folder, tables: HashMap::new() }
    }

    /// The figure that is cited.
    ///
    /// # Errors
    /// A sentence: what of it is not in the records, and what is.
    pub(super) fn find(&mut self, citation: &Citation) -> Result<Found, String> {
        let Citation { experiment, client, .. } = citation;
        let table = match self.tables.entry(experiment.clone()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Table::read(&self.folder, experiment)?),
        };
        table.find(citation).map_err(|why| format!("{experiment} {client}: {why}"))
    }
}

impl Table {
    fn read(folder: &Path, experiment: &str) -> Result<Table, String> {
        let plain = |it: char| it.is_ascii_alphanumeric() || "-/".contains(it);
        let mut text = String::new();
        let file = experiment.chars().all(plain).then(|| folder.join(experiment).join("summary.csv"));
        let file = file.and_then(|path| File::open(path).ok());
        if file.and_then(|file| file.take(TABLE_BYTES).read_to_string(&mut text).ok()).is_none() {
            return Err(format!(
                "no experiment {experiment:.40?} in {}: it has {}",
                folder.display(),
                experiments(folder).join(", ")
            ));
        }
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        Ok(Table { columns: lines.next().unwrap_or_default(), rows: lines.collect() })
    }

    fn find(&self, citation: &Citation) -> Result<Found, String> {
        let mut rows: Vec<_> =
            self.rows.iter().filter(|row| self.cell(row, "client") == citation.client).collect();
        if rows.is_empty() {
            return Err(format!("no such client: there are {}", self.all("client", self.rows.iter())));
        }
        for (column, value) in &citation.conditions {
            let there = self.all(column, rows.iter().copied());
            rows.retain(|row| same(self.cell(row, column), value));
            if rows.is_empty() {
                return Err(format!("not with {column}={value:.40}: there is {there}"));
            }
        }
        let [row] = rows[..] else {
            let differ =
                |column: &&str| rows.iter().any(|row| self.cell(row, column) != self.cell(rows[0], column));
            let columns: Vec<_> = CONDITIONS.into_iter().filter(differ).collect();
            let column = columns.first().copied().unwrap_or("readers");
            let values = self.all(column, rows.iter().copied());
            return Err(format!("{} rows fit: say {column}=…, which is {values}", rows.len()));
        };
        let number = |part: &str| self.cell(row, &format!("{}_{part}", citation.figure)).parse::<f64>().ok();
        let median = number("median").ok_or_else(|| self.lacks(row, &citation.figure))?;
        Ok(Found {
            transport: self.cell(row, "transport").to_owned(),
            conditions: CONDITIONS.iter().map(|column| self.cell(row, column).to_owned()).collect(),
            median,
            interval: number("low").zip(number("high")),
        })
    }

    /// Why there is no such figure.
    fn lacks(&self, row: &[String], figure: &str) -> String {
        if self.columns.contains(&format!("{figure}_median")) {
            return format!("{figure} was not measured there");
        }
        let named = self.columns.iter().filter_map(|column| column.strip_suffix("_median"));
        let measured: Vec<_> =
            named.filter(|name| !self.cell(row, &format!("{name}_median")).is_empty()).collect();
        format!("no column {figure:.40}_median: there are {}", measured.join(", "))
    }

    fn cell<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        let at = self.columns.iter().position(|known| known == column);
        at.and_then(|at| row.get(at)).map_or("", String::as_str)
    }

    /// What a column holds in these rows, each once.
    fn all<'a>(&self, column: &str, rows: impl Iterator<Item = &'a Vec<String>>) -> String {
        let mut values: Vec<&str> = Vec::new();
        for value in rows.map(|row| self.cell(row, column)) {
            let value = if value.is_empty() { "empty" } else { value };
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values.join(", ")
    }
}

/// Whether a cell holds what is asked for; numbers by their value.
fn same(cell: &str, asked: &str) -> bool {
    cell == asked || cell.parse::<f64>().ok().zip(asked.parse::<f64>().ok()).is_some_and(|(a, b)| a == b)
}

fn experiments(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter(|entry| entry.path().join("summary.csv").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let text = "client,transport,rate_per_s,fault,lost_count_median,lost_count_low,lost_count_high,cost_ms_median\n\
                    sse,sse,1,,0,0,0,\nsse,sse,20,,121,119,122,\nwatched,sse,20,close,0,0,0,inf";
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect());
        Table { columns: lines.next().unwrap_or_default(), rows: lines.collect() }
    }

    fn cited(client: &str, conditions: &[(&str, &str)], figure: &str) -> Citation {
        Citation {
            line: 1,
            experiment: "x".into(),
            client: client.into(),
            conditions: conditions.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
            figure: figure.into(),
            value: 0.0,
        }
    }

    #[test]
    fn a_row_is_found_by_its_conditions() {
        let found = table().find(&cited("sse", &[("rate_per_s", "20.0")], "lost_count")).unwrap();
        assert_eq!((found.median, &*found.transport), (121.0, "sse"));
        assert_eq!(found.condition("rate_per_s"), Some("20"));
        let agree = [121.0, 122.0, 119.0, 121.04].map(|value| found.agrees(value));
        assert_eq!(agree, [true; 4]);
        assert!(!found.agrees(125.0) && !found.agrees(0.121));
        assert!(table().find(&cited("watched", &[], "cost_ms")).unwrap().agrees(f64::INFINITY));
    }

    #[test]
    fn what_is_not_there_is_said_with_what_is() {
        for (citation, why) in [
            (cited("ws", &[], "lost_count"), "there are sse, watched"),
            (cited("sse", &[], "lost_count"), "2 rows fit: say rate_per_s=…, which is 1, 20"),
            (cited("sse", &[("rate_per_s", "7")], "lost_count"), "there is 1, 20"),
            (cited("watched", &[], "lost"), "there are lost_count, cost_ms"),
            (cited("sse", &[("rate_per_s", "1")], "cost_ms"), "was not measured there"),
        ] {
            let error = table().find(&citation).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let outside = Table::read(Path::new("."), "../../etc").err().unwrap();
        assert!(outside.contains("no experiment"), "{outside}");
    }
}
