//! `ecgan bench`.

use crate::compute::ComputeArgs;
use crate::output::Output;
use clap::Args;
use ecgan::bench::bench;
use ecgan::metrics::BenchReport;

/// Measure the trainer's own step, preset paper at threshold 0, data loading excluded
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchArgs {
    /// Images in a batch
    #[arg(long, value_name = "B", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    batch: u32,
    /// Channels of the classifier's first stage
    #[arg(long, value_name = "W", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    width: u32,
    /// Steps to time
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: ComputeArgs,
}

const EXAMPLES: &str = "\
Example:
  ecgan bench --batch 64 --width 16 --steps 20 --threads 2";

/// Runs the command.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    let device = args.compute.open()?;
    let report = bench(args.batch as usize, args.width as usize, args.steps as usize, &device)?;
    let output = Output::new(args.json, false);
    output.result(&report)?;
    let BenchReport { images_per_second, ms_per_step_median, gflops, threads, device, peak_rss_mb } = &report;
    output.line(format!("{images_per_second:.1} images/s, {ms_per_step_median:.1} ms a step (median)"))?;
    let memory = peak_rss_mb.map(|mb| format!(", {mb:.0} MiB at most")).unwrap_or_default();
    output.line(format!("{gflops:.1} GFLOP/s on {device} with {threads} threads{memory}"))?;
    Ok(())
}
