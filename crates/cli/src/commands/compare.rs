//! `ecgan compare`.

use crate::output::{Output, warn};
use clap::Args;
use ecgan::compare::{Compared, compare};
use ecgan::markdown::{escaped, table};
use serde::Serialize;
use std::path::PathBuf;

/// Put finished runs side by side, and the paper's figures
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct CompareArgs {
    /// Run folders; what is no finished run is told of and left out, as long as one is
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
One run says little: `ecgan sweep` gives each arm several seeds, and a difference its interval.

Examples:
  ecgan compare runs/*
  ecgan compare runs/0001-classifier-svhn runs/0002-ec-gan-svhn --json";

#[derive(Serialize)]
struct Report {
    runs: Vec<Compared>,
}

/// Runs the command.
pub fn run(args: &CompareArgs) -> anyhow::Result<()> {
    let output = Output::new(args.json, false);
    let runs = compare(&args.runs, &mut |message| warn(message))?;
    lines(&runs).iter().try_for_each(|line| output.line(line))?;
    Ok(output.result(&Report { runs })?)
}

fn lines(runs: &[Compared]) -> Vec<String> {
    let percent = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
    let head = [
        "run",
        "method",
        "images",
        "seed",
        "epochs",
        "test, %",
        "to the first",
        "best validation, %",
        "the paper's, %",
    ];
    let row = |Compared { run, summary, difference, paper }: &Compared| {
        vec![
            escaped(&run.to_string_lossy()),
            summary.method.to_string(),
            format!("{} + {}", summary.n_train, summary.n_val),
            summary.seed.to_string(),
            summary.epochs.to_string(),
            percent(summary.test_accuracy),
            difference.map_or_else(String::new, |d| format!("{d:+.2}")),
            percent(summary.best_val_accuracy),
            percent(*paper),
        ]
    };
    table(&head.map(String::from), runs.iter().map(row))
}
