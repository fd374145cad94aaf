//! `ecgan sweep`.

mod runs;

use crate::output::{Output, many, tell, warn};
use crate::settings_args::{SettingsArgs, unknown_variables, warn_of_unused};
use crate::values::{choice, within};
use crate::{compute, interrupt};
use clap::{ArgMatches, Args};
use ecgan::Error;
use ecgan::data_place::{check_apart, check_there};
use ecgan::printable::printable;
use ecgan::settings::{Lower, Method, Partial};
use ecgan::sweep::{Axis, Baseline, By, Cell, Ledger, Runs, Sets, Table, cells, check_folder, distinct, ledger_in};
use runs::{Quiet, expected, train_all};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Train combinations of settings with several seeds each
#[derive(Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true, mut_args(|arg| arg.hide_env(true)))]
pub struct SweepArgs {
    /// Vary a setting: `lambda=0.05,0.1`; given several times, every combination
    #[arg(long, value_name = "KEY=V,V..", help_heading = "Sweep")]
    grid: Vec<String>,
    /// Name a combination of settings: `gan:method=ec-gan,lambda=0.1`; each is taken in turn
    #[arg(long, value_name = "NAME:KEY=V,..", help_heading = "Sweep")]
    arm: Vec<String>,
    /// Seeds of each combination: --seed (0 where it is not given) and those after it
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = within::<u64>(1..=10_000), help_heading = "Sweep")]
    seeds: u64,
    /// Compare each with its like that has the arm or grid value of this name [default: with the bare classifier of its
    /// settings]
    #[arg(long, value_name = "NAME", help_heading = "Sweep")]
    baseline: Option<String>,
    /// Which accuracy is compared: that on the test images, or that on the part of the budget that validates, by which
    /// settings are chosen; then no test accuracy is shown
    #[arg(long, value_parser = choice::<By>(), default_value = "test", help_heading = "Sweep")]
    by: By,
    /// Train every Nth run only, beginning with the Ith: for N processes or machines that share --out
    #[arg(long, value_name = "I/N", help_heading = "Sweep")]
    shard: Option<Shard>,
    /// The file of finished combinations, a line each: what is in it is not trained again [default: ledger.jsonl in --out]
    #[arg(long, value_name = "FILE", help_heading = "Sweep")]
    ledger: Option<PathBuf>,
    /// First say how long it will take on this device, from a timed iteration of each combination
    #[arg(long, help_heading = "Sweep")]
    expect: bool,
    /// Print what would be trained, and the table of what is finished, and stop
    #[arg(long, help_heading = "Sweep")]
    dry_run: bool,
    /// Print the table as one JSON object on stdout; everything else goes to stderr
    #[arg(long, help_heading = "Sweep")]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

const EXAMPLES: &str = "\
Every setting of `ecgan train` is one here, for all runs; --out is the sweep's folder [default:
sweep]. Begun again, a sweep goes on where it was: finished runs are skipped, and one that was
stopped goes on from its last checkpoint.

Examples:
  ecgan sweep --grid method=classifier,ec-gan --seeds 5
  ecgan sweep --data DIR --preset paper --per-class 100 \\
    --grid lambda=0.05,0.1,0.2 --grid threshold=0.5,0.7,0.9 \\
    --arm ec-gan: --arm bare:method=classifier
  ecgan sweep .. --shard $SLURM_ARRAY_TASK_ID/8";

/// The Ith of N, from 1.
#[derive(Clone, Copy)]
struct Shard {
    index: usize,
    of: usize,
}

impl Shard {
    /// Whether run `i` of a sweep of so many combinations, which take turns, is of this shard. They are dealt out in turn; were each
    /// round like the last, a shard could have all runs of the combination that takes longest.
    fn has(self, i: usize, cells: usize) -> bool {
        let round = i / least_common_multiple(cells, self.of);
        (i + round) % self.of == self.index - 1
    }
}

fn least_common_multiple(a: usize, b: usize) -> usize {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (a / divisor).saturating_mul(b)
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err("expected I/N with I from 1 to N"),
        }
    }
}

/// The JSON object.
#[derive(Serialize)]
struct Report<'a> {
    sweep: &'a Path,
    #[serde(flatten)]
    table: &'a Table,
}

/// One training run to do.
struct Run<'a> {
    cell: &'a Cell,
    seed: u64,
}

/// A sweep as its arguments mean it.
struct Sweep {
    folder: PathBuf,
    ledger: PathBuf,
    cells: Vec<Cell>,
    seeds: Vec<u64>,
    baseline: Option<Baseline>,
    by: By,
    threads: Option<usize>,
}

impl Sweep {
    /// What the ledger says of it.
    fn table(&self, ledger: &Ledger) -> Table {
        Table::new(&self.cells, &self.seeds, self.baseline.as_ref(), self.by, ledger)
    }
}

