//! `ecgan train`.

use super::data::FORMATS;
use crate::output::{Output, many, program, tell};
use crate::progress::Progress;
use crate::settings_args::{Resolved, SettingsArgs, unknown_variables};
use crate::{compute, interrupt};
use clap::{ArgMatches, Args};
use ecgan::data_place::{check_apart, check_there};
use ecgan::duration::duration;
use ecgan::metrics::{Ending, Observer, Summary};
use ecgan::report;
use ecgan::run_folder::{self, RunFolder, names};
use ecgan::settings::{Method, Partial, Preset, SYNTHETIC, Schedule, Settings};
use ecgan::shell::quoted_path;
use ecgan::train::{Plan, PlannedClass, PlannedNetwork, finished, plan, resume, steps_done, train};
use ecgan::{Error, ErrorKind};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Train a classifier, alone or with a GAN
#[derive(Args)]
#[command(after_help = format!("{FORMATS}\n\n{EXAMPLES}"), allow_negative_numbers = true, mut_args(|arg| arg.hide_env(true)))]
pub struct TrainArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Go on with the run in this folder where it was stopped, to the same result bit for bit; see below
    #[arg(long, value_name = "RUN", help_heading = "Run")]
    resume: Option<PathBuf>,
    /// Print the settings as resolved and, on stderr, the data found, the networks, their memory, and from a timed iteration how
    /// long the run would take; write nothing. With --quiet the settings alone, without a look at the data
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
A setting is a flag (--per-class 100), or else a variable (ECGAN_PER_CLASS=100), or
else a line of --config (per_class = 100), or else what --preset says. --dry-run
shows the outcome. ECGAN_SIMD (portable, neon, avx2, avx512) takes another path of the
processor, as the settings of another machine may need.

A run that was stopped, by Ctrl-C (once: after the iteration; twice: at once), by
--max-time or by anything else, goes on with --resume from checkpoints/last.safetensors
and its own settings. Beside --resume only what leaves the numbers as they are may be
given: --threads, --no-graph, --memory-limit, --data (where the images are now),
--max-time, --patience, --checkpoint-every, --save-every, --tensorboard, with --schedule
constant --epochs and --max-steps (to train on for longer; a cosine's learning rates
depend on the run's length), and --device (after which the last bits differ).

Examples:
  ecgan train                        EC-GAN on built-in data, minutes
  ecgan train --method classifier    the same without a GAN, to compare
  ecgan train --data DIR --preset paper --per-class 100
  ecgan train --config runs/0001-ec-gan-synthetic/config.toml --seed 1
  ecgan train --resume runs/0001-ec-gan-synthetic";

/// The folder of runs that are not told where to lie.
const RUNS: &str = "runs";

/// The JSON object: the summary, and where the run is.
#[derive(Serialize)]
struct Outcome<'a> {
    run: &'a Path,
    #[serde(flatten)]
    summary: &'a Summary,
}

/// Runs the command.
pub fn run(args: &TrainArgs, matches: &ArgMatches) -> anyhow::Result<()> {
    let stopped = args.resume.as_deref().map(run_folder::find).transpose()?;
    let Resolved { settings, names_data, warnings } = match &stopped {
        None => args.settings.resolve(matches)?,
        Some(run) => args.settings.resume(matches, run)?,
    };
    let mut progress = Progress::new(args.quiet);
    unknown_variables().iter().chain(&warnings).for_each(|message| progress.warning(message));
    let output = Output::new(args.json, args.quiet);
    compute::use_threads(settings.threads)?;
    let check_data = || names_data.as_deref().map_or(Ok(()), |file| check_there(file, &settings.data));
    if stopped.is_none() {
        check_apart(settings.out.as_deref().unwrap_or(Path::new(RUNS)), &settings.data)?;
    }
    if args.dry_run {
        // The settings alone need no data.
        if !args.quiet || stopped.is_some() {
            check_data()?;
        }
        return dry_run(args, &settings, stopped.as_deref(), &mut progress);
    }
    if stopped.is_none() {
        check_data()?;
    }
    interrupt::listen()?;
    let folder = interrupt::making(|| match &stopped {
        None => RunFolder::create(settings.out.as_deref(), Path::new(RUNS), settings.method, &settings.data_name()),
        Some(run) => RunFolder::open(run),
    })?;
    let path = folder.path().to_path_buf();
    if stopped.is_some()
        && let Some(summary) = finished(&settings, &folder)?
    {
        // Its process may have ended between the summary and the report.
        report::write_or_warn(&path, &mut progress);
        output.result(&Outcome { run: &path, summary: &summary })?;
        return Ok(output.line(at_its_end(&settings, &path, &summary))?);
    }
    // A run that has nothing left to do needs none.
    check_data()?;
    let train = if stopped.is_some() { resume } else { train };
    let trained = kernels::on_a_worker(|| train(&settings, &folder, &mut progress));
    drop(progress);
    let checkpoint = folder.last_checkpoint();
    let summary = trained.inspect_err(|error| after(error, folder, stopped.is_some()))?;
    output.result(&Outcome { run: &path, summary: &summary })?;
    closing(&settings, &path, &checkpoint, &summary).iter().try_for_each(|line| output.line(line))?;
    Ok(())
}

