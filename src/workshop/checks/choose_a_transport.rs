//! A transport for each of five products, defended with figures from the records of a run.

mod answer;
mod products;
mod records;

use std::path::PathBuf;

use self::{
    answer::{Answer, Citation},
    products::{PRODUCTS, Product},
    records::{Found, Records},
};
use crate::workshop::{
    catalogue,
    finding::{Expectation, Saw},
    judge::{Judge, Stop},
};

pub(super) const EXPECTATIONS: &[Expectation] = &[
    Expectation {
        name: "answers",
        expects: "each of the 5 products has a transport, at least 2 figures, and a reason of at least 8 words",
        next: "Give each product its four sorts of line: product, transport, figure (twice or more), because.",
    },
    Expectation {
        name: "cited",
        expects: "every figure is in the records: an experiment, a client, its conditions and a column of summary.csv",
        next: "Open results/reference/EXPERIMENT/summary.csv: the client, the conditions and the column are in it.",
    },
    Expectation {
        name: "agrees",
        expects: "every value is the one in the records: within 2 %, or within the record's own interval",
        next: "Copy the value from the column that ends in _median, in the unit that the column's name has.",
    },
    Expectation {
        name: "transports",
        expects: "each transport is one that can be defended for its product",
        next: "Read the product's numbers again, and look for the one that your transport breaks.",
    },
    Expectation {
        name: "matters",
        expects: "for each product a figure is cited that matters to it, at its own rate or fault",
        next: "Ask which of the product's sentences would be broken by the wrong transport, and which figure shows that.",
    },
    Expectation {
        name: "compared",
        expects: "that figure is cited for the chosen transport and for another client, under the same conditions",
        next: "Cite the same column twice: once for your choice, once for the client that you would not take.",
    },
    Expectation {
        name: "supports",
        expects: "the comparison speaks for the choice: its figure is the smaller one",
        next: "Look for the figure in which your choice is better, and cite that; if there is none, choose again.",
    },
];

const FIGURES: usize = 2;
const WORDS: usize = 8;

