//! What the finished cells say: mean and deviation over the seeds, and the paired difference to the bare classifier.

use super::{Baseline, Cell, Ledger, Line, Mean};
use crate::data::Budget;
use crate::markdown::{escaped, table};
use crate::metrics::csv::quoted;
use crate::paper::reported;
use crate::settings::choice;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write;

choice! {
    /// Which accuracy is compared. Settings are chosen by the validation part's; a table by that does not show the test's.
    By {
        /// The test's.
        Test = "test",
        /// The validation part's.
        Val = "val",
    }
}

impl By {
    /// As a table's column has it.
    pub fn column(self) -> &'static str {
        match self {
            Self::Test => "test accuracy",
            Self::Val => "validation accuracy",
        }
    }

    /// A line's accuracies, seed by seed.
    fn of(self, line: &Line) -> Vec<Option<f64>> {
        match self {
            Self::Test => line.test_accuracy.iter().copied().map(Some).collect(),
            Self::Val => line.val_accuracy.clone(),
        }
    }
}

/// A row: one cell.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its values on the axes.
    pub cell: Vec<(String, String)>,
    /// The seeds, whether they were asked for now or stand in the ledger.
    pub seeds: Vec<u64>,
    /// Labelled images trained on.
    pub n_train: usize,
    /// Test accuracy of the last weights, in percent; `None` in a table by validation.
    pub test_accuracy: Option<Mean>,
    /// The same on the validation part.
    pub val_accuracy: Option<Mean>,
    /// Accuracy ([`Table::by`]) less that of the comparator, seed by seed, in points; `None` of the comparator itself, or
    /// without one.
    pub difference: Option<Mean>,
    /// Half of the 95 % interval of [`Row::difference`].
    pub half_interval: Option<f64>,
    /// The part of the fakes that counted in the last epoch.
    pub kept_fraction: Option<Mean>,
    /// Seconds a run.
    pub seconds: Mean,
    /// What the paper reports for such a run, in percent.
    pub paper: Option<f64>,
}

/// The rows of a sweep.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// The axes' names.
    pub axes: Vec<String>,
    /// Which accuracy is compared.
    pub by: By,
    /// A row for each finished cell.
    pub rows: Vec<Row>,
    /// Cells that lack a seed of those that were asked for.
    pub unfinished: usize,
    /// Seeds that count though they were not asked for, as the ledger has them.
    pub other_seeds: Vec<u64>,
    /// Combinations that the ledger has beside these.
    pub other_combinations: usize,
}

impl Table {
    /// Of the cells that the ledger has, with all seeds that it has of them; `seeds` are those that were asked for. Each is compared
    /// with its `baseline` or, without one, with the bare classifier of the same settings.
    pub fn new(cells: &[Cell], seeds: &[u64], baseline: Option<&Baseline>, by: By, ledger: &Ledger) -> Self {
        let rows: Vec<Row> = cells
            .iter()
            .filter_map(|cell| {
                let line = ledger.find(cell.identity())?;
                let other = match baseline {
                    Some(baseline) => baseline.cell(cell, cells).map(|other| other.identity().clone()),
                    None => Some(cell.bare_identity()),
                };
                let other = other.filter(|other| other != cell.identity()).and_then(|other| ledger.find(&other));
                Some(row(cell, &line, other.as_ref(), by))
            })
            .collect();
        let axes = cells.first().map(|cell| cell.labels.iter().map(|(name, _)| name.clone()).collect());
        let unfinished = cells.iter().filter(|cell| !ledger.has(cell.identity(), seeds)).count();
        let of_rows: BTreeSet<u64> = rows.iter().flat_map(|row| &row.seeds).copied().collect();
        let other_seeds = of_rows.into_iter().filter(|seed| !seeds.contains(seed)).collect();
        let other_combinations = ledger.beside(cells);
        Self { axes: axes.unwrap_or_default(), by, rows, unfinished, other_seeds, other_combinations }
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        // A column that nothing stands in says nothing.
        let paper = self.rows.iter().any(|row| row.paper.is_some());
        let mut columns: Vec<String> = self.axes.iter().map(|name| escaped(name)).collect();
        columns.extend(["images", "seeds"].map(String::from));
        columns.push(format!("{}, %", self.by.column()));
        columns.push("difference, points [95 %]".into());
        // By validation there is no test accuracy, and by test the other stands behind.
        columns.extend((self.by == By::Test).then(|| "validation, %".into()));
        columns.push("kept, %".into());
        columns.extend(paper.then(|| "the paper's, %".into()));
        table(&columns, self.rows.iter().map(|row| self.cells(row, paper))).join("\n") + "\n"
    }

