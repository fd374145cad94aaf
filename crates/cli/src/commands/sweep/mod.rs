//! `ecgan sweep`.

mod runs;

use crate::output::{Output, many, tell, warn};
use crate::settings_args::{SettingsArgs, unknown_variables, warn_of_unused};
use crate::values::within;
use crate::{compute, interrupt};
use clap::builder::PossibleValue;
use clap::{ArgMatches, Args, ValueEnum};
use ecgan::Error;
use ecgan::data_place::{check_apart, check_there};
use ecgan::run_folder::{check_new_or_empty, write_atomically};
use ecgan::settings::{Lower, Method, Partial};
use ecgan::sweep::{Axis, Baseline, By, Cell, Ledger, Runs, Sets, Table, cells, distinct};
use runs::{Quiet, expected, train_all};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
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
    #[arg(long, value_enum, default_value = "test", help_heading = "Sweep")]
    by: Compared,
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

/// [`By`], as a flag.
#[derive(Clone, Copy)]
struct Compared(By);

impl ValueEnum for Compared {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self(By::Test), Self(By::Val)]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(if self.0 == By::Test { "test" } else { "val" }))
    }
}

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

/// Runs the command.
pub fn run(args: &SweepArgs, matches: &ArgMatches) -> anyhow::Result<()> {
    let output = Output::new(args.json, false);
    unknown_variables().iter().for_each(warn);
    let (flags, lower) = args.settings.sources(matches)?;
    let given = lower.under(flags.clone());
    let folder = given.out.clone().unwrap_or_else(|| "sweep".into());
    let axes = args.axes()?;
    let shared = |given| Partial { out: None, ..given };
    let lower = Lower { variables: shared(lower.variables), file: shared(lower.file), ..lower };
    let flags = shared(flags);
    let cells = cells(&flags, &lower, &axes)?;
    let methods: Vec<Method> = cells.iter().map(|cell| cell.settings.method).collect();
    warn_of_unused(matches, &methods);
    let baseline = args.baseline.as_deref().map(|name| Baseline::new(name, &axes)).transpose()?;
    args.check_validation(&cells)?;
    let seeds = args.seeds(given.seed.unwrap_or(0))?;
    for data in cells.iter().map(|cell| &cell.settings.data).collect::<BTreeSet<_>>() {
        check_apart(&folder, data)?;
        let names_it = lower.file_of("data", &flags).filter(|_| lower.file.data.as_ref() == Some(data));
        names_it.map_or(Ok(()), |file| check_there(file, data))?;
    }
    check_folder(&folder)?;
    let ledger_path = args.ledger.clone().unwrap_or_else(|| folder.join("ledger.jsonl"));
    let mut ledger = Ledger::open(&ledger_path)?;
    let distinct = distinct(&cells);
    let found = Runs::list(&folder)?;
    let mut sets = Sets::default();
    found.check_data(&distinct, &ledger, &mut sets)?;
    let runs = args.runs(&distinct, &seeds, &ledger, &found)?;
    // Now, not where its turn comes.
    runs.iter().try_for_each(|run| sets.check(run.cell))?;
    drop(sets);
    output.line(format!(
        "{}, {}: {}, of which {} to train here",
        many(cells.len(), "combination"),
        many(seeds.len(), "seed"),
        many(distinct.len() * seeds.len(), "run"),
        runs.len()
    ))?;
    compute::use_threads(given.threads)?;
    let mut quiet = Quiet::default();
    if args.expect && !runs.is_empty() {
        output.line(expected(&runs, &found, &mut quiet)?)?;
    }
    if args.dry_run {
        for Run { cell, seed } in &runs {
            output.line(format!("  {}, seed {seed}", label(cell)))?;
        }
    } else {
        interrupt::begun();
        interrupt::listen()?;
        fs::create_dir_all(&folder).map_err(Error::io(&folder, "create"))?;
        if !runs.is_empty() {
            Ledger::check_can_grow(&ledger_path)?;
        }
        let trained = train_all(output, args.by.0, &runs, &distinct, &seeds, &folder, &mut ledger, &mut quiet);
        // Locked: the tables of whoever writes last have what all have finished.
        let finished = Ledger::locked(&ledger_path, |ledger| {
            let table = Table::new(&cells, &seeds, baseline.as_ref(), args.by.0, ledger);
            write(&folder, &table).map(|()| table)
        });
        let shown = finished.and_then(|table| show(args, output, &folder, &cells, &table));
        if let Err(error) = &trained
            && matches!(error.downcast_ref(), Some(Error::Interrupted))
        {
            tell(format!("what was trained until then is in {}; the same command goes on", folder.display()));
        }
        return trained.and(shown);
    }
    show(args, output, &folder, &cells, &Table::new(&cells, &seeds, baseline.as_ref(), args.by.0, &ledger))
}

