//! `ecgan train`.

use crate::output::{Output, quoted};
use crate::progress::{Progress, duration};
use crate::settings_args::{SettingsArgs, unknown_variables};
use crate::{compute, interrupt};
use clap::{ArgMatches, Args};
use ecgan::metrics::{Observer, Summary};
use ecgan::run_folder::RunFolder;
use ecgan::settings::{Method, SYNTHETIC, Settings};
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
A data folder holds train/<class>/* and test/<class>/*, PNG or JPEG images, or
SVHN's train_32x32.mat and test_32x32.mat.

A setting is a flag (--per-class 100), or else a variable (ECGAN_PER_CLASS=100), or
else a line of --config (per_class = 100), or else what --preset says. --dry-run
shows the outcome.

Examples:
  ecgan train                        EC-GAN on built-in data, minutes
  ecgan train --method classifier    the same without a GAN, to compare
  ecgan train --data DIR --preset paper --per-class 100
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
    let trained = kernels::on_a_worker(|| train(&settings, &folder, &mut progress));
    drop(progress);
    let path = folder.path().to_path_buf();
    let checkpoint = folder.last_checkpoint();
    let summary = trained.inspect_err(|_| {
        if folder.discard_if_empty() {
            eprintln!("what was written until then is in {}", path.display());
        }
    })?;
    output.result(&Report { run: &path, summary: &summary })?;
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
    let config = quoted(&run.join("config.toml").to_string_lossy());
    let mut lines = vec![
        format!(
            "test accuracy {} after the last epoch, best validation accuracy {}, {}",
            percent(summary.test_accuracy),
            percent(summary.best_val_accuracy),
            duration(Duration::from_secs_f64(summary.seconds.max(0.0)))
        ),
        format!("run folder {}", run.display()),
        String::new(),
        "Try next".into(),
    ];
    let mut suggest =
        |what: &str, arguments: String| lines.extend([format!("- {what}:"), format!("    {program} {arguments}")]);
    suggest(
        "the test accuracy, class by class",
        format!("eval --checkpoint {checkpoint} --data {}", quoted(&settings.data)),
    );
    if settings.method == Method::EcGan {
        suggest("generated images", format!("generate --checkpoint {checkpoint} -n 64 --seed 1 --grid fakes.png"));
        suggest("the same without the GAN, to compare", format!("train --config {config} --method classifier"));
    } else {
        suggest("the same with a GAN, to compare", format!("train --config {config} --method ec-gan"));
    }
    suggest("every setting", "train --help".into());
    if settings.data == SYNTHETIC {
        lines.push(
            "- your own images: train --data DIR, with images in DIR/train/<class>/ and DIR/test/<class>/".into(),
        );
    }
    lines
}

fn percent(accuracy: Option<f64>) -> String {
    accuracy.map_or_else(|| "not measured".into(), |accuracy| format!("{accuracy:.2} %"))
}
