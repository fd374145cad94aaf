//! `ecgan eval`.

use crate::compute::ComputeArgs;
use crate::output::Output;
use clap::Args;
use ecgan::evaluate::evaluate;
use ecgan::metrics::Evaluation;
use ecgan::settings::SplitName;
use std::path::PathBuf;

/// Largest confusion matrix that still fits a screen.
const SHOWN_CLASSES: usize = 16;

/// Measure a checkpoint's classifier on a data set
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct EvalArgs {
    /// A checkpoint: RUN/checkpoints/last.safetensors or best.safetensors
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// A folder of images, as for train, or `synthetic`
    #[arg(long, value_name = "DIR", env = "ECGAN_DATA", hide_env = true)]
    data: String,
    /// The images to measure on: those of the test split, or those the run trained on or validated on
    #[arg(long, value_parser = crate::settings_args::choice::<SplitName>(), default_value = "test")]
    split: SplitName,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: ComputeArgs,
}

const EXAMPLES: &str = "\
Example:
  ecgan eval --checkpoint runs/0001-ec-gan-synthetic/checkpoints/last.safetensors \\
    --data synthetic";

/// Runs the command.
pub fn run(args: &EvalArgs) -> anyhow::Result<()> {
    let device = args.compute.open()?;
    let evaluation = kernels::on_a_worker(|| evaluate(&args.checkpoint, &args.data, args.split, &device))?;
    let output = Output::new(args.json, false);
    output.result(&evaluation)?;
    lines(&evaluation).iter().try_for_each(|line| output.line(line))?;
    Ok(())
}

fn lines(evaluation: &Evaluation) -> Vec<String> {
    let Evaluation { accuracy, correct, total, per_class, confusion } = evaluation;
    let width = per_class.iter().map(|class| class.class.chars().count()).max().unwrap_or(0);
    let mut lines = vec![format!("accuracy {accuracy:.2} % ({correct} of {total})"), String::new()];
    for class in per_class {
        let accuracy = class.accuracy.map_or_else(|| "     -".into(), |accuracy| format!("{accuracy:6.2}"));
        lines.push(format!("  {:width$}  {accuracy} %  {} of {}", class.class, class.correct, class.total));
    }
    if confusion.len() <= SHOWN_CLASSES {
        lines.extend([String::new(), "actual (rows) against predicted, in the order above:".into()]);
        let column = confusion.iter().flatten().map(|count| count.to_string().len()).max().unwrap_or(1) + 1;
        for (class, row) in per_class.iter().zip(confusion) {
            let row: String = row.iter().map(|count| format!("{count:column$}")).collect();
            lines.push(format!("  {:width$} {row}", class.class));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up() {
        let classes = ["cat", "horse"].map(String::from);
        let evaluation = Evaluation::from_confusion(&classes, vec![vec![12, 3], vec![0, 0]]);
        assert_eq!(
            lines(&evaluation).join("\n"),
            "accuracy 80.00 % (12 of 15)\n\n  cat     80.00 %  12 of 15\n  horse       - %  0 of 0\n\n\
             actual (rows) against predicted, in the order above:\n  cat    12  3\n  horse   0  0"
        );
    }
}
