//! `ecgan train`.

use crate::output::{Output, quoted};
use crate::progress::{Progress, duration};
use crate::settings_args::{SettingsArgs, unknown_variables};
use crate::{compute, interrupt};
use clap::{ArgMatches, Args};
use ecgan::metrics::{Observer, Summary};
use ecgan::run_folder::RunFolder;
use ecgan::settings::Settings;
use ecgan::train::train;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Train a classifier, alone or with a GAN
#[derive(Args)]
#[command(after_help = EXAMPLES, allow_negative_numbers = true, mut_args(|arg| arg.hide_env(true)))]
pub struct TrainArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print the settings as resolved, and stop
    #[arg(long, help_heading = "Run")]
    dry_run: bool,
    /// Print nothing but warnings and errors
    #[arg(long, help_heading = "Run")]
    quiet: bool,
    /// Print the summary as one JSON object on stdout; everything else goes to stderr
    #[arg(long, help_heading = "Run")]
    json: bool,
}

const EXAMPLES: &str = "\
A flag wins over its variable (ECGAN_PER_CLASS=100), that over --config, that over --preset.

Examples:
  ecgan train                                             EC-GAN on built-in data, minutes
  ecgan train --method classifier                         the same without a GAN, to compare
  ecgan train --data DIR --preset paper --per-class 100   DIR holds {train,test}/<class>/* images
  ecgan train --config runs/0001-ec-gan-synthetic/config.toml --seed 1";

/// The JSON object: the summary, and where the run is.
#[derive(Serialize)]
struct Report<'a> {
    run: &'a Path,
    #[serde(flatten)]
    summary: &'a Summary,
}

/// Runs the command.
pub fn run(args: &TrainArgs, matches: &ArgMatches) -> anyhow::Result<()> {
    let settings = args.settings.resolve(matches)?;
    let mut progress = Progress::new(args.quiet);
    unknown_variables().iter().for_each(|message| progress.warning(message));
    let output = Output::new(args.json, args.quiet);
    if args.dry_run {
        return dry_run(output, args.json, &settings);
    }
    compute::use_threads(settings.threads)?;
    interrupt::listen()?;
    let folder = RunFolder::create(settings.out.as_deref(), Path::new("runs"), settings.method, &settings.data_name())?;
    let trained = train(&settings, &folder, &mut progress);
    drop(progress);
    let path = folder.path().to_path_buf();
    let best = folder.best_checkpoint();
    let last = folder.last_checkpoint();
    let summary = trained.inspect_err(|_| {
        if folder.discard_if_empty() {
            eprintln!("what was written until then is in {}", path.display());
        }
    })?;
    output.result(&Report { run: &path, summary: &summary })?;
    let checkpoint = if summary.best_val_accuracy.is_some() { best } else { last };
    closing(&settings, &path, &checkpoint, &summary).iter().try_for_each(|line| output.line(line))?;
    Ok(())
}

fn dry_run(output: Output, json: bool, settings: &Settings) -> anyhow::Result<()> {
    if json {
        output.result(&settings.to_partial())?;
    } else {
        output.line(settings.to_toml().trim_end())?;
    }
    Ok(())
}

/// The figures, the folder, and what to try next.
fn closing(settings: &Settings, run: &Path, checkpoint: &Path, summary: &Summary) -> Vec<String> {
    let program = quoted(&std::env::args().next().unwrap_or_else(|| "ecgan".into()));
    let checkpoint = quoted(&checkpoint.to_string_lossy());
    let mut lines = vec![
        format!(
            "test accuracy {}, best validation accuracy {}, {}",
            percent(summary.test_accuracy),
            percent(summary.best_val_accuracy),
            duration(Duration::from_secs_f64(summary.seconds.max(0.0)))
        ),
        format!("run folder {}", run.display()),
        String::new(),
        "Try next:".into(),
        format!("  {program} eval --checkpoint {checkpoint} --data {}", quoted(&settings.data)),
    ];
    if settings.method == ecgan::settings::Method::EcGan {
        lines.push(format!("  {program} generate --checkpoint {checkpoint} -n 64 --seed 1 --grid fakes.png"));
        lines.push(format!("  {program} train --method classifier    the same without the GAN, to compare"));
    }
    lines.push(format!("  {program} train --data DIR    your own images: DIR/train/<class>/* and DIR/test/<class>/*"));
    lines.push(format!("  {program} train --help    every setting"));
    lines
}

fn percent(accuracy: Option<f64>) -> String {
    accuracy.map_or_else(|| "not measured".into(), |accuracy| format!("{accuracy:.2} %"))
}