/// Runs the command.
pub fn run(args: &SweepArgs, matches: &ArgMatches) -> anyhow::Result<()> {
    let output = Output::new(args.json, false);
    unknown_variables().iter().for_each(warn);
    let sweep = args.sweep(matches)?;
    let mut ledger = Ledger::open(&sweep.ledger)?;
    let cells = distinct(&sweep.cells);
    let found = Runs::list(&sweep.folder)?;
    let runs = args.runs(&cells, &sweep.seeds, &ledger, &found)?;
    output.line(format!(
        "{}, {}: {}, of which {} to train here",
        many(sweep.cells.len(), "combination"),
        many(sweep.seeds.len(), "seed"),
        many(cells.len() * sweep.seeds.len(), "run"),
        runs.len()
    ))?;
    compute::use_threads(sweep.threads)?;
    let mut quiet = Quiet::default();
    if args.expect && !runs.is_empty() {
        output.line(expected(&runs, &found, &mut quiet)?)?;
    }
    if args.dry_run {
        for Run { cell, seed } in &runs {
            output.line(format!("  {}, seed {seed}", label(cell)))?;
        }
        return show(args, output, &sweep, &sweep.table(&ledger), None);
    }
    train(args, output, &sweep, &cells, &runs, &mut ledger, &mut quiet)
}

/// Trains these runs; the tables are made of what is finished then, whatever became of the others.
fn train(
    args: &SweepArgs,
    output: Output,
    sweep: &Sweep,
    cells: &[&Cell],
    runs: &[Run],
    ledger: &mut Ledger,
    quiet: &mut Quiet,
) -> anyhow::Result<()> {
    interrupt::begun();
    interrupt::listen()?;
    let folder = &sweep.folder;
    fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    if !runs.is_empty() {
        Ledger::check_can_grow(&sweep.ledger)?;
    }
    let trained = train_all(output, sweep.by, runs, cells, &sweep.seeds, folder, ledger, quiet);
    // Locked: the tables of whoever writes last have what all have finished.
    let tables = Ledger::locked(&sweep.ledger, |ledger| {
        let table = sweep.table(ledger);
        let written = table.write(folder);
        Ok::<_, Error>((table, written))
    });
    let shown = tables.map_err(Into::into).and_then(|(table, written)| {
        show(args, output, sweep, &table, written.as_deref().ok())?;
        Ok(written.map(drop)?)
    });
    if let Err(error) = &trained
        && matches!(error.downcast_ref(), Some(Error::Interrupted))
    {
        tell(format!("what was trained until then is in {}; the same command goes on", folder.display()));
    }
    trained.and(shown)
}

impl SweepArgs {
    /// What these arguments, variables and files mean together, as far as it can be told without the images and the runs.
    fn sweep(&self, matches: &ArgMatches) -> Result<Sweep, Error> {
        let (flags, lower) = self.settings.sources(matches)?;
        let given = lower.under(flags.clone());
        let folder = given.out.clone().unwrap_or_else(|| "sweep".into());
        let axes = self.axes()?;
        let shared = |given| Partial { out: None, ..given };
        let lower = Lower { variables: shared(lower.variables), file: shared(lower.file), ..lower };
        let flags = shared(flags);
        let cells = cells(&flags, &lower, &axes)?;
        let methods: Vec<Method> = cells.iter().map(|cell| cell.settings.method).collect();
        warn_of_unused(matches, &methods);
        let baseline = self.baseline.as_deref().map(|name| Baseline::new(name, &axes)).transpose()?;
        self.check_validation(&cells)?;
        let seeds = self.seeds(given.seed.unwrap_or(0))?;
        for data in cells.iter().map(|cell| &cell.settings.data).collect::<BTreeSet<_>>() {
            check_apart(&folder, data)?;
            let names_it = lower.file_of("data", &flags).filter(|_| lower.file.data.as_ref() == Some(data));
            names_it.map_or(Ok(()), |file| check_there(file, data))?;
        }
        check_folder(&folder)?;
        let ledger = self.ledger.clone().unwrap_or_else(|| ledger_in(&folder));
        Ok(Sweep { folder, ledger, cells, seeds, baseline, by: self.by, threads: given.threads })
    }

    fn seeds(&self, first: u64) -> Result<Vec<u64>, Error> {
        let seeds: Vec<u64> = (0..self.seeds).filter_map(|i| first.checked_add(i)).collect();
        // As far as TOML's integers go, which is how a run writes down its seed.
        match seeds.last() {
            Some(&last) if last <= i64::MAX as u64 && seeds.len() == self.seeds as usize => Ok(seeds),
            _ => {
                let expected = format!("seeds up to {}", i64::MAX);
                Err(Error::Setting { name: "seeds", expected, got: format!("{} from {first} on", self.seeds) })
            }
        }
    }