/// What is wrong with an argument, if anything.
type Question = fn(&Argument<'_>) -> Option<String>;

pub(super) async fn judge(judge: &mut Judge) -> Result<(), Stop> {
    let (results, answers) = answer::parse(&judge.file_lines()?);
    let incomplete: Vec<String> = PRODUCTS.iter().filter_map(|product| lacks(product, &answers)).collect();
    let unknown = answers.iter().filter(|answer| !PRODUCTS.iter().any(|known| known.name == answer.product));
    let unknown = unknown.map(|answer| format!("{:?} is none of the products", answer.product));
    let problems: Vec<String> = answers.iter().flat_map(|it| it.problems.clone()).chain(unknown).collect();
    let problems = [problems, incomplete].concat();
    judge.require("answers", problems.is_empty(), told(&problems, "5 of 5 products are answered"))?;

    let results = results.as_deref().unwrap_or(records::REFERENCE);
    let folder = find_folder(results).ok_or_else(|| {
        Stop::CouldNotTell(format!("there is no folder {results}: run `workshop` within the repository"))
    })?;
    let mut records = Records::new(folder);
    let mut problems = Vec::new();
    let mut arguments = Vec::new();
    for product in PRODUCTS {
        let Some(answer) = answers.iter().find(|answer| answer.product == product.name) else { continue };
        let mut found = Vec::new();
        for citation in &answer.figures {
            match records.find(citation) {
                Ok(record) => found.push((citation, record)),
                Err(problem) => problems.push(format!("line {}: {problem}", citation.line)),
            }
        }
        arguments.push(Argument { product, answer, found });
    }
    let count: usize = answers.iter().map(|answer| answer.figures.len()).sum();
    judge.require(
        "cited",
        problems.is_empty(),
        told(&problems, &format!("{count} figures, all in {results}")),
    )?;

    let wrong: Vec<String> = arguments.iter().flat_map(Argument::disagreements).collect();
    judge.require("agrees", wrong.is_empty(), told(&wrong, &format!("{count} of {count} values agree")))?;

    let steps: [(&str, &str, Question); 4] = [
        ("transports", "5 of 5 can be defended", |it| it.indefensible()),
        ("matters", "5 of 5 products have one", |it| it.beside_the_point()),
        ("compared", "5 of 5 products have a comparison", |it| it.without_comparison()),
        ("supports", "5 of 5 comparisons speak for the choice", |it| it.against_itself()),
    ];
    for (name, good, question) in steps {
        let problems: Vec<String> = arguments.iter().filter_map(question).collect();
        judge.require(name, problems.is_empty(), told(&problems, good))?;
    }
    Ok(())
}

/// What an answer lacks, where it is there at all.
fn lacks(product: &Product, answers: &[Answer]) -> Option<String> {
    let name = product.name;
    let Some(answer) = answers.iter().find(|answer| answer.product == name) else {
        return Some(format!("{name}: no lines for it"));
    };
    let words = answer.because.split_whitespace().count();
    if answer.transport.is_none() {
        Some(format!("{name}: no transport"))
    } else if answer.figures.len() < FIGURES {
        Some(format!("{name}: {} figures", answer.figures.len()))
    } else if words < WORDS {
        Some(format!("{name}: a reason of {words} words"))
    } else {
        None
    }
}

/// The first problems in a sentence, or what is said where there are none.
fn told(problems: &[String], good: &str) -> Saw {
    const SHOWN: usize = 3;
    if problems.is_empty() {
        return Saw::new(good);
    }
    let more = problems.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let shown = problems[..problems.len().min(SHOWN)].join("; ") + &more;
    // Some end as questions.
    Saw::new(shown.replace("?; ", "? "))
}

/// A folder of results: as it is named from here, or from the repository.
fn find_folder(named: &str) -> Option<PathBuf> {
    let repository = catalogue::folder(None).ok().and_then(|workshop| Some(workshop.parent()?.join(named)));
    [Some(PathBuf::from(named)), repository].into_iter().flatten().find(|folder| folder.is_dir())
}

/// A product, what was answered, and what the records say of the figures that were cited.
struct Argument<'a> {
    product: &'static Product,
    answer: &'a Answer,
    found: Vec<(&'a Citation, Found)>,
}

impl Argument<'_> {
    fn disagreements(&self) -> impl Iterator<Item = String> {
        let wrong = self.found.iter().filter(|(citation, found)| !found.agrees(citation.value));
        wrong.map(|(citation, found)| {
            let (line, name, value) = (citation.line, &citation.figure, citation.value);
            let unit = match citation.value / found.median {
                ratio if (0.0009..0.0011).contains(&ratio) => " (a thousandth of it: which unit is it in?)",
                ratio if (900.0..1100.0).contains(&ratio) => " (a thousand times it: which unit is it in?)",
                _ => "",
            };
            format!("line {line}: {name} is {value} here and {} in the records{unit}", found.rounded())
        })
    }

    fn indefensible(&self) -> Option<String> {
        let chosen = self.answer.transport?;
        let Product { name, defensible, asks, .. } = self.product;
        (!defensible.contains(&chosen)).then(|| format!("{name}: {chosen}? {asks}"))
    }

    /// The cited figures that matter to the product.
    fn mattering(&self) -> impl Iterator<Item = &(&Citation, Found)> {
        self.found.iter().filter(|(citation, found)| self.product.heeds(&citation.figure, found))
    }

    fn beside_the_point(&self) -> Option<String> {
        let mut cited: Vec<_> = self.found.iter().map(|(citation, _)| citation.figure.as_str()).collect();
        cited.dedup();
        let Product { name, at: (column, value), .. } = self.product;
        let none = self.mattering().next().is_none();
        none.then(|| format!("{name}: of {}, none matters to it at {column}={value}", cited.join(", ")))
    }

    /// Pairs of records under the same conditions: the chosen transport's, and another client's.
    fn pairs(&self) -> Vec<(&Found, &Found)> {
        let chosen = self.answer.transport.map(|transport| transport.slug());
        let mut pairs = Vec::new();
        for (mine, own) in self.mattering().filter(|(_, found)| Some(&*found.transport) == chosen) {
            let comparable = self.found.iter().filter(|(other, found)| {
                other.figure == mine.figure
                    && other.experiment == mine.experiment
                    && other.client != mine.client
                    && found.conditions == own.conditions
            });
            pairs.extend(comparable.map(|(_, other)| (own, other)));
        }
        pairs
    }

    fn without_comparison(&self) -> Option<String> {
        let cited = |(citation, found): &(&Citation, Found)| {
            format!("{} of {} at {}", citation.figure, citation.client, found.words())
        };
        self.pairs().is_empty().then(|| {
            let cited: Vec<_> = self.found.iter().map(cited).collect();
            format!("{}: cited are {}", self.product.name, cited.join("; "))
        })
    }

    fn against_itself(&self) -> Option<String> {
        let pairs = self.pairs();
        let (own, other) = pairs.first()?;
        let name = self.product.name;
        let (own, other) = (own.rounded(), other.rounded());
        let none = !pairs.iter().any(|(own, other)| own.median < other.median);
        none.then(|| format!("{name}: {own} for your choice, and {other} for the other"))
    }
}