impl SweepArgs {
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
        let without = cells.iter().find(|cell| self.by.0 == By::Val && cell.settings.val_fraction == 0.0);
        without.map_or(Ok(()), |cell| {
            let expected = "a part that validates, above 0, to compare --by val".into();
            Err(Error::Setting { name: "val_fraction", expected, got: format!("0 ({})", label(cell)) })
        })
    }

    /// What is left to train here, seed by seed so that a sweep that is cut short has something of each cell.
    fn runs<'a>(
        &self,
        cells: &[&'a Cell],
        seeds: &[u64],
        ledger: &Ledger,
        found: &Runs,
    ) -> Result<Vec<Run<'a>>, Error> {
        let cells: Vec<(&Cell, bool)> = cells.iter().map(|cell| (*cell, ledger.has(cell.identity(), seeds))).collect();
        let all = seeds.iter().flat_map(|&seed| cells.iter().map(move |&(cell, known)| (Run { cell, seed }, known)));
        let mut runs = Vec::new();
        for (i, (run, known)) in all.enumerate() {
            let ours = self.shard.is_none_or(|shard| shard.has(i, cells.len()));
            if ours && !known && found.outcome(run.cell, run.seed)?.is_none() {
                runs.push(run);
            }
        }
        Ok(runs)
    }
}

/// Checks that a sweep may write into `folder`: into one of its own, that is, and not over tables of somebody's.
fn check_folder(folder: &Path) -> Result<(), Error> {
    let is_run = |entry: fs::DirEntry| entry.file_name().to_string_lossy().contains("-seed");
    let ours = folder.join("ledger.jsonl").exists()
        || fs::read_dir(folder.join("runs")).is_ok_and(|runs| runs.flatten().any(is_run))
        || fs::read(folder.join("table.json")).is_ok_and(|text| is_table(&text));
    if ours || check_new_or_empty("out", folder).is_ok() {
        return Ok(());
    }
    let got = format!("{}, which holds something else", folder.display());
    Err(Error::Setting { name: "out", expected: "a new or an empty folder, or one of a sweep".into(), got })
}

/// Whether this is a table of ours, as JSON.
fn is_table(text: &[u8]) -> bool {
    let value: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    ["axes", "rows", "unfinished"].iter().all(|key| value.get(key).is_some())
}

/// Writes the table into the sweep's folder.
fn write(folder: &Path, table: &Table) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(table)? + "\n";
    let plot = table.svg().map(|svg| ("plot.svg", svg));
    let tables = [("table.md", table.markdown()), ("table.csv", table.csv()), ("table.json", json)];
    for (name, text) in tables.into_iter().chain(plot) {
        write_atomically(&folder.join(name), |file| file.write_all(text.as_bytes()))?;
    }
    Ok(())
}

fn show(args: &SweepArgs, output: Output, folder: &Path, cells: &[Cell], table: &Table) -> anyhow::Result<()> {
    output.result(&Report { sweep: folder, table })?;
    if !table.rows.is_empty() {
        output.line("")?;
        table.markdown().lines().try_for_each(|line| output.line(line))?;
    }
    let alone =
        table.rows.iter().all(|row| row.difference.is_none()) && table.unfinished == 0 && args.baseline.is_none();
    if alone && cells.iter().any(|cell| cell.settings.method != Method::Classifier) {
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
    if !args.dry_run && !table.rows.is_empty() {
        output
            .line(format!("the same in {} (.csv, .json), as a picture plot.svg", folder.join("table.md").display()))?;
    }
    Ok(())
}

fn label(cell: &Cell) -> String {
    let labels: Vec<String> = cell.labels.iter().map(|(name, label)| format!("{name} {label}")).collect();
    if labels.is_empty() { "the settings given".into() } else { labels.join(", ") }
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
