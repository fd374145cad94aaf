//! `ecgan bench`.

use crate::compute::ComputeArgs;
use crate::output::{Output, Unwritten, many};
use crate::values::{choice, named, within};
use clap::Args;
use clap::builder::BoolValueParser;
use ecgan::bench::{bench, iterations_a_step};
use ecgan::metrics::{BenchReport, ProfileRow};
use ecgan::settings::Precision;
use std::time::Instant;

/// Time the trainer's own step (preset paper, threshold 0)
#[derive(Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true)]
pub struct BenchArgs {
    /// Images in a batch
    #[arg(long, value_name = "B", default_value_t = 64, value_parser = within::<usize>(1..=65536))]
    batch: usize,
    /// Channels of the classifier's first stage
    #[arg(long, value_name = "W", default_value_t = 16, value_parser = within::<usize>(1..=1024))]
    width: usize,
    /// Steps to time; on a GPU a step is 20 iterations, and its time their mean
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = within::<usize>(1..=i64::MAX))]
    steps: usize,
    /// Then run as many steps again and show where their time goes, kernel by kernel
    #[arg(long)]
    profile: bool,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: ComputeArgs,
    /// What convolutions and matrix products multiply on a GPU
    #[arg(long, value_parser = choice::<Precision>(), env = "ECGAN_PRECISION", hide_env = true, default_value = "f32", help_heading = "Device")]
    precision: Precision,
    /// On a GPU launch each kernel of an iteration, one after the other, rather than a recording of all
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = named(BoolValueParser::new()), default_value = "false", env = "ECGAN_NO_GRAPH", hide_env = true, help_heading = "Device")]
    no_graph: bool,
}

const EXAMPLES: &str = "\
Example:
  ecgan bench --batch 64 --width 16 --steps 20 --threads 2
  ecgan bench --profile      # which kernels take how much of it";

/// Runs the command, in a process that began at `started`.
pub fn run(args: &BenchArgs, started: Instant) -> anyhow::Result<()> {
    let device = args.compute.open_in(args.precision)?;
    let BenchArgs { batch, width, steps, .. } = *args;
    let timed = steps * iterations_a_step(&device);
    let report = kernels::on_a_worker(|| bench(batch, width, steps, args.profile, !args.no_graph, &device, started))?;
    let output = Output::new(args.json, false);
    output.result(&report)?;
    let BenchReport { images_per_second, ms_per_step_median, startup_ms, gflops, threads, device, .. } = &report;
    let BenchReport { peak_rss_mb, profile, .. } = &report;
    output.line(format!("{images_per_second:.1} images/s, {ms_per_step_median:.1} ms a step (median), the first {startup_ms:.0} ms after the start"))?;
    let memory = peak_rss_mb.map(|mb| format!(", {mb:.0} MiB at most")).unwrap_or_default();
    output.line(format!("{gflops:.1} GFLOP/s on {device} with {}{memory}", many(*threads, "thread")))?;
    if let Some(rows) = profile {
        output.line(format!("\nA mean iteration of {timed} more, by kernel and geometry:"))?;
        table(output, rows)?;
        output.line("\nThe same by kernel:")?;
        table(output, &ProfileRow::by_op(rows))?;
    }
    Ok(())
}

/// One line a row, the columns aligned, and the sum.
fn table(output: Output, rows: &[ProfileRow]) -> Result<(), Unwritten> {
    let total: f64 = rows.iter().map(|row| row.ms).sum();
    let name = |row: &ProfileRow| format!("{} {}", row.op, row.shape).trim_end().to_owned();
    let width = rows.iter().map(|row| name(row).len()).max().unwrap_or(0);
    let columns = |name: &str, cells: [String; 5]| {
        let cells = cells.map(|cell| format!("{cell:>9}")).concat();
        output.line(format!("{name:width$}{cells}").trim_end())
    };
    columns("kernel", ["calls", "ms", "share", "GFLOP/s", "GB/s"].map(String::from))?;
    for row in rows {
        let calls = if row.calls > 0.0 { format!("{:.0}", row.calls) } else { String::new() };
        let rate = |rate: Option<f64>| rate.map(|rate| format!("{rate:.1}")).unwrap_or_default();
        let share = format!("{:.1} %", 100.0 * row.ms / total);
        columns(&name(row), [calls, format!("{:.3}", row.ms), share, rate(row.gflops), rate(row.gbs)])?;
    }
    columns("iteration", [String::new(), format!("{total:.3}"), "100.0 %".to_owned(), String::new(), String::new()])
}