/// Says what there is after a run that did not come to its end, and how it goes on.
fn after(error: &Error, folder: RunFolder, resumed: bool) {
    let (path, config) = (folder.path().to_path_buf(), folder.config_file());
    folder.discard_if_empty();
    if !path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        return;
    }
    // Diverging, it would diverge again.
    let again = matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Data | ErrorKind::Device);
    if resumed
        && matches!(
            error,
            Error::BadFile { .. } | Error::OtherImages { .. } | Error::Dataset(_) | Error::Setting { .. }
        )
    {
        // It did not go on at all, and the error says why.
    } else if again && config.exists() {
        tell(format!("what was written until then is in {}; to go on:", path.display()));
        tell(format!("    {} train --resume {}", program(), quoted_path(&path)));
    } else {
        tell(format!("what was written until then is in {}", path.display()));
    }
}

/// The answer where a run is resumed that has nothing left to do.
fn at_its_end(settings: &Settings, run: &Path, summary: &Summary) -> String {
    let Summary { epochs, steps, .. } = summary;
    let longer = match (summary.ended_by, settings.schedule) {
        (Ending::Patience, _) => "; --patience with a larger number goes on",
        (Ending::MaxSteps, Schedule::Constant) => "; --max-steps with a larger number goes on",
        (_, Schedule::Constant) => "; --epochs with a larger number goes on",
        (_, Schedule::Cosine) => "",
    };
    format!(
        "{}: finished, after {} and {}{longer}",
        run.display(),
        many(*epochs, "epoch"),
        many(*steps as usize, "iteration")
    )
}

/// The JSON object of a dry run: the settings, and what would become of them.
#[derive(Serialize)]
struct Planned<'a> {
    #[serde(flatten)]
    settings: &'a Partial,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Plan>,
}

fn dry_run(
    args: &TrainArgs,
    settings: &Settings,
    stopped: Option<&Path>,
    progress: &mut Progress,
) -> anyhow::Result<()> {
    if let Some(out) = settings.out.as_deref().filter(|_| stopped.is_none()) {
        run_folder::check_out(out)?;
    }
    // The settings are the result, which --quiet leaves.
    let output = Output::new(args.json, false);
    let plan = if args.quiet {
        None
    } else {
        let done = stopped.map(steps_done).transpose()?.unwrap_or(0);
        Some(kernels::on_a_worker(|| plan(settings, done, progress))?)
    };
    if !args.json {
        output.line(settings.to_toml().trim_end())?;
    }
    plan.iter().flat_map(plan_lines).for_each(tell);
    output.result(&Planned { settings: &settings.to_partial(), plan })?;
    Ok(())
}

/// A plan for people.
fn plan_lines(plan: &Plan) -> Vec<String> {
    let Plan { n_train, n_val, n_test, image_size: size, channels, batch, steps, done, .. } = plan;
    let held = if plan.images_in_memory { "in memory" } else { "decoded again each epoch" };
    let class = |class: &PlannedClass| format!("{} {} + {}", class.name, class.train, class.val);
    let most = plan.classes.iter().take(12).map(class).collect::<Vec<_>>().join(", ");
    let more = if plan.classes.len() > 12 { ", .." } else { "" };
    let network = |net: &PlannedNetwork| format!("{} {}", net.name, net.parameters);
    let networks = plan.networks.iter().map(network).collect::<Vec<_>>().join(", ");
    let memory = [("process", plan.peak_rss_mb), ("GPU", plan.gpu_memory_mb)];
    let memory = memory.iter().filter_map(|(of, mb)| mb.map(|mb| format!("{of} {mb:.0} MiB"))).collect::<Vec<_>>();
    let already = if *done > 0 { format!(", {done} of them done") } else { String::new() };
    let mut lines = vec![
        format!("data: {}; {n_train} training, {n_val} validation, {n_test} test images", plan.format),
        format!("classes: {} (training + validation images: {most}{more})", plan.classes.len()),
        format!("images: {size}x{size}, {}, {held}", many(*channels, "channel")),
        format!("parameters: {networks}"),
    ];
    if !memory.is_empty() {
        lines.push(format!("memory: {}", memory.join(", ")));
    }
    let per_epoch = many(plan.steps_per_epoch as usize, "iteration");
    lines.push(format!("batch {batch}, {per_epoch} an epoch, {steps} in all{already}"));
    lines.push(format!(
        "an iteration takes {:.1} ms on {}; the run about {}",
        plan.iteration_ms,
        plan.device,
        duration(plan.seconds)
    ));
    lines
}

