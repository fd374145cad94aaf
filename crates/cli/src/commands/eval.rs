//! `ecgan eval`.

use crate::checkpoint_args::CheckpointArgs;
use crate::columns::{padded, widest};
use crate::compute::ComputeArgs;
use crate::output::{Output, warn};
use clap::Args;
use ecgan::data_place::{Written, check_outside};
use ecgan::evaluate::{data_of, evaluate_read};
use ecgan::export::{FileKind, check_file};
use ecgan::metrics::Evaluation;
use ecgan::mistakes::{Mistakes, Named};
use ecgan::printable::printable;
use ecgan::run_folder::{write_atomically, write_png};
use ecgan::settings::SplitName;
use std::io::Write;
use std::path::PathBuf;

/// Largest confusion matrix that still fits a screen.
const SHOWN_CLASSES: usize = 16;

/// Mistakes that are named on the screen.
const SHOWN_MISTAKES: usize = 5;

/// Measure a checkpoint's classifier on a data set
#[derive(Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct EvalArgs {
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// A folder of images, as for train, or `synthetic` [default: the run's own]
    #[arg(long, value_name = "DIR", env = "ECGAN_DATA", hide_env = true)]
    data: Option<String>,
    /// The images to measure on: those of the test split, those the run trained on or validated on, or every one (all), as fits
    /// labelled images that the run was not trained on. Of test and all, some of the classes may have no image
    #[arg(long, value_parser = crate::values::choice::<SplitName>(), default_value = "test")]
    split: SplitName,
    /// Write every image that was taken for another class into a table (RFC 4180), the surest mistakes first: among them are labels
    /// that are wrong
    #[arg(long, value_name = "FILE.csv")]
    mistakes: Option<PathBuf>,
    /// Draw the surest mistakes, 32 at most; a class whose name is not ASCII is its number, from 0: #3
    #[arg(long, value_name = "FILE.png")]
    mistakes_grid: Option<PathBuf>,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: ComputeArgs,
}

const EXAMPLES: &str = "\
Precision, recall, F1, confidences and the calibration error (15 bins of equal width) are
in 0..1. --json has the bins as well.

Examples:
  ecgan eval --data synthetic \\
    --checkpoint runs/0001-ec-gan-synthetic/checkpoints/last.safetensors
  ecgan eval --checkpoint RUN/checkpoints/best.safetensors --data DIR \\
    --split val --json
  ecgan eval --checkpoint RUN/checkpoints/best.safetensors --data OTHER \\
    --split all --mistakes mistakes.csv --mistakes-grid mistakes.png";

/// Runs the command.
pub fn run(args: &EvalArgs) -> anyhow::Result<()> {
    args.mistakes.iter().try_for_each(|path| check_file("mistakes", path, FileKind::Mistakes))?;
    args.mistakes_grid.iter().try_for_each(|path| check_file("mistakes_grid", path, FileKind::Png))?;
    let device = args.compute.open()?;
    let read = args.checkpoint.read()?;
    let data = data_of(&read, args.data.as_deref())?;
    for (name, path) in [("mistakes", &args.mistakes), ("mistakes_grid", &args.mistakes_grid)] {
        path.iter().try_for_each(|path| check_outside(name, path, &data, Written::File))?;
    }
    let (given, split) = (args.data.as_deref(), args.split);
    let evaluate = move || evaluate_read(&read, given, split, &device, &mut |message| warn(message));
    let (evaluation, mistakes) = kernels::on_a_worker(evaluate)?;
    if let Some(path) = &args.mistakes {
        write_atomically(path, |file| file.write_all(mistakes.csv().as_bytes()))?;
    }
    let output = Output::new(args.json, false);
    if let Some(path) = &args.mistakes_grid {
        match mistakes.picture()? {
            Some(picture) => write_png(path, &picture)?,
            None => {
                // One of an earlier evaluation would be of other mistakes.
                let _ = std::fs::remove_file(path);
                warn("no image was taken for another class, so there is no picture of one");
            }
        }
    }
    output.result(&evaluation)?;
    lines(&evaluation).iter().chain(&surest(&mistakes)).try_for_each(|line| output.line(line))?;
    Ok(())
}

/// The first of the mistakes, in words.
fn surest(mistakes: &Mistakes) -> Vec<String> {
    let first: Vec<_> = mistakes.named().take(SHOWN_MISTAKES).collect();
    if first.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "surest mistakes (--mistakes FILE.csv writes all):".into()];
    lines.extend(first.iter().map(|Named { image, actual, predicted, confidence }| {
        let [image, actual, predicted] = [image, *actual, *predicted].map(printable);
        format!("  {actual} taken for {predicted}, {confidence:.3}: {image}")
    }));
    lines
}

fn lines(evaluation: &Evaluation) -> Vec<String> {
    let Evaluation { accuracy, correct, total, per_class, confusion, .. } = evaluation;
    let names: Vec<_> = per_class.iter().map(|class| printable(&class.class)).collect();
    let width = widest(&names, "class");
    let mut lines = vec![
        format!("accuracy {accuracy:.2} % ({correct} of {total})"),
        format!("macro F1 {:.3}", evaluation.macro_f1),
        format!(
            "expected calibration error {:.3}, mean negative log-likelihood {:.3}",
            evaluation.expected_calibration_error, evaluation.negative_log_likelihood
        ),
        String::new(),
        format!("  {:width$}  precision  recall     F1  right", "class"),
    ];
    for (class, name) in per_class.iter().zip(&names) {
        let [precision, recall, f1] = [class.precision, class.recall, class.f1]
            .map(|figure| figure.map_or_else(|| "-".into(), |figure| format!("{figure:.3}")));
        let (correct, total) = (class.correct, class.total);
        lines.push(format!("  {}  {precision:>9}  {recall:>6}  {f1:>5}  {correct} of {total}", padded(name, width)));
    }
    if confusion.len() <= SHOWN_CLASSES {
        lines.extend([String::new(), "actual (rows) against predicted, in the order above:".into()]);
        let column = confusion.iter().flatten().map(|count| count.to_string().len()).max().unwrap_or(1) + 1;
        for (name, row) in names.iter().zip(confusion) {
            let row: String = row.iter().map(|count| format!("{count:column$}")).collect();
            lines.push(format!("  {} {row}", padded(name, width)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use ecgan::metrics::Tally;

    #[test]
    fn a_table_lines_up() {
        let mut tally = Tally::new(2);
        for i in 0..15 {
            tally.add(0, &[1.0, if i < 12 { 0.0 } else { 2.0 }]);
        }
        let evaluation = tally.evaluation(&["cat", "horse"].map(String::from));
        assert_eq!(
            lines(&evaluation).join("\n"),
            "accuracy 80.00 % (12 of 15)\nmacro F1 0.444\nexpected calibration error 0.069, mean negative \
             log-likelihood 0.513\n\n  class  precision  recall     F1  right\n  cat        1.000   0.800  0.889  \
             12 of 15\n  horse      0.000       -  0.000  0 of 0\n\n\
             actual (rows) against predicted, in the order above:\n  cat    12  3\n  horse   0  0"
        );
    }
}
