//! `ecgan reproduce`.

use super::sweep::{self, SweepArgs};
use crate::output::tell;
use crate::values::{choice, number, within};
use clap::{Args, Command, FromArgMatches};
use ecgan::paper::Experiment;
use ecgan::settings::SYNTHETIC;
use ecgan::shell::quoted;

/// Run one of the paper's experiments with several seeds
#[derive(Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct ReproduceArgs {
    /// Which: SVHN by size and method (table1), chest X-rays with the conditional GAN (table2), SVHN by lambda (lambda)
    #[arg(value_parser = choice::<Experiment>())]
    experiment: Experiment,
    /// The folder with the data: the published files of SVHN for table1 and lambda, folders of chest X-rays for table2
    #[arg(long, value_name = "DIR")]
    data: String,
    /// Seeds of each cell
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = within::<u64>(1..=10_000))]
    seeds: u64,
    /// The part of the 100 epochs to train for
    #[arg(long, value_name = "PART", default_value_t = 1.0, value_parser = number())]
    epochs_part: f64,
    /// Print the table as one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
    /// What is left over goes to `ecgan sweep`, as which this runs: --out, --device, --threads, --shard, --dry-run ..
    #[arg(last = true, value_name = "SWEEP FLAGS", allow_hyphen_values = true)]
    rest: Vec<String>,
}

const EXAMPLES: &str = "\
Prints the sweep that it is, and how long that takes, before it begins. Begun again, it goes on.

Examples:
  ecgan data fetch svhn --dir data/svhn && \\
    ecgan reproduce table1 --data data/svhn -- --dry-run
  ecgan reproduce table1 --data data/svhn --epochs-part 0.1 --seeds 3 -- \\
    --device cuda
  ecgan reproduce lambda --data data/svhn -- --out lambda --shard 1/4";

/// Runs the command.
pub fn run(args: &ReproduceArgs) -> anyhow::Result<()> {
    let part = args.epochs_part;
    if !(part > 0.0 && part <= 1.0) || args.data == SYNTHETIC {
        let (name, expected, got) = if args.data == SYNTHETIC {
            ("data", "a folder with the paper's data", args.data.clone())
        } else {
            ("epochs_part", "a number above 0 and at most 1", part.to_string())
        };
        return Err(ecgan::Error::Setting { name, expected: expected.into(), got }.into());
    }
    let epochs = ((100.0 * part).round() as usize).max(1).to_string();
    let (seeds, name) = (args.seeds.to_string(), args.experiment.name());
    let mut flags: Vec<&str> = vec!["--data", &args.data, "--seeds", &seeds, "--epochs", &epochs, "--expect"];
    flags.extend(args.experiment.sweep());
    flags.extend(["--out", name]);
    if args.json {
        flags.push("--json");
    }
    let flags = with_theirs(flags, &args.rest);
    let shown: Vec<String> = flags.iter().map(|flag| quoted(flag)).collect();
    tell(format!("ecgan sweep {}", shown.join(" ")));
    if let Some(note) = args.experiment.note() {
        tell(note);
    }
    let command = SweepArgs::augment_args(Command::new("ecgan sweep").no_binary_name(true));
    let matches = command.try_get_matches_from(flags)?;
    sweep::run(&SweepArgs::from_arg_matches(&matches)?, &matches)
}

/// Our flags but for those that the user gives too, then the user's. Grids and arms add up.
fn with_theirs<'a>(ours: Vec<&'a str>, theirs: &'a [String]) -> Vec<&'a str> {
    let is_theirs = |flag: &str| theirs.iter().any(|given| given.split('=').next() == Some(flag));
    let mut keep = true;
    let mut flags = ours;
    flags.retain(|part| {
        if part.starts_with("--") {
            keep = ["--grid", "--arm"].contains(part) || !is_theirs(part);
        }
        keep
    });
    flags.extend(theirs.iter().map(String::as_str));
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_flags_win() {
        let theirs = ["--out=here", "--baseline", "0.1", "--grid", "seed=1"].map(String::from);
        let ours = vec!["--json", "--grid", "lambda=0,1", "--baseline", "0", "--out", "lambda", "--expect"];
        let flags = with_theirs(ours, &theirs).join(" ");
        assert_eq!(flags, "--json --grid lambda=0,1 --expect --out=here --baseline 0.1 --grid seed=1");
    }
}