/// The figures, the folder, and what to try next.
fn closing(settings: &Settings, run: &Path, checkpoint: &Path, summary: &Summary) -> Vec<String> {
    let program = program();
    let checkpoint = quoted_path(checkpoint);
    let config = quoted_path(run.join(names::CONFIG));
    let mut lines = vec![
        format!(
            "test accuracy {} after the last epoch, best validation accuracy {}, {}",
            percent(summary.test_accuracy),
            percent(summary.best_val_accuracy),
            duration(summary.seconds)
        ),
        format!("run folder {}, report {}", run.display(), run.join(names::REPORT).display()),
    ];
    lines.extend(why_it_ended(settings, summary));
    lines.extend([String::new(), "Try next".into()]);
    // Where a run that is told no place would lie among the images, it goes beside this one.
    let beside = |what: &str| {
        let name = format!("{}-{what}", run.file_name().unwrap_or_default().to_string_lossy());
        let out = || format!(" --out {}", quoted_path(run.with_file_name(name)));
        check_apart(Path::new(RUNS), &settings.data).map_or_else(|_| out(), |()| String::new())
    };
    let mut suggest =
        |what: &str, arguments: String| lines.extend([format!("- {what}:"), format!("    {program} {arguments}")]);
    if let Some(short) = summary.too_short().filter(|_| summary.ended_by == Ending::Epochs) {
        let epochs = summary.epochs * (100 / summary.steps as usize + 1);
        suggest(
            &format!("more iterations: {short}"),
            format!("train --config {config} --epochs {epochs}{}", beside("longer")),
        );
    }
    suggest(
        "the test accuracy, class by class",
        format!("eval --checkpoint {checkpoint} --data {}", quoted_path(&settings.data)),
    );
    if summary.ended_by == Ending::MaxTime {
        suggest("train on", format!("train --resume {}", quoted_path(run)));
    }
    if settings.method.has_gan() {
        suggest("generated images", format!("generate --checkpoint {checkpoint} -n 64 --seed 1 --grid fakes.png"));
        suggest(
            "the same without the GAN, to compare",
            format!("train --config {config} --method classifier{}", beside("classifier")),
        );
    } else {
        let method = settings.preset.values().method.unwrap_or(Method::EcGan);
        suggest(
            "the same with a GAN, to compare",
            format!("train --config {config} --method {method}{}", beside(method.name())),
        );
    }
    if settings.preset == Preset::Quick && settings.data != SYNTHETIC {
        suggest(
            "a better classifier, in several times the time: settings tuned on small sets",
            format!("train{}{}", settings.on_the_same_data(Preset::Best, Method::Classifier).flags(), beside("best")),
        );
    }
    suggest("every setting", "train --help".into());
    if settings.data == SYNTHETIC {
        lines.push(
            "- your own images: train --data DIR, with images in DIR/<class>/, or DIR/train/<class>/ and DIR/test/<class>/".into(),
        );
    }
    lines
}

/// A line where it was not the last epoch.
fn why_it_ended(settings: &Settings, summary: &Summary) -> Option<String> {
    let Summary { epochs, steps, .. } = summary;
    match summary.ended_by {
        Ending::Epochs => None,
        Ending::MaxSteps => {
            Some(format!("ended by --max-steps in epoch {epochs}, after {}", many(*steps as usize, "iteration")))
        }
        Ending::MaxTime => {
            Some(format!("ended by --max-time in epoch {epochs}, after {}", many(*steps as usize, "iteration")))
        }
        Ending::Patience => {
            let patience = settings.patience.unwrap_or_default();
            let accuracy = "a better validation accuracy";
            Some(format!("ended by --patience after epoch {epochs}: {} without {accuracy}", many(patience, "epoch")))
        }
    }
}

fn percent(accuracy: Option<f64>) -> String {
    accuracy.map_or_else(|| "not measured".into(), |accuracy| format!("{accuracy:.2} %"))
}