    fn axes(&self) -> Result<Vec<Axis>, Error> {
        let mut axes = Vec::new();
        if !self.arm.is_empty() {
            axes.push(Axis::arms(&self.arm)?);
        }
        for text in &self.grid {
            axes.push(Axis::grid(text)?);
        }
        Ok(axes)
    }

    /// What is compared by validation has a part that validates.
    fn check_validation(&self, cells: &[Cell]) -> Result<(), Error> {
        let without = cells.iter().find(|cell| self.by == By::Val && cell.settings.val_fraction == 0.0);
        without.map_or(Ok(()), |cell| {
            let expected = "a part that validates, above 0, to compare --by val".into();
            Err(Error::Setting { name: "val_fraction", expected, got: format!("0 ({})", label(cell)) })
        })
    }

    /// What is left to train here, seed by seed so that a sweep that is cut short has something of each cell. Of runs, ledger and images
    /// what does not go together is refused now, not where its turn comes.
    fn runs<'a>(
        &self,
        cells: &[&'a Cell],
        seeds: &[u64],
        ledger: &Ledger,
        found: &Runs,
    ) -> Result<Vec<Run<'a>>, Error> {
        let mut sets = Sets::default();
        found.check_data(cells, ledger, &mut sets)?;
        let cells: Vec<(&Cell, bool)> = cells.iter().map(|cell| (*cell, ledger.has(cell.identity(), seeds))).collect();
        let all = seeds.iter().flat_map(|&seed| cells.iter().map(move |&(cell, known)| (Run { cell, seed }, known)));
        let mut runs = Vec::new();
        for (i, (run, known)) in all.enumerate() {
            let ours = self.shard.is_none_or(|shard| shard.has(i, cells.len()));
            if ours && !known && found.outcome(run.cell, run.seed)?.is_none() {
                sets.check(run.cell)?;
                runs.push(run);
            }
        }
        Ok(runs)
    }
}

/// Prints the table, which `written` is too.
fn show(args: &SweepArgs, output: Output, sweep: &Sweep, table: &Table, written: Option<&Path>) -> anyhow::Result<()> {
    output.result(&Report { sweep: &sweep.folder, table })?;
    if !table.rows.is_empty() {
        output.line("")?;
        table.markdown().lines().try_for_each(|line| output.line(line))?;
    }
    let alone =
        table.rows.iter().all(|row| row.difference.is_none()) && table.unfinished == 0 && args.baseline.is_none();
    if alone && sweep.cells.iter().any(|cell| cell.settings.method != Method::Classifier) {
        output.line(
            "no differences: there is no bare classifier with these settings here (--arm bare:method=classifier beside an --arm for \
             these, or method=classifier,.. as a --grid), and no --baseline",
        )?;
    }
    if table.unfinished > 0 {
        output.line(format!("{} without all seeds yet", many(table.unfinished, "combination")))?;
    }
    if !table.other_seeds.is_empty() {
        let others = table.other_seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        let seeds = if table.other_seeds.len() == 1 { "seed" } else { "seeds" };
        output.line(format!(
            "not asked for now, but counted, as the ledger has them: {seeds} {others} (a ledger of its own, --ledger, leaves them out)"
        ))?;
    }
    // A ledger that was named may well be that of many sweeps.
    if args.ledger.is_none() && table.other_combinations > 0 {
        let others = many(table.other_combinations, "finished combination");
        output.line(format!("not asked for now, hence not in this table: {others} of the ledger"))?;
    }
    if let Some(path) = written.filter(|_| !table.rows.is_empty()) {
        output.line(format!("the same in {} (.csv, .json), as a picture plot.svg", path.display()))?;
    }
    Ok(())
}

fn label(cell: &Cell) -> String {
    let labels: Vec<String> = cell.labels.iter().map(|(name, label)| format!("{name} {label}")).collect();
    if labels.is_empty() { "the settings given".into() } else { printable(&labels.join(", ")).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_all_runs_once_and_of_every_combination() {
        for (cells, seeds, of) in [(2, 6, 2), (3, 5, 2), (2, 5, 8), (6, 4, 4), (1, 5, 3)] {
            let mut counts = vec![0; of];
            let mut combinations = vec![std::collections::HashSet::new(); of];
            for i in 0..cells * seeds {
                let ours: Vec<usize> = (0..of).filter(|k| Shard { index: k + 1, of }.has(i, cells)).collect();
                assert_eq!(ours.len(), 1, "run {i}");
                counts[ours[0]] += 1;
                combinations[ours[0]].insert(i % cells);
            }
            let most = counts.iter().max().unwrap() - counts.iter().min().unwrap();
            assert!(most <= 2, "{cells} x {seeds} over {of}: {counts:?}");
            let enough = counts.iter().all(|&count| count >= 2 * cells);
            assert!(!enough || combinations.iter().all(|found| found.len() == cells), "{cells} x {seeds} over {of}");
        }
    }
}