    /// A row's columns, with or without what the paper reports.
    fn cells(&self, row: &Row, paper: bool) -> Vec<String> {
        let accuracy = self.accuracy(row);
        let seeds = accuracy.map_or(0, |accuracy| accuracy.n);
        let mut cells: Vec<String> = row.cell.iter().map(|(_, label)| escaped(label)).collect();
        cells.push(row.n_train.to_string());
        cells.push(seeds.to_string());
        cells.push(spread(accuracy, 1.0));
        cells.push(row.difference.map_or_else(String::new, |d| {
            let interval = row.half_interval.map(|half| format!(" [{:+.2}, {:+.2}]", d.mean - half, d.mean + half));
            let pairs = (d.n != seeds).then(|| format!(" ({} of the seeds)", d.n));
            format!("{:+.2}{}{}", d.mean, interval.unwrap_or_default(), pairs.unwrap_or_default())
        }));
        cells.extend((self.by == By::Test).then(|| spread(row.val_accuracy, 1.0)));
        cells.push(spread(row.kept_fraction, 100.0));
        cells.extend(paper.then(|| row.paper.map_or_else(String::new, |paper| format!("{paper:.2}"))));
        cells
    }

    /// The accuracy that is compared, in percent.
    pub fn accuracy(&self, row: &Row) -> Option<Mean> {
        match self.by {
            By::Test => row.test_accuracy,
            By::Val => row.val_accuracy,
        }
    }

    /// As CSV, a header first; figures unrounded, what is not there empty.
    pub fn csv(&self) -> String {
        let mut text = self.axes.iter().map(|name| quoted(name) + ",").collect::<String>();
        text += "n_train,seeds,test_accuracy,test_deviation,difference,half_interval_95,pairs,val_accuracy,val_deviation,kept_fraction,seconds\n";
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        for row in &self.rows {
            text += &row.cell.iter().map(|(_, label)| quoted(label) + ",").collect::<String>();
            let seeds = self.accuracy(row).map_or(0, |accuracy| accuracy.n);
            let _ = write!(text, "{},{seeds},", row.n_train);
            let cells = [
                row.test_accuracy.map(|t| t.mean),
                row.test_accuracy.and_then(|t| t.deviation),
                row.difference.map(|d| d.mean),
                row.half_interval,
                row.difference.map(|d| d.n as f64),
                row.val_accuracy.map(|v| v.mean),
                row.val_accuracy.and_then(|v| v.deviation),
                row.kept_fraction.map(|k| k.mean),
                Some(row.seconds.mean),
            ];
            text += &cells.map(number).join(",");
            text.push('\n');
        }
        text
    }
}

fn row(cell: &Cell, line: &Line, other: Option<&Line>, by: By) -> Row {
    let pairs: Vec<f64> = other.map_or_else(Vec::new, |other| {
        let theirs = |seed| other.seeds.iter().position(|s| s == seed).and_then(|i| by.of(other)[i]);
        line.seeds.iter().zip(by.of(line)).filter_map(|(seed, ours)| Some(ours? - theirs(seed)?)).collect()
    });
    let present = |values: &[Option<f64>]| Mean::of(&values.iter().copied().flatten().collect::<Vec<_>>());
    let difference = Mean::of(&pairs);
    Row {
        cell: cell.labels.clone(),
        seeds: line.seeds.clone(),
        n_train: line.images[0],
        test_accuracy: (by == By::Test).then(|| Mean::of(&line.test_accuracy).expect("a line has a seed")),
        val_accuracy: present(&line.val_accuracy),
        difference,
        half_interval: difference.and_then(|d| d.half_interval()),
        kept_fraction: present(&line.kept_fraction),
        seconds: Mean::of(&line.seconds).expect("a line has a seed"),
        paper: paper(cell, line),
    }
}

/// What the paper reports, where it can be told how many training images there are.
fn paper(cell: &Cell, line: &Line) -> Option<f64> {
    let budget = line.images[0] + line.images[1];
    let all = match cell.settings.budget {
        Budget::All => budget,
        Budget::Fraction(part) => (budget as f64 / part).round() as usize,
        Budget::Samples(_) | Budget::PerClass(_) => return None,
    };
    reported(&cell.settings, budget, all)
}

/// `mean ± deviation`.
fn spread(mean: Option<Mean>, factor: f64) -> String {
    mean.map_or_else(String::new, |m| match m.deviation {
        Some(deviation) => format!("{:.1} ± {:.1}", factor * m.mean, factor * deviation),
        None => format!("{:.1}", factor * m.mean),
    })
}
